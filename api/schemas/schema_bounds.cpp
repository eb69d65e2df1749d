#include "api/schemas/schema_bounds.h"

#include <algorithm>

#include "api/schemas/json_number.h"
#include "api/schemas/schema_demands.h"

namespace stele::api {

using simdjson::dom::element;

namespace {

bool meets_bound(const JsonNumber& number, std::string_view keyword, const JsonNumber& bound) {
  if (keyword == "maximum") return number <= bound;
  if (keyword == "exclusiveMaximum") return number < bound;
  if (keyword == "minimum") return number >= bound;
  return number > bound;
}
template <class Test>
bool all_listed(SchemaPart from, Test test) {
  const auto values = from.values();
  return values && std::all_of(values->begin(), values->end(), [&](element value) {
           const auto number = JsonNumber::of(value);
           return !number || test(*number);
         });
}

}  // namespace

bool numbers_contain(SchemaPart from, SchemaPart to, const std::string& pointer, SchemaDifferences* tell) {
  bool all = true;
  const auto at_most = [&](const JsonNumber& bound, bool exclusive) {
    const auto most = from.number("maximum"), below_of = from.number("exclusiveMaximum");
    return (most && (exclusive ? *most < bound : *most <= bound)) || (below_of && *below_of <= bound);
  };
  const auto at_least = [&](const JsonNumber& bound, bool exclusive) {
    const auto least = from.number("minimum"), above = from.number("exclusiveMinimum");
    return (least && (exclusive ? *least > bound : *least >= bound)) || (above && *above >= bound);
  };
  const auto listed = from.values().has_value();
  const auto check = [&](std::string_view keyword, auto met) {
    const auto bound = to.number(keyword);
    if (bound && !met(*bound) &&
        !(listed && all_listed(from, [&](const JsonNumber& n) { return meets_bound(n, keyword, *bound); }))) {
      all = differ(tell, pointer_below(pointer, keyword), "bound-tightened", "Fewer numbers are valid than before.");
    }
  };
  check("maximum", [&](const JsonNumber& bound) { return at_most(bound, false); });
  check("exclusiveMaximum", [&](const JsonNumber& bound) { return at_most(bound, true); });
  check("minimum", [&](const JsonNumber& bound) { return at_least(bound, false); });
  check("exclusiveMinimum", [&](const JsonNumber& bound) { return at_least(bound, true); });
  if (const auto wanted = to.number("multipleOf")) {
    const auto has = from.number("multipleOf");
    const auto divisor = Divisor::of(*wanted);
    if (!divisor || !has || !divisor->divides(*has)) {
      all = differ(tell, pointer_below(pointer, "multipleOf"), "multiple-changed",
                   "Fewer multiples are valid than before.");
    }
  }
  return all;
}

bool counts_contain(SchemaPart from, SchemaPart to, std::string_view least, std::string_view most,
                    const std::string& pointer, SchemaDifferences* tell) {
  bool all = true;
  const auto lowest = to.number(least);
  const auto highest = to.number(most);
  const auto has_lowest = from.number(least);
  const auto has_highest = from.number(most);
  if (lowest && lowest->positive() && (!has_lowest || *has_lowest < *lowest)) {
    all = differ(tell, pointer_below(pointer, least), "bound-tightened", "More is asked for than before.");
  }
  if (highest && (!has_highest || *has_highest > *highest)) {
    all = differ(tell, pointer_below(pointer, most), "bound-tightened", "Less is allowed than before.");
  }
  return all;
}

bool strings_contain(SchemaPart from, SchemaPart to, const std::string& pointer, SchemaDifferences* tell,
                     WorkBudget& work) {
  bool all = counts_contain(from, to, "minLength", "maxLength", pointer, tell);
  for (const std::string_view keyword : {"pattern", "format"}) {
    const auto wanted = to.member(keyword), has = from.member(keyword);
    if (wanted && (!has || !surely_same(*wanted, *has, work))) {
      all = differ(tell, pointer_below(pointer, keyword), keyword == "pattern" ? "pattern-changed" : "format-changed",
                   "Texts are held against something that they were not held against before.");
    }
  }
  return all;
}

}  // namespace stele::api

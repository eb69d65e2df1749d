#include "api/schemas/json_equality.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "api/schemas/json_number.h"
#include "engine/base/keyed_hash.h"

namespace stele::api {

namespace {

using simdjson::dom::element_type;
using NamedElement = std::pair<std::string_view, simdjson::dom::element>;

constexpr std::size_t kFewMembers = 8;

bool is_number(element_type type) {
  return type == element_type::INT64 || type == element_type::UINT64 || type == element_type::DOUBLE;
}

std::uint64_t stirred(std::uint64_t value) {
  value ^= value >> 31;
  value *= 0xD6E8FEB86659FD93;
  return value ^ value >> 32;
}

std::uint64_t work_for_text(std::string_view text) { return 1 + text.size() / 64; }

std::vector<NamedElement> sorted_members(simdjson::dom::object object) {
  std::vector<NamedElement> members;
  for (const auto& [name, value] : object) members.emplace_back(name, value);
  std::stable_sort(members.begin(), members.end(),
                   [](const NamedElement& a, const NamedElement& b) { return a.first < b.first; });
  return members;
}

bool same_objects(simdjson::dom::object a, simdjson::dom::object b, WorkBudget& work) {
  const std::size_t size = a.size();
  if (size != b.size() || !work.spend(1 + 2 * size)) return false;
  if (size <= kFewMembers) {
    for (const auto& [name, value] : a) {
      simdjson::dom::element other;
      if (b.at_key(name).get(other) != simdjson::SUCCESS) return false;
      if (!same_json(JsonInstance(value), JsonInstance(other), work)) return false;
    }
    return true;
  }
  const std::vector<NamedElement> left = sorted_members(a);
  const std::vector<NamedElement> right = sorted_members(b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](const NamedElement& x, const NamedElement& y) {
                      return x.first == y.first && same_json(JsonInstance(x.second), JsonInstance(y.second), work);
                    });
}

bool same_arrays(simdjson::dom::array a, simdjson::dom::array b, WorkBudget& work) {
  auto left = a.begin();
  auto right = b.begin();
  for (; left != a.end() && right != b.end(); ++left, ++right) {
    if (!same_json(JsonInstance(*left), JsonInstance(*right), work)) return false;
  }
  return !(left != a.end()) && !(right != b.end());
}

}  // namespace

bool same_json(const JsonInstance& a, const JsonInstance& b, WorkBudget& work) {
  if (!work.spend(1)) return false;
  if (is_number(a.type())) return is_number(b.type()) && JsonNumber::of(a.element()) == JsonNumber::of(b.element());
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case element_type::STRING:
      return a.text().size() == b.text().size() && work.spend(work_for_text(a.text())) && a.text() == b.text();
    case element_type::BOOL:
      return a.element().get_bool().value_unsafe() == b.element().get_bool().value_unsafe();
    case element_type::ARRAY:
      return same_arrays(array_in(a.element()), array_in(b.element()), work);
    case element_type::OBJECT:
      return same_objects(object_in(a.element()), object_in(b.element()), work);
    default:
      return true;  // null
  }
}

std::uint64_t json_hash(const JsonInstance& instance, WorkBudget& work) {
  if (!work.spend(1)) return 0;
  switch (instance.type()) {
    case element_type::STRING:
      return work.spend(work_for_text(instance.text())) ? keyed_hash(instance.text()) : 0;
    case element_type::BOOL:
      return stirred(instance.element().get_bool().value_unsafe() ? 1 : 2);
    case element_type::NULL_VALUE:
      return stirred(3);
    case element_type::ARRAY: {
      std::uint64_t hash = hash_seed();
      for (const simdjson::dom::element element : array_in(instance.element())) {
        hash = stirred(hash + json_hash(JsonInstance(element), work));
        if (work.exhausted()) return 0;
      }
      return hash;
    }
    case element_type::OBJECT: {
      std::uint64_t hash = ~hash_seed();
      for (const auto& [name, value] : object_in(instance.element())) {
        hash += stirred(keyed_hash(name) ^ stirred(json_hash(JsonInstance(value), work)));
        if (!work.spend(work_for_text(name))) return 0;
      }
      return stirred(hash);
    }
    default:
      return stirred(hash_seed() ^ JsonNumber::of(instance.element())->hash());
  }
}

JsonValueSet::JsonValueSet(const std::vector<simdjson::dom::element>& values) {
  WorkBudget unbounded(std::numeric_limits<std::uint64_t>::max());
  for (const simdjson::dom::element value : values)
    entries_.push_back({json_hash(JsonInstance(value), unbounded), value});
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.hash < b.hash; });
}

bool JsonValueSet::contains(const JsonInstance& instance, WorkBudget& work) const {
  if (entries_.size() == 1) return same_json(instance, JsonInstance(entries_.front().value), work);
  const std::uint64_t hash = json_hash(instance, work);
  auto at = std::lower_bound(entries_.begin(), entries_.end(), hash,
                             [](const Entry& entry, std::uint64_t value) { return entry.hash < value; });
  for (; at != entries_.end() && at->hash == hash && !work.exhausted(); ++at) {
    if (same_json(instance, JsonInstance(at->value), work)) return true;
  }
  return false;
}

bool all_different(simdjson::dom::array array, WorkBudget& work) {
  struct Element {
    std::uint64_t hash;
    simdjson::dom::element value;
  };
  std::vector<Element> elements;
  for (const simdjson::dom::element value : array) {
    elements.push_back({json_hash(JsonInstance(value), work), value});
    if (!work.spend(2)) return true;
  }
  std::sort(elements.begin(), elements.end(), [](const Element& a, const Element& b) { return a.hash < b.hash; });
  for (std::size_t i = 0; i + 1 < elements.size(); ++i) {
    for (std::size_t j = i + 1; j < elements.size() && elements[j].hash == elements[i].hash; ++j) {
      if (same_json(JsonInstance(elements[i].value), JsonInstance(elements[j].value), work)) return false;
      if (work.exhausted()) return true;
    }
  }
  return true;
}

}  // namespace stele::api

#pragma once
// Whether two JSON values are the same, as JSON Schema means it: numbers by their value (1 and 1.0 are the same),
// objects whatever the order of their members, arrays element by element.

#include <simdjson.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "api/schemas/work_budget.h"

namespace stele::api {

/// What an element is that is known to be an object or an array: by value, to be walked over.
inline simdjson::dom::object object_in(simdjson::dom::element element) { return element.get_object().value_unsafe(); }
inline simdjson::dom::array array_in(simdjson::dom::element element) { return element.get_array().value_unsafe(); }

/// A value that is looked at: one of a document, or text that is none, such as the name of a member.
class JsonInstance {
 public:
  explicit JsonInstance(simdjson::dom::element element) : element_(element), type_(element.type()) {
    if (type_ == simdjson::dom::element_type::STRING) text_ = element.get_string().value_unsafe();
  }
  explicit JsonInstance(std::string_view text) : type_(simdjson::dom::element_type::STRING), text_(text) {}

  [[nodiscard]] simdjson::dom::element_type type() const { return type_; }
  /// Of strings.
  [[nodiscard]] std::string_view text() const { return text_; }
  /// Of everything else.
  [[nodiscard]] simdjson::dom::element element() const { return element_; }

 private:
  simdjson::dom::element element_;
  simdjson::dom::element_type type_;
  std::string_view text_;
};

/// False also if the budget is exhausted before it is known.
[[nodiscard]] bool same_json(const JsonInstance& a, const JsonInstance& b, WorkBudget& work);

/// The same for the same values; seeded anew in each process. Means nothing if the budget is exhausted.
[[nodiscard]] std::uint64_t json_hash(const JsonInstance& instance, WorkBudget& work);

/// Values that are looked up by value. Borrows them. Immutable, so any thread may ask.
class JsonValueSet {
 public:
  explicit JsonValueSet(const std::vector<simdjson::dom::element>& values);
  [[nodiscard]] bool contains(const JsonInstance& instance, WorkBudget& work) const;

 private:
  struct Entry {
    std::uint64_t hash;
    simdjson::dom::element value;
  };
  std::vector<Entry> entries_;  ///< by hash
};

/// Whether no element of `array` comes twice. N log n in their number.
[[nodiscard]] bool all_different(simdjson::dom::array array, WorkBudget& work);

}  // namespace stele::api

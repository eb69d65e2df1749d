#include "api/events/condition_parser.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "api/events/member_values.h"

namespace stele::api {

namespace dom = simdjson::dom;

void ConditionParser::parse(const dom::element& value) {
  dom::object object;
  if (value.get(object) != simdjson::SUCCESS) {
    errors_.add("/condition", "Must be an object.");
    return;
  }
  if (object.size() == 0) errors_.add("/condition", "Must have aggregates or failIfEventsMatch.");
  unsigned seen = 0;
  for (const auto field : object) {
    const std::string pointer = "/condition" + member_pointer(field.key);
    const unsigned bit = field.key == "aggregates"          ? 1U
                         : field.key == "failIfEventsMatch" ? 2U
                         : field.key == "after"             ? 4U
                                                            : 0U;
    if (bit == 0) {
      errors_.add(pointer, "There is no such member.");
    } else if ((seen & bit) != 0) {
      errors_.add(pointer, "The member stands twice.");
    } else if (bit == 1) {
      each(field.value, pointer, [this](const dom::object& o, const std::string& p) { aggregate(o, p); });
    } else if (bit == 2) {
      each(field.value, pointer, [this](const dom::object& o, const std::string& p) { match(o, p); });
    } else if (const auto after =
                   take_integer(field.value, pointer, 0, std::numeric_limits<std::int64_t>::max(), errors_)) {
      to_.after = Position{*after};
    }
    seen |= bit;
  }
  if ((seen & 6U) == 4U) errors_.add("/condition/after", "Means nothing without failIfEventsMatch.");
}

template <class Read>
void ConditionParser::each(const dom::element& value, const std::string& pointer, Read read) {
  dom::array list;
  if (value.get(list) != simdjson::SUCCESS || list.begin() == list.end()) {
    errors_.add(pointer, "Must be a list of objects that is not empty.");
    return;
  }
  std::size_t index = 0;
  for (const dom::element element : list) {
    const std::string at = pointer + '/' + std::to_string(index++);
    if (values_ > limits_.condition_values_max) return;
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) {
      errors_.add(at, "Must be an object.");
    } else {
      read(object, at);
    }
  }
}

bool ConditionParser::count(const std::string& pointer) {
  if (++values_ <= limits_.condition_values_max) return true;
  if (values_ == limits_.condition_values_max + 1) {
    errors_.add(pointer,
                "A condition may have at most " + std::to_string(limits_.condition_values_max) + " values in all.");
  }
  return false;
}

void ConditionParser::aggregate(const dom::object& object, const std::string& pointer) {
  if (!count(pointer)) return;
  AggregateCondition& entry = to_.aggregates.emplace_back();
  unsigned seen = 0;
  for (const auto field : object) {
    const std::string at = pointer + member_pointer(field.key);
    const unsigned bit = field.key == "aggregateId" ? 1U : field.key == "lastSequenceNumber" ? 2U : 0U;
    std::string_view word;
    if (bit == 0) {
      errors_.add(at, "There is no such member.");
    } else if ((seen & bit) != 0) {
      errors_.add(at, "The member stands twice.");
    } else if (bit == 1) {
      (void)take_text(field.value, at, limits_.string_bytes_max, errors_, entry.aggregate_id);
    } else if (field.value.get(word) == simdjson::SUCCESS) {
      if (word != "exists") errors_.add(at, "Must be an integer (0 = must not exist) or \"exists\".");
    } else if (const auto last = take_integer(field.value, at, 0, std::numeric_limits<std::int64_t>::max(), errors_)) {
      entry.last = SequenceNumber{*last};
    }
    seen |= bit;
  }
  if ((seen & 1U) == 0) errors_.add(pointer + "/aggregateId", "The member is required.");
  if ((seen & 2U) == 0) errors_.add(pointer + "/lastSequenceNumber", "The member is required.");
}

void ConditionParser::match(const dom::object& object, const std::string& pointer) {
  const std::size_t values_before = values_;
  EventMatch& wanted = to_.fail_if_events_match.emplace_back();
  for (const auto field : object) {
    const std::string at = pointer + member_pointer(field.key);
    std::vector<std::string>* const list = field.key == "eventTypes"       ? &wanted.event_types
                                           : field.key == "aggregateTypes" ? &wanted.aggregate_types
                                           : field.key == "aggregateIds"   ? &wanted.aggregate_ids
                                           : field.key == "userIds"        ? &wanted.user_ids
                                           : field.key == "tags"           ? &wanted.tags
                                                                           : nullptr;
    dom::array values;
    if (list == nullptr) {
      errors_.add(at, "There is no such member.");
    } else if (!list->empty()) {
      errors_.add(at, "The member stands twice.");
    } else if (field.value.get(values) != simdjson::SUCCESS || values.begin() == values.end()) {
      errors_.add(at, "Must be a list of strings that is not empty.");
    } else {
      const std::size_t bytes_max =
          list == &wanted.tags ? std::min(limits_.string_bytes_max, kTagBytesMax) : limits_.string_bytes_max;
      std::size_t index = 0;
      for (const dom::element value : values) {
        const std::string place = at + '/' + std::to_string(index++);
        if (!count(place)) return;
        (void)take_text(value, place, bytes_max, errors_, list->emplace_back());
      }
    }
  }
  if (values_ == values_before) (void)count(pointer);  // an entry that all events match costs something as well
}

}  // namespace stele::api

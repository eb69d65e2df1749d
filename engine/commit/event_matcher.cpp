#include "engine/commit/event_matcher.h"

#include <algorithm>
#include <utility>

namespace stele {

/// Looks at records one after the other: which lists of which entries does the one at hand meet?
struct EventMatcher::Scan {
  explicit Scan(const EventMatcher& matcher) : of(matcher), met(matcher.entries_.size()) {}

  /// Once for each of a record's values. It has at most one of each kind, and an entry has one list of each kind; but
  /// each tag of a record is a value, and each of an entry a list.
  void has(std::uint32_t number) {
    const Value& value = of.values_[number];
    default_type = default_type || value.is_default_type;
    for (const std::uint32_t entry : value.entries) {
      if (met[entry]++ == 0) touched.push_back(entry);
    }
  }
  /// Whether the record matches; then begins another one.
  [[nodiscard]] bool finish(bool is_visible) {
    bool matches = (of.all_match_ && is_visible) || (of.default_types_match_ && default_type);
    for (const std::uint32_t number : touched) {
      const Entry& entry = of.entries_[number];
      matches = matches || (met[number] == entry.lists && (!entry.has_default_types || default_type));
      met[number] = 0;
    }
    touched.clear();
    default_type = false;
    return matches;
  }

  const EventMatcher& of;
  std::vector<std::uint32_t> met;  // lists of each entry
  std::vector<std::uint32_t> touched;
  bool default_type = false;
};

EventMatcher::EventMatcher(const Condition& condition) {
  for (const std::string& type : condition.default_aggregate_types)
    value(KeyKind::AggregateType, type).is_default_type = true;
  for (const EventMatch& match : condition.fail_if_events_match) {
    add(match, match.aggregate_types.empty() && !condition.default_aggregate_types.empty());
  }
}

EventMatcher::Value& EventMatcher::value(KeyKind kind, std::string_view text) {
  const Key key{kind, text};
  if (const std::uint32_t* known = numbers_.find(key)) return values_[*known];
  numbers_.set(key, static_cast<std::uint32_t>(values_.size()));
  return values_.emplace_back(Value{.key = key});
}

void EventMatcher::add(const EventMatch& match, bool has_default_types) {
  const auto number = static_cast<std::uint32_t>(entries_.size());
  Entry& entry = entries_.emplace_back(Entry{.has_default_types = has_default_types});
  const auto take = [&](KeyKind kind, const std::vector<std::string>& list) {
    if (list.empty()) return;
    ++entry.lists;
    for (const std::string& text : list) {
      std::vector<std::uint32_t>& entries = value(kind, text).entries;
      if (entries.empty() || entries.back() != number) entries.push_back(number);  // a text may stand twice in a list
    }
  };
  take(KeyKind::EventType, match.event_types);
  take(KeyKind::AggregateType, match.aggregate_types);
  take(KeyKind::Aggregate, match.aggregate_ids);
  take(KeyKind::User, match.user_ids);
  for (const std::string& tag : match.tags) {
    std::vector<std::uint32_t>& entries = value(KeyKind::Tag, tag).entries;
    if (!entries.empty() && entries.back() == number) continue;  // a tag may stand twice as well
    entries.push_back(number);
    ++entry.lists;
  }
  if (entry.lists == 0) (has_default_types ? default_types_match_ : all_match_) = true;
}

void EventMatcher::find(std::span<const RecordHeader> records, Position begin, std::size_t limit,
                        std::vector<Position>& to) const {
  if (!records.empty() && begin > records.front().position) {
    records = records.subspan(std::min<std::uint64_t>(begin.since(records.front().position), records.size()));
  }
  if (records.empty()) return;
  Scan scan(*this);
  for (const RecordHeader& record : records) {
    if (to.size() >= limit) return;
    const auto look_up = [&](KeyKind kind, std::optional<std::string_view> text) {
      const std::uint32_t* const number = text ? numbers_.find(Key{kind, *text}) : nullptr;
      if (number != nullptr) scan.has(*number);
    };
    // The lists of the other kinds do not hold the store's own records.
    const bool is_visible = !is_system(record);
    look_up(KeyKind::Aggregate, record.aggregate_id);
    if (is_visible) {
      look_up(KeyKind::EventType, record.event_type);
      look_up(KeyKind::AggregateType, record.aggregate_type);
      look_up(KeyKind::User, record.user_id);
      for (const std::string_view tag : record.tags) look_up(KeyKind::Tag, tag);
    }
    if (scan.finish(is_visible)) to.push_back(record.position);
  }
}

void EventMatcher::find(const MemoryLink& newest, Position begin, std::size_t limit, std::vector<Position>& to) const {
  Scan scan(*this);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> had;  // ordinal of a record, number of a value that it has
  for (const MemoryLink* link = &newest; link != nullptr && to.size() < limit; link = link->next.get()) {
    const Memtable& part = *link->part;
    const Position end = part.end();
    if (begin >= end) continue;
    const auto from = static_cast<std::uint32_t>(begin > part.first() ? begin.since(part.first()) : 0);
    if (all_match_) {
      const auto hidden = part.ordinals_as_inserter(KeyKind::System, system_key(SystemKey::All).text);
      auto next_hidden = std::lower_bound(hidden.begin(), hidden.end(), from);
      const auto count = static_cast<std::uint32_t>(end.since(part.first()));
      for (std::uint32_t ordinal = from; ordinal < count && to.size() < limit; ++ordinal) {
        if (next_hidden != hidden.end() && *next_hidden == ordinal) {
          ++next_hidden;
        } else {
          to.push_back(part.first().plus(ordinal));
        }
      }
      continue;
    }
    had.clear();
    for (std::uint32_t number = 0; number < values_.size(); ++number) {
      const Key& key = values_[number].key;
      const auto ordinals = part.ordinals_as_inserter(key.kind, key.text);
      for (auto at = std::lower_bound(ordinals.begin(), ordinals.end(), from); at != ordinals.end(); ++at) {
        had.emplace_back(*at, number);
      }
    }
    std::sort(had.begin(), had.end());
    for (auto at = had.begin(); at != had.end() && to.size() < limit;) {
      const std::uint32_t ordinal = at->first;
      for (; at != had.end() && at->first == ordinal; ++at) scan.has(at->second);
      if (scan.finish(true)) to.push_back(part.first().plus(ordinal));
    }
  }
}

}  // namespace stele

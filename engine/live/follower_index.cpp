#include "engine/live/follower_index.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "engine/index/event_filter.h"

namespace stele {

namespace {

/// Of the values of one member, of which a record has one, or which are all in the record: each record meets a follower
/// once at most.
struct FollowerTerm {
  KeyKind kind;
  std::span<const std::string> texts;
};

std::optional<FollowerTerm> term_of(const EventQuery& query) {
  const auto one = [](KeyKind kind, const std::string& text) { return FollowerTerm{kind, {&text, 1}}; };
  if (query.aggregate_id) return one(KeyKind::Aggregate, *query.aggregate_id);
  if (!query.aggregate_ids.empty()) return FollowerTerm{KeyKind::Aggregate, query.aggregate_ids};
  if (query.correlation_id) return one(KeyKind::Correlation, *query.correlation_id);
  if (!query.tags.empty()) return one(KeyKind::Tag, query.tags.front());
  if (!query.event_types.empty()) return FollowerTerm{KeyKind::EventType, query.event_types};
  if (query.user_id) return one(KeyKind::User, *query.user_id);
  if (query.aggregate_type) return one(KeyKind::AggregateType, *query.aggregate_type);
  if (!query.aggregate_types.empty()) return FollowerTerm{KeyKind::AggregateType, query.aggregate_types};
  return std::nullopt;
}

}  // namespace

void FollowerIndex::add(const std::shared_ptr<FollowerSeat>& seat) {
  ++count_;
  try {
    put_in(seat);
  } catch (...) {
    remove(seat);
    throw;
  }
}

void FollowerIndex::put_in(const std::shared_ptr<FollowerSeat>& seat) {
  if (const auto term = term_of(seat->query)) {
    Lists& lists = by_term_[static_cast<std::size_t>(term->kind)];
    for (const std::string& text : term->texts) {
      Seats& seats = lists[text];
      if (seats.empty() || seats.back() != seat) seats.push_back(seat);  // a text may stand twice in a query
    }
  } else {
    by_nothing_.push_back(seat);
  }
}

void FollowerIndex::remove(const std::shared_ptr<FollowerSeat>& seat) {
  const auto take_out = [&](Seats& seats) {
    const auto found = std::find(seats.begin(), seats.end(), seat);
    if (found == seats.end()) return;
    std::swap(*found, seats.back());
    seats.pop_back();
  };
  if (const auto term = term_of(seat->query)) {
    Lists& lists = by_term_[static_cast<std::size_t>(term->kind)];
    for (const std::string& text : term->texts) {
      const auto list = lists.find(text);
      if (list == lists.end()) continue;
      take_out(list->second);
      if (list->second.empty()) lists.erase(list);
    }
  } else {
    take_out(by_nothing_);
  }
  --count_;
}

void FollowerIndex::clear() {
  for (Lists& lists : by_term_) lists.clear();
  by_nothing_.clear();
  count_ = 0;
}

void FollowerIndex::find(const RecordHeader& header, Seats& to) const {
  const auto take = [&](const Seats& seats) {
    for (const auto& seat : seats) {
      if (matches(seat->query, header)) to.push_back(seat);
    }
  };
  const auto look_up = [&](KeyKind kind, const std::optional<std::string_view>& text) {
    const Lists& lists = by_term_[static_cast<std::size_t>(kind)];
    if (!text || lists.empty()) return;
    const auto list = lists.find(*text);
    if (list != lists.end()) take(list->second);
  };
  look_up(KeyKind::Aggregate, header.aggregate_id);
  look_up(KeyKind::EventType, header.event_type);
  look_up(KeyKind::AggregateType, header.aggregate_type);
  look_up(KeyKind::User, header.user_id);
  look_up(KeyKind::Correlation, header.correlation_id);
  for (const std::string_view tag : header.tags) look_up(KeyKind::Tag, tag);
  take(by_nothing_);
}

}  // namespace stele

#include "engine/commit/resolution.h"

#include <algorithm>
#include <chrono>

#include "engine/base/read_budget.h"
#include "engine/index/position_stream.h"

namespace stele {
namespace {

/// On a disk that is slow.
constexpr std::chrono::seconds kConditionTimeMax{5};

/// A condition of more values takes its time even in memory.
constexpr std::size_t kValuesAtOnceMax = 64;

std::unique_ptr<PositionStream> any_of(KeyKind kind, const std::vector<std::string>& keys, StreamRange range) {
  std::vector<std::unique_ptr<PositionStream>> choices;
  for (const std::string& key : keys) choices.push_back(positions_with(range, IndexKey{kind, key}));
  return union_of(range.direction, std::move(choices));
}

std::unique_ptr<PositionStream> stream_of(const EventMatch& match, StreamRange range) {
  std::vector<std::unique_ptr<PositionStream>> terms;
  const auto add = [&](KeyKind kind, const std::vector<std::string>& keys) {
    if (!keys.empty()) terms.push_back(any_of(kind, keys, range));
  };
  add(KeyKind::Aggregate, match.aggregate_ids);
  add(KeyKind::EventType, match.event_types);
  add(KeyKind::AggregateType, match.aggregate_types);
  add(KeyKind::User, match.user_ids);
  for (const std::string& tag : match.tags) terms.push_back(positions_with(range, IndexKey{KeyKind::Tag, tag}));
  return terms.empty() ? visible_positions(range) : intersection_of(range, std::move(terms));
}

/// Of what the entries have in common there is one stream, not one for each of them.
std::unique_ptr<PositionStream> stream_of(const Condition& condition, StreamRange range) {
  std::vector<std::unique_ptr<PositionStream>> choices, of_default_types;
  for (const EventMatch& match : condition.fail_if_events_match) {
    const bool has_types = !match.aggregate_types.empty() || condition.default_aggregate_types.empty();
    (has_types ? choices : of_default_types).push_back(stream_of(match, range));
  }
  if (!of_default_types.empty()) {
    std::vector<std::unique_ptr<PositionStream>> terms;
    terms.push_back(union_of(range.direction, std::move(of_default_types)));
    terms.push_back(any_of(KeyKind::AggregateType, condition.default_aggregate_types, range));
    choices.push_back(intersection_of(range, std::move(terms)));
  }
  return union_of(range.direction, std::move(choices));
}

/// Matching positions in [begin, end), by the index alone, ascending, at most kConflictsMax: fewer if more cannot be
/// found with so much work. TooLarge if not even one can.
Result<std::vector<Position>> find_matches(const Condition& condition, const IndexView& view, Position begin,
                                           Position end, std::uint64_t work_max) {
  std::vector<Position> found;
  ReadBudget budget({.records = work_max, .time = kConditionTimeMax});
  const auto stream = stream_of(condition, StreamRange{&view, begin, end, Direction::Ascending, &budget});
  for (Position from = begin; found.size() < kConflictsMax; from = found.back().next()) {
    STELE_ASSIGN(const std::optional<Position> at, stream->seek(from));
    if (budget.used_up() && found.empty()) {
      return Error{.kind = ErrorKind::TooLarge, .message = "looking for matching events takes too much work"};
    }
    if (budget.used_up() || !at) break;
    found.push_back(*at);
  }
  return found;
}

/// The memtable answers for what it has, whenever it is asked.
Result<std::optional<AggregateHead>> head_before_newest(const IndexView& view, std::string_view aggregate_id,
                                                        DiskWait wait) {
  if (view.newest().has_aggregate(aggregate_id)) return std::optional<AggregateHead>{};
  return view.sealed_head(aggregate_id, wait);
}

}  // namespace

Position begin_of(const Condition& condition) {
  // Position 0 is the genesis record, which is no event.
  return condition.after ? std::max(condition.after->next(), Position{1}) : Position{1};
}

Result<Resolution> resolve(const Proposal& proposal, const IndexSet::Snapshot& index, Position durable_end,
                           DiskWait wait, std::uint64_t condition_work_max) {
  const IndexView& view = *index.view;
  Resolution resolution;
  resolution.newest = index.newest;
  resolution.checked_end = std::max(durable_end, view.sealed_end());
  if (view.part_count() > 1) {
    const std::size_t events = proposal.events.size();
    const auto prefetch = [&](std::size_t i) {
      if (i < events) view.prefetch_sealed(proposal.events[i].event_id, proposal.events[i].aggregate_id);
    };
    prefetch(0);
    for (std::size_t i = 0; i < events; ++i) {
      prefetch(i + 1);
      STELE_ASSIGN(const std::optional<Position> duplicate, view.find_sealed_event(proposal.events[i].event_id, wait));
      if (!duplicate) continue;
      resolution.duplicates.resize(events);
      resolution.duplicates[i] = duplicate;
    }
    const std::size_t count = proposal.record_count();
    for (std::size_t i = 0; i < count; ++i) {
      STELE_ASSIGN(std::optional<AggregateHead> head, head_before_newest(view, proposal.record(i).aggregate_id, wait));
      if (head) {
        resolution.heads.resize(count);
        resolution.heads[i] = std::move(head);
      }
    }
    for (const AggregateCondition& condition : proposal.condition.aggregates) {
      STELE_ASSIGN(std::optional<AggregateHead> head, head_before_newest(view, condition.aggregate_id, wait));
      resolution.condition_heads.push_back(std::move(head));
    }
  }
  const Condition& condition = proposal.condition;
  if (condition.fail_if_events_match.empty()) return resolution;
  resolution.matcher.emplace(condition);
  const Position begin = begin_of(condition);
  if (begin >= resolution.checked_end) return resolution;
  const bool in_runs = !view.runs().empty() && begin < view.runs().back()->end();
  if (wait == DiskWait::Never && (in_runs || value_count(condition) > kValuesAtOnceMax)) {
    return Error{.kind = ErrorKind::WouldWait, .message = "the condition is about events on the disk"};
  }
  STELE_ASSIGN(resolution.conflicting,
               find_matches(condition, view, begin, resolution.checked_end, condition_work_max));
  return resolution;
}

}  // namespace stele

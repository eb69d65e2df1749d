#include "engine/commit/resolution.h"

#include <algorithm>

#include "engine/index/position_stream.h"

namespace stele {
namespace {

bool any_of(const std::vector<std::string>& wanted, std::optional<std::string_view> value) {
  return wanted.empty() || (value && std::find(wanted.begin(), wanted.end(), *value) != wanted.end());
}

std::unique_ptr<PositionStream> stream_of(const EventMatch& match, StreamRange range) {
  std::vector<std::unique_ptr<PositionStream>> terms;
  const auto add = [&](KeyKind kind, const std::vector<std::string>& keys) {
    if (keys.empty()) return;
    std::vector<std::unique_ptr<PositionStream>> choices;
    for (const std::string& key : keys) choices.push_back(positions_with(range, IndexKey{kind, key}));
    terms.push_back(union_of(range.direction, std::move(choices)));
  };
  add(KeyKind::Aggregate, match.aggregate_ids);
  add(KeyKind::EventType, match.event_types);
  add(KeyKind::AggregateType, match.aggregate_types);
  add(KeyKind::User, match.user_ids);
  return terms.empty() ? all_positions(range) : intersection_of(range.direction, std::move(terms));
}

}  // namespace

std::vector<Position> find_matches(const std::vector<EventMatch>& matches, const IndexView& view, Position begin,
                                   Position end) {
  // Position 0 is the genesis record, which is no event.
  const StreamRange range{&view, std::max(begin, Position{1}), end, Direction::Ascending};
  std::vector<Position> found;
  for (const EventMatch& match : matches) {
    const auto stream = stream_of(match, range);
    std::size_t own = 0;
    for (auto at = stream->seek(range.begin); at && own < kConflictsMax; at = stream->seek(at->next()), ++own) {
      found.push_back(*at);
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.size() > kConflictsMax) found.resize(kConflictsMax);
  return found;
}

bool matches_any(const std::vector<EventMatch>& matches, const RecordHeader& header) {
  return std::any_of(matches.begin(), matches.end(), [&](const EventMatch& match) {
    return any_of(match.event_types, header.event_type) && any_of(match.aggregate_types, header.aggregate_type) &&
           any_of(match.aggregate_ids, header.aggregate_id) && any_of(match.user_ids, header.user_id);
  });
}

Resolution resolve(const Proposal& proposal, const IndexView& view, Position durable_end) {
  Resolution resolution;
  resolution.sealed_end = view.sealed_end();
  resolution.checked_end = std::max(durable_end, view.sealed_end());
  if (!view.sealed().empty()) {
    for (const EventDraft& event : proposal.events) {
      resolution.duplicates.push_back(view.find_sealed_event(event.event_id));
      resolution.heads.push_back(view.sealed_head(event.aggregate_id));
    }
    for (const AggregateCondition& condition : proposal.condition.aggregates) {
      resolution.condition_heads.push_back(view.sealed_head(condition.aggregate_id));
    }
  }
  const Condition& condition = proposal.condition;
  if (!condition.fail_if_events_match.empty()) {
    const Position begin = condition.after ? condition.after->next() : Position{0};
    resolution.conflicting = find_matches(condition.fail_if_events_match, view, begin, resolution.checked_end);
  }
  return resolution;
}

}  // namespace stele

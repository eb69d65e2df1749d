#include "api/audit/redaction_scan.h"

#include <simdjson.h>

#include <utility>

#include "api/endpoint/own_events.h"

namespace stele::api {

namespace {

constexpr std::size_t kTargetsAtOnce = 64U << 10;
constexpr std::size_t kRecordsALook = 512;
constexpr std::string_view kStatesPrefix = "$snapshot/";

/// The sequence number up to which a client has folded; none if that cannot be told.
std::optional<std::uint64_t> folded_up_to(const Record& record) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::uint64_t sequence = 0;
  if (parser.parse(std::string(record.body().data.value_or(""))).get(root) != simdjson::SUCCESS ||
      root["sequenceNumber"].get(sequence) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return sequence;
}

}  // namespace

RedactionScan::RedactionScan(const Store& store, const RedactionOrder& order, KeptRecords kept)
    : store_(store),
      order_(order),
      kept_(std::move(kept)),
      states_(own_aggregate_id(kStatesPrefix, order.aggregate_id)),
      stage_(order.record ? Stage::Record : Stage::Aggregate),
      after_(order.after) {}

void RedactionScan::take(const Record& record, BodyMemberSet members, bool is_state, Found& found,
                         std::vector<RedactionTarget>& to) {
  if (order_.is_of_retention() && record.header().kind != RecordKind::Action) return;
  const BodyMemberSet there = members.common(record.members()).without(record.redacted_members());
  if (there.empty()) {
    ++found.unchanged;
    return;
  }
  if (const Kept kept = kept_.none() ? Kept::No : kept_.of(record.header()); kept != Kept::No) {
    return leave(record.header(), kept, found);
  }
  ++(is_state ? found.client_states : found.events);
  found.members += there.size();
  for (const BodyMember member : kBodyMembers) {
    if (there.has(member)) found.bytes += record.bytes_of(member)->size();
  }
  to.push_back({record.header().position, there});
}

void RedactionScan::leave(const RecordHeader& header, Kept kept, Found& found) {
  if (!found.first_kept) found.first_kept = header.position;
  if (kept == Kept::Held) {
    ++found.held;
    for (std::string& name : kept_.holds_of(header)) {
      if (found.holds.size() < kHoldNamesMax) found.holds.insert(std::move(name));
    }
    return;
  }
  ++found.retained;
  const Timestamp until = kept_.retained_until(header);
  if (!found.retained_until || until > *found.retained_until) found.retained_until = until;
}

Status RedactionScan::read_record(Position position, Found& found, std::vector<RedactionTarget>& to,
                                  std::vector<Position>& seen) {
  Record record;
  STELE_TRY(store_.view()->read(position, record));
  seen.push_back(position);
  take(record, order_.members, false, found, to);
  return {};
}

Status RedactionScan::read_aggregate(Found& found, std::vector<RedactionTarget>& to, std::vector<Position>& seen,
                                     const std::function<bool()>& gone) {
  const bool are_states = stage_ == Stage::States;
  EventQuery query;
  query.aggregate_id = are_states ? states_ : order_.aggregate_id;
  query.include_system = true;
  query.after = after_;
  if (!are_states) query.before = order_.through.next();
  const auto view = store_.view();
  STELE_ASSIGN(const std::unique_ptr<EventStream> stream, view->query(query));
  Record record;
  for (std::size_t looked = 0; to.size() < kTargetsAtOnce && seen.size() < kTargetsAtOnce; ++looked) {
    if (looked % kRecordsALook == 0 && gone && gone()) {
      return Error{.kind = ErrorKind::Closed, .message = "nobody waits for it any more"};
    }
    STELE_ASSIGN(const bool more, stream->next(record));
    if (!more) {
      stage_ = are_states ? Stage::Done : Stage::States;
      after_.reset();
      return {};
    }
    after_ = record.header().position;
    seen.push_back(*after_);
    if (are_states && order_.record) {
      const auto sequence = folded_up_to(record);
      if (sequence && *sequence < order_.sequence.value()) continue;
    }
    take(record, are_states ? BodyMemberSet::all() : order_.members, are_states, found, to);
  }
  return {};
}

Result<std::vector<RedactionTarget>> RedactionScan::next(Found& found, std::vector<Position>& seen,
                                                         const std::function<bool()>& gone) {
  std::vector<RedactionTarget> targets;
  while (targets.empty() && stage_ != Stage::Done) {
    seen.clear();
    if (stage_ == Stage::Record) {
      STELE_TRY(read_record(*order_.record, found, targets, seen));
      stage_ = Stage::States;
    } else {
      STELE_TRY(read_aggregate(found, targets, seen, gone));
    }
  }
  return targets;
}

}  // namespace stele::api

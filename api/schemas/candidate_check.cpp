#include "api/schemas/candidate_check.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "api/access/principal.h"
#include "api/endpoint/own_events.h"
#include "api/endpoint/store_refusal.h"
#include "api/schemas/registered_upcasts.h"
#include "api/schemas/schema_event.h"

namespace stele::api {

CandidateCheck::Step CandidateCheck::step(const std::function<bool()>& abandoned) {
  refusal_.reset();
  if (!registry_.catch_up(position_)) return Step::Later;
  const auto all = registry_.now();
  const EventTypeSchemas* const type = all->find(event_type_);
  if (type == nullptr || !type->candidate || type->candidate->position != position_) return Step::Ended;
  if (reason_.empty() && !history_ && !begin(*type)) reason_ = kFailed;
  if (!reason_.empty() || is_whole_) return store(*all, *type);
  const auto looked = history_->look(*store_.view_until(position_), abandoned);
  if (looked && *looked == SchemaHistory::Outcome::Busy) {
    if (++times_busy_ < kTimesBusyMax) return Step::Later;
    reason_ = kFailed;
    return Step::More;
  }
  times_busy_ = 0;
  if (!looked) {
    reason_ = kFailed;
  } else if (*looked == SchemaHistory::Outcome::Whole) {
    is_whole_ = true;
    if (history_->failed() > 0) reason_ = kRefused;
  }
  return Step::More;
}

bool CandidateCheck::begin(const EventTypeSchemas& type) {
  const SchemaVersion& candidate = *type.candidate;
  Record record;
  if (!store_.view()->read(position_, record)) return false;
  auto text = registered_text(record);
  auto compiled = registry_.compiled(candidate);
  if (!text || !compiled) return false;
  text_ = std::move(*text);
  principal_ = record.header().principal.value_or("");
  correlation_ = record.header().correlation_id.value_or("");
  const bool concerns_all = !type.in_force() || candidate.upcaster != nullptr;
  history_.emplace(event_type_, std::move(*compiled),
                   SchemaHistory::Wanted{.version = concerns_all ? std::nullopt : std::optional(candidate.version)});
  if (candidate.upcaster != nullptr) {
    history_->upcast_to(candidate.version, chains_with(event_type_, type, candidate.upcaster, registry_.runtime()));
  }
  return true;
}

CandidateCheck::Step CandidateCheck::store(const RegisteredSchemas& all, const EventTypeSchemas& type) {
  using Kind = AppendOutcome::Kind;
  const SchemaVersion& candidate = *type.candidate;
  std::string data;
  if (reason_.empty()) {
    // Of the events behind the candidate none has a higher version.
    const std::uint32_t unchecked =
        type.in_force() ? type.unchecked_version_max : std::max(history_->version_max(), candidate.version);
    data = registered_data(event_type_, candidate.version, candidate.state == SchemaVersion::State::Active, unchecked,
                           text_, candidate.upcaster.get());
  } else {
    data = dropped_data(event_type_, candidate.version, reason_, history());
  }
  // Whoever wanted it has done it.
  const Caller author(principal_.empty() ? nullptr : std::make_shared<const Principal>(Principal{.name = principal_}));
  Proposal proposal;
  proposal.events.push_back(own_event(own_aggregate_id(kSchemaPrefix, event_type_), std::string(kSchemaAggregateType),
                                      std::string(reason_.empty() ? kSchemaRegistered : kSchemaCandidateDropped),
                                      std::move(data), author, correlation_, clock_));
  proposal.schema_change = all.change;
  const AppendOutcome outcome = store_.append_and_wait(std::move(proposal));
  if (outcome.kind == Kind::Stored || outcome.kind == Kind::SchemaChanged) {
    if (outcome.kind == Kind::Stored) is_registered_ = reason_.empty();
    if (!registry_.catch_up(outcome.first)) return Step::Later;
    return outcome.kind == Kind::Stored ? Step::Ended : Step::More;
  }
  refusal_ = store_refusal(outcome.kind);
  return Step::Later;
}

}  // namespace stele::api

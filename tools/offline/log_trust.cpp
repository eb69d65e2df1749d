#include "tools/offline/log_trust.h"

#include <algorithm>

#include "api/audit/redaction_event.h"
#include "api/endpoint/own_events.h"
#include "engine/base/keyed_hash.h"

namespace stele::tools {

namespace {

/// Of what clients had folded from an aggregate: it goes with the aggregate's events.
constexpr std::string_view kClientStatesPrefix = "$snapshot/";

}  // namespace

void LogTrust::take(const Record& record) {
  keys_.take(record);
  if (record.header().aggregate_id.starts_with(api::kRedactionPrefix) &&
      record.header().event_type == api::kRedactionRequested) {
    if (const auto order = api::parse_redaction_order(record)) {
      if (order->record) {
        BodyMemberSet& members = record_orders_[order->record->value()];
        members = members.with(order->members);
      } else {
        aggregate_orders_[keyed_hash(order->aggregate_id)].push_back({order->through, order->members});
      }
      const std::string states = api::own_aggregate_id(kClientStatesPrefix, order->aggregate_id);
      aggregate_orders_[keyed_hash(states)].assign(1, {Position{UINT64_MAX}, BodyMemberSet::all()});
    }
  }
  const std::vector<api::LogKey>& all = keys_.all();
  while (is_trusted_.size() < all.size()) {
    const api::LogKey& key = all[is_trusted_.size()];
    // Who has endorsed it was there before.
    const bool is_endorsed = std::any_of(key.endorsers.begin(), key.endorsers.end(),
                                         [&](std::size_t endorser) { return is_trusted_[endorser]; });
    is_trusted_.push_back(is_endorsed || (trusted_ ? key.verifier == *trusted_ : key.endorsed));
  }
}

std::vector<NoteVerifier> LogTrust::keys_at(std::uint64_t size) const {
  if (!names_trusted()) return {*trusted_};
  std::vector<NoteVerifier> keys;
  const std::vector<api::LogKey>& all = keys_.all();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (is_trusted_[i] && all[i].signs_at(size)) keys.push_back(all[i].verifier);
  }
  return keys;
}

bool LogTrust::explains(const RedactedRecord& record) const {
  BodyMemberSet explained;
  if (const auto found = record_orders_.find(record.position.value()); found != record_orders_.end()) {
    explained = found->second;
  }
  if (const auto found = aggregate_orders_.find(record.aggregate); found != aggregate_orders_.end()) {
    for (const AggregateOrder& order : found->second) {
      if (record.position <= order.through) explained = explained.with(order.members);
    }
  }
  return record.members.without(explained).empty();
}

bool LogTrust::names_trusted() const {
  return !trusted_ || std::find(is_trusted_.begin(), is_trusted_.end(), true) != is_trusted_.end();
}

}  // namespace stele::tools

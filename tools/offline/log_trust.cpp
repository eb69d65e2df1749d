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
  keys_.take(record.header(), record.body().data.value_or(""));
  if (record.header().aggregate_id.starts_with(api::kRedactionPrefix) &&
      record.header().event_type == api::kRedactionRequested) {
    if (const auto order = api::parse_redaction_order(record)) {
      if (order->record) {
        BodyMemberSet& members = record_orders_[order->record->value()];
        members = members.with(order->members);
      } else {
        add({order->after.value_or(Position{0}), order->through, order->members},
            aggregate_orders_[keyed_hash(order->aggregate_id)]);
      }
      const std::string states = api::own_aggregate_id(kClientStatesPrefix, order->aggregate_id);
      aggregate_orders_[keyed_hash(states)].assign(1, {Position{0}, Position{UINT64_MAX}, BodyMemberSet::all()});
    }
  }
}

void LogTrust::add(const AggregateOrder& order, std::vector<AggregateOrder>& to) {
  // Those of the same members that meet are one: retention adds one every day.
  const auto same = std::find_if(to.begin(), to.end(), [&](const AggregateOrder& each) {
    return each.members == order.members && each.after <= order.through && order.after <= each.through;
  });
  if (same == to.end()) return to.push_back(order);
  same->after = std::min(same->after, order.after);
  same->through = std::max(same->through, order.through);
}

bool LogTrust::explains(const RedactedRecord& record) const {
  BodyMemberSet explained;
  if (const auto found = record_orders_.find(record.position.value()); found != record_orders_.end()) {
    explained = found->second;
  }
  if (const auto found = aggregate_orders_.find(record.aggregate); found != aggregate_orders_.end()) {
    for (const AggregateOrder& order : found->second) {
      if (record.position > order.after && record.position <= order.through) explained = explained.with(order.members);
    }
  }
  return record.members.without(explained).empty();
}

}  // namespace stele::tools

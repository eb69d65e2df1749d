#include "api/replay/snapshot_policies.h"

#include <simdjson.h>

#include <utility>

#include "api/endpoint/own_event_reader.h"
#include "api/endpoint/own_events.h"
#include "api/json/json_writer.h"

namespace stele::api {

namespace {

constexpr std::string_view kPolicyPrefix = "$snapshot-policy/";
constexpr std::string_view kPolicyType = "$snapshot-policy";
constexpr std::string_view kSet = "$SnapshotPolicySet";
constexpr std::string_view kRemoved = "$SnapshotPolicyRemoved";

}  // namespace

Status SnapshotPolicies::load(const ReadView& view) {
  return each_own_event(view, std::string(kPolicyPrefix), [this](const Record& record) { apply(record); });
}

void SnapshotPolicies::apply(const Record& record) {
  simdjson::dom::parser parser;
  simdjson::dom::element data;
  std::string_view type;
  if (parser.parse(std::string(record.body().data.value_or(""))).get(data) != simdjson::SUCCESS ||
      data["aggregateType"].get(type) != simdjson::SUCCESS) {
    return;
  }
  std::uint64_t every = 0, keep = 0;
  const std::unique_lock lock(mutex_);
  if (record.header().event_type == kRemoved) {
    policies_.erase(std::string(type));
  } else if (data["everyEvents"].get(every) == simdjson::SUCCESS && data["keep"].get(keep) == simdjson::SUCCESS) {
    policies_[std::string(type)] = {every, static_cast<std::uint32_t>(keep)};
  }
  any_ = !policies_.empty();
}

std::variant<bool, Problem> SnapshotPolicies::set(Store& store, const std::string& aggregate_type,
                                                  const std::optional<SnapshotPolicy>& policy, const ChangedBy& by,
                                                  const Clock& clock) {
  const std::lock_guard changing(changing_);
  const auto before = set_for(aggregate_type);
  if (before == policy) return false;
  if (!before && all().size() >= kPoliciesMax) {
    return Problem("too-many-policies", "There are at most " + std::to_string(kPoliciesMax) + " policies.");
  }
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("aggregateType").string(aggregate_type);
  if (policy) json.key("everyEvents").number(policy->every_events).key("keep").number(policy->keep);
  json.end_object();
  auto stored = append_own_event(
      store, own_event(own_aggregate_id(kPolicyPrefix, aggregate_type), std::string(kPolicyType),
                       std::string(policy ? kSet : kRemoved), std::move(data), by.caller, by.correlation, clock));
  if (auto* const problem = std::get_if<Problem>(&stored)) return std::move(*problem);
  const std::unique_lock lock(mutex_);
  if (policy) {
    policies_[aggregate_type] = *policy;
  } else {
    policies_.erase(aggregate_type);
  }
  any_ = !policies_.empty();
  return policy.has_value() && !before;
}

SnapshotPolicy SnapshotPolicies::policy_of(const std::optional<std::string>& aggregate_type) const {
  if (!aggregate_type || !any_) return default_;
  return set_for(*aggregate_type).value_or(default_);
}

std::optional<SnapshotPolicy> SnapshotPolicies::set_for(std::string_view aggregate_type) const {
  const std::shared_lock lock(mutex_);
  const auto found = policies_.find(aggregate_type);
  return found == policies_.end() ? std::nullopt : std::optional(found->second);
}

std::map<std::string, SnapshotPolicy, std::less<>> SnapshotPolicies::all() const {
  const std::shared_lock lock(mutex_);
  return policies_;
}

}  // namespace stele::api

#include "api/audit/kept_records.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "api/audit/action_draft.h"

namespace stele::api {

namespace {

/// None for what is no action: events have no class.
std::optional<ActionClass> class_of(const RecordHeader& header) {
  if (header.kind != RecordKind::Action) return std::nullopt;
  for (const ActionClass each : kActionClasses) {
    if (static_cast<std::uint8_t>(each) == header.retention_class) return each;
  }
  return std::nullopt;
}

}  // namespace

KeptRecords::KeptRecords(std::shared_ptr<const LegalHolds::Set> holds, const RedactionOrder& order,
                         const RetentionTimes& times, Timestamp now)
    : holds_(std::move(holds)),
      keeps_actions_(order.aggregate_id.starts_with(kActionPrefix) &&
                     times != RetentionTimes::all(std::chrono::microseconds{0})),
      times_(times),
      now_(now) {
  for (const auto& [name, hold] : *holds_) {
    if (hold->scope.concerns(order.aggregate_id, order.aggregate_type)) concerned_.push_back(hold.get());
  }
}

Kept KeptRecords::of(const RecordHeader& header) const {
  const auto keeps = [&](const LegalHold* hold) { return hold->scope.keeps(header); };
  if (std::any_of(concerned_.begin(), concerned_.end(), keeps)) return Kept::Held;
  return class_of(header) && retained_until(header) > now_ ? Kept::Retained : Kept::No;
}

std::vector<std::string> KeptRecords::holds_of(const RecordHeader& header) const {
  std::vector<std::string> names;
  for (const LegalHold* const hold : concerned_) {
    if (hold->scope.keeps(header)) names.push_back(hold->name);
  }
  return names;
}

Timestamp KeptRecords::retained_until(const RecordHeader& action) const {
  const auto retention = class_of(action);
  const std::int64_t time = retention ? times_.of(*retention).count() : 0;
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  return Timestamp{action.time.micros > kNever - time ? kNever : action.time.micros + time};
}

}  // namespace stele::api

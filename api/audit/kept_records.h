#pragma once
// Which records of an aggregate must not be redacted, by the rules as they were at one moment: legal holds first, then
// the time that actions are kept.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/audit/legal_holds.h"
#include "api/audit/redaction_event.h"
#include "api/endpoint/retention_times.h"

namespace stele::api {

enum class Kept : std::uint8_t {
  No,
  Held,      ///< by a legal hold
  Retained,  ///< an action that is younger than its class is kept
};

/// Cheap to copy.
class KeptRecords {
 public:
  /// Nothing is kept.
  KeptRecords() = default;
  /// Of what an order is about. Actions are kept for the time of their class.
  KeptRecords(std::shared_ptr<const LegalHolds::Set> holds, const RedactionOrder& order, const RetentionTimes& times,
              Timestamp now);

  /// Whether none is kept, whatever it is.
  [[nodiscard]] bool none() const { return concerned_.empty() && !keeps_actions_; }
  /// Of a record of the aggregate, or of a state of it that a client has stored.
  [[nodiscard]] Kept of(const RecordHeader& header) const;
  /// Names of holds that keep it.
  [[nodiscard]] std::vector<std::string> holds_of(const RecordHeader& header) const;
  /// Until when an action is kept by its class.
  [[nodiscard]] Timestamp retained_until(const RecordHeader& action) const;

 private:
  std::shared_ptr<const LegalHolds::Set> holds_;
  std::vector<const LegalHold*> concerned_;
  bool keeps_actions_ = false;
  RetentionTimes times_ = RetentionTimes::all(std::chrono::microseconds{0});
  Timestamp now_;
};

}  // namespace stele::api

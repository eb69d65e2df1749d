#pragma once
// Looks once a day which actions are older than their class is kept, and has their bodies removed, by redactions such
// as administrators ask for. Records, their places and hashes stay; events have no class, and are never touched.

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "api/audit/redaction_room.h"
#include "api/audit/retention_policy.h"
#include "api/endpoint/options.h"
#include "api/endpoint/subject_report.h"
#include "engine/base/clock.h"
#include "engine/redaction/redaction_gate.h"
#include "engine/store/store.h"

namespace stele::api {

/// Thread-safe.
class RetentionRoom {
 public:
  /// What it is made of must outlive it.
  RetentionRoom(Store& store, RedactionRoom& redactions, const RetentionPolicy& policy, const RedactionGate& gate,
                const RetentionSettings& settings, const Clock& clock);
  ~RetentionRoom();
  RetentionRoom(const RetentionRoom&) = delete;

  /// Looks now: asks for a redaction of each class that has bodies whose time is over, unless one is under way. False
  /// if one could not be asked for or the log could not be read. May take long; one call at a time works, the others
  /// wait.
  bool look();
  [[nodiscard]] SubjectReport report() const;

  /// Nothing more is asked for. Idempotent.
  void begin_shutdown();

 private:
  void run();
  [[nodiscard]] bool is_stopping() const;
  [[nodiscard]] bool look_at(ActionClass retention);
  [[nodiscard]] Result<std::optional<Position>> newest_over(const std::string& aggregate_id, Timestamp last) const;

  Store& store_;
  RedactionRoom& redactions_;
  const RetentionPolicy& policy_;
  const RedactionGate& gate_;
  const RetentionSettings settings_;
  const Clock& clock_;

  std::mutex looking_;
  /// By which what was left was looked at last, by class; none: not since the start.
  std::array<std::optional<std::uint64_t>, kActionClasses.size()> rules_{};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::uint64_t looks_ = 0, failed_looks_ = 0, asked_for_ = 0;
  std::optional<Timestamp> last_look_;
  std::thread thread_;
};

}  // namespace stele::api

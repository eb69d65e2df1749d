#pragma once
// Which keys may sign a log, and what was redacted in it by somebody who is named, as its own events say.

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/audit/key_trust.h"
#include "engine/log/record.h"
#include "engine/verify/log_notices.h"

namespace stele::tools {

/// Trusts keys as api::KeyTrust does.
class LogTrust final : public LogNotices {
 public:
  explicit LogTrust(std::optional<NoteVerifier> trusted) : keys_(std::move(trusted)) {}

  void take(const Record& record) override;
  [[nodiscard]] std::vector<NoteVerifier> keys_at(std::uint64_t size) const override { return keys_.keys_at(size); }
  [[nodiscard]] bool has_keys() const override { return keys_.has_keys(); }
  [[nodiscard]] bool explains(const RedactedRecord& record) const override;

  /// The log names the key that is trusted, or none was given.
  [[nodiscard]] bool names_trusted() const { return keys_.names_trusted(); }

 private:
  api::KeyTrust keys_;

  /// Of the records in (after, through].
  struct AggregateOrder {
    Position after;
    Position through;
    BodyMemberSet members;
  };
  static void add(const AggregateOrder& order, std::vector<AggregateOrder>& to);

  std::unordered_map<std::uint64_t, BodyMemberSet> record_orders_;                   // by position
  std::unordered_map<std::uint64_t, std::vector<AggregateOrder>> aggregate_orders_;  // by keyed_hash() of the id
};

}  // namespace stele::tools

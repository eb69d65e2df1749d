#pragma once
// Which keys may sign a log, as its own events say.

#include <optional>
#include <utility>
#include <vector>

#include "api/audit/log_keys.h"
#include "engine/verify/log_notices.h"

namespace stele::tools {

/// Trusts one key, and those that it has endorsed, and so on; not those that endorse it, which anybody can do. Without
/// a key to begin with it trusts what the log names: that proves nothing against whoever could write the log.
class LogTrust final : public LogNotices {
 public:
  explicit LogTrust(std::optional<NoteVerifier> trusted) : trusted_(std::move(trusted)) {}

  void take(const Record& record) override;
  [[nodiscard]] std::vector<NoteVerifier> keys_at(std::uint64_t size) const override;
  [[nodiscard]] bool has_keys() const override { return trusted_ || !keys_.all().empty(); }
  [[nodiscard]] bool explains(const RedactedRecord& record) const override;

  /// The log names the key that is trusted, or none was given.
  [[nodiscard]] bool names_trusted() const;

 private:
  const std::optional<NoteVerifier> trusted_;
  api::LogKeys keys_;
  std::vector<bool> is_trusted_;  // of keys_.all()
};

}  // namespace stele::tools

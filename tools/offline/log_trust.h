#pragma once
// Which keys may sign a log.

#include <optional>
#include <utility>
#include <vector>

#include "engine/verify/log_notices.h"

namespace stele::tools {

/// Trusts the one key that is given.
class LogTrust final : public LogNotices {
 public:
  explicit LogTrust(std::optional<NoteVerifier> trusted) : trusted_(std::move(trusted)) {}

  void take(const Record&) override {}
  [[nodiscard]] std::vector<NoteVerifier> keys_at(std::uint64_t) const override {
    return trusted_ ? std::vector{*trusted_} : std::vector<NoteVerifier>{};
  }
  [[nodiscard]] bool has_keys() const override { return trusted_.has_value(); }
  [[nodiscard]] bool explains(const RedactedRecord&) const override { return false; }

 private:
  const std::optional<NoteVerifier> trusted_;
};

}  // namespace stele::tools

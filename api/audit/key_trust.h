#pragma once
// Which of the keys that a log names may be believed, by whoever trusts one of them.

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "api/audit/log_keys.h"

namespace stele::api {

/// Trusts one key, and those that it has endorsed, and so on; not those that endorse it, which anybody can do. Without
/// a key to begin with it trusts what the log names: that proves nothing against whoever could write the log. Calls of
/// take() exclude all others.
class KeyTrust {
 public:
  explicit KeyTrust(std::optional<NoteVerifier> trusted) : trusted_(std::move(trusted)) {}

  /// As LogKeys::take().
  void take(const RecordHeader& header, std::string_view data);
  /// Those that may sign a tree of `size` leaves: the trusted one alone while the log does not name it.
  [[nodiscard]] std::vector<NoteVerifier> keys_at(std::uint64_t size) const;
  [[nodiscard]] bool has_keys() const { return trusted_ || !keys_.all().empty(); }
  /// The log names the key that is trusted, or none was given.
  [[nodiscard]] bool names_trusted() const;

 private:
  const std::optional<NoteVerifier> trusted_;
  LogKeys keys_;
  std::vector<bool> is_trusted_;  // of keys_.all()
};

}  // namespace stele::api

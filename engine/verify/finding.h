#pragma once
// What verifying a log has found, and what that comes to in one word.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.h"

namespace stele {

/// From the best to the worst: that of several findings is the last one.
enum class Verdict : std::uint8_t {
  Ok,
  Damaged,                ///< a checksum fails, a file was cut, or groups are missing
  RolledBack,             ///< whole, but it ends before a checkpoint that was signed: an older copy
  RedactedWithoutRecord,  ///< a member was taken out of a record, and the log does not say so
  Forged,                 ///< a checkpoint that no valid key has signed, or that contradicts another one
  Rewritten,              ///< the checksums hold, but it is not the log that was signed
};
inline constexpr std::size_t kVerdicts = 6;

/// `ok`, `damaged`, `rolled-back`, `redacted-without-record`, `forged`, `rewritten`.
[[nodiscard]] std::string_view verdict_name(Verdict verdict);

struct Finding {
  Verdict verdict = Verdict::Damaged;
  std::string text;                       ///< a sentence for people, without its full stop
  std::optional<Position> position{};     ///< of the record it is about, or the first of them
  std::string file{};                     ///< path, empty if it is about none
  std::optional<std::uint64_t> offset{};  ///< byte in that file
};

/// Keeps the first ones of each verdict and counts the others. One thread.
class Findings {
 public:
  static constexpr std::size_t kKeptOfEach = 20;

  void add(Finding finding);
  [[nodiscard]] Verdict verdict() const;
  /// Worst first, those of one verdict in the order in which they were found.
  [[nodiscard]] std::vector<Finding> list() const;
  [[nodiscard]] std::uint64_t count() const;
  /// How many of them are not in the list.
  [[nodiscard]] std::uint64_t left_out() const { return count() - list().size(); }

 private:
  std::array<std::vector<Finding>, kVerdicts> kept_;
  std::array<std::uint64_t, kVerdicts> counts_{};
};

}  // namespace stele

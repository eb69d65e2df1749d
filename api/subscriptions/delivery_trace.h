#pragma once
// The newest attempts of a subscription, for whoever asks why an event did not arrive. In memory: a restart forgets
// them.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "engine/base/ids.h"

namespace stele::api {

/// Whether two ascending lists have a position in common.
[[nodiscard]] bool have_common(std::span<const Position> a, std::span<const Position> b);

/// One attempt at one batch.
struct TracedAttempt {
  std::string batch_id;  ///< what a webhook was told as `webhook-id`
  std::vector<Position> positions;
  std::uint32_t attempt = 1;  ///< of this batch
  Timestamp time;             ///< when it began
  bool delivered = false;
  std::vector<Position> refused{};
  std::string error{};   ///< class of the failure; empty if delivered
  int status = 0;        ///< of HTTP; 0 = there was no answer
  std::string detail{};  ///< in words
  std::string answer{};  ///< its first KiB, any bytes
  std::chrono::milliseconds duration{0};
};

/// Not thread-safe.
class DeliveryTrace {
 public:
  static constexpr std::size_t kAttemptsMax = 100;
  static constexpr std::size_t kBytesMax = 64U << 10;  ///< of all of them, about; the oldest go

  void add(TracedAttempt attempt);
  /// Drops what receivers have said about attempts with any of these events (ascending): they may have repeated them.
  void forget_answers(std::span<const Position> events);
  /// Oldest first.
  [[nodiscard]] const std::deque<TracedAttempt>& attempts() const { return attempts_; }

 private:
  [[nodiscard]] static std::size_t bytes_of(const TracedAttempt& attempt);
  std::deque<TracedAttempt> attempts_;
  std::size_t bytes_ = 0;
};

}  // namespace stele::api

#pragma once
// Slows down addresses from which bad credentials keep coming.

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stele::api {

/// A token bucket an address, in a table of fixed size: addresses that meet in a place share it, IPv6 addresses of a
/// /64 always do. Only failures are counted, and slow down what would cost work to tell from another failure: whoever
/// shares an address or a place with an attacker is not locked out. Lock-free.
class AuthThrottle {
 public:
  static constexpr int kBurst = 20;  ///< failures that may come at once
  static constexpr std::int64_t kMicrosAFailure = 1'000'000;

  AuthThrottle();

  /// If there were too many failures of late, how many seconds to wait for the next try. Counts nothing.
  [[nodiscard]] std::optional<std::int64_t> must_wait(std::string_view address, std::int64_t monotonic_micros) const;
  /// Counts a failure; if there were too many of late, how many seconds to wait instead.
  [[nodiscard]] std::optional<std::int64_t> failed(std::string_view address, std::int64_t monotonic_micros);

 private:
  static constexpr std::size_t kPlaces = 8192;

  /// Microseconds until the bucket has room for one more failure, not more than 0 if it has; `next` is its state with
  /// that one.
  [[nodiscard]] static std::int64_t wait_for(std::int64_t full_at, std::int64_t now, std::int64_t& next);

  [[nodiscard]] std::size_t place_of(std::string_view address) const;

  const std::uint64_t seed_;  ///< so that nobody can aim at another's place
  /// When the bucket of this place is full again (the theoretical arrival time of GCRA); in the past: it is.
  std::array<std::atomic<std::int64_t>, kPlaces> full_at_;
};

}  // namespace stele::api

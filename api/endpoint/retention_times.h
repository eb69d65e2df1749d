#pragma once
// How long the bodies of actions are kept, by their class.

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "api/endpoint/audited_action.h"

namespace stele::api {

class RetentionTimes {
 public:
  /// Longer than anything.
  static constexpr std::chrono::microseconds kForever = std::chrono::microseconds::max();
  /// Of a time that is a duration.
  static constexpr std::chrono::microseconds kLeast = std::chrono::hours{24};
  static constexpr std::chrono::microseconds kMost = std::chrono::hours{24 * 36'500};

  [[nodiscard]] static RetentionTimes all(std::chrono::microseconds time) {
    RetentionTimes times;
    times.times_.fill(time);
    return times;
  }

  [[nodiscard]] std::chrono::microseconds of(ActionClass retention) const { return times_[index_of(retention)]; }
  void set(ActionClass retention, std::chrono::microseconds time) { times_[index_of(retention)] = time; }
  /// Of each class the longer one.
  [[nodiscard]] RetentionTimes longer(const RetentionTimes& other) const;
  bool operator==(const RetentionTimes&) const = default;

 private:
  [[nodiscard]] static std::size_t index_of(ActionClass retention) { return static_cast<std::size_t>(retention) - 1; }

  std::array<std::chrono::microseconds, kActionClasses.size()> times_{kForever, kForever, kForever, kForever};
};

/// `forever`, or a duration from kLeast to kMost. None for anything else.
[[nodiscard]] std::optional<std::chrono::microseconds> parse_retention_time(std::string_view text);
/// What parse_retention_time() reads as the same; `0` for no time at all.
[[nodiscard]] std::string format_retention_time(std::chrono::microseconds time);

}  // namespace stele::api

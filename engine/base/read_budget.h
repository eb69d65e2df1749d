#pragma once
// What one read may cost before it gives its thread to others, and how whoever wants no answer any more ends it early.

#include <chrono>
#include <cstdint>
#include <functional>

namespace stele {

struct ReadLimits {
  std::uint64_t records = 1ULL << 16;       ///< examined; looking for them in the index counts too, by what it costs
  std::chrono::microseconds time{100'000};  ///< does not end what has examined no more than kUntimedRecords
};

/// An ordinary page is whole, however slow the disk or busy the machine.
inline constexpr std::uint64_t kUntimedRecords = 256;

/// Counts the work of one read. The clock and `stopped` are asked only now and then, so that counting costs a
/// subtraction. Reads go at least one position (or one aggregate) further, however little is left. One thread.
class ReadBudget {
 public:
  /// `stopped` (may be empty) says that nobody waits for the read any more; called on the reading thread.
  explicit ReadBudget(ReadLimits limits, std::function<bool()> stopped = {});

  void spend(std::uint64_t work = 1) {
    until_look_ -= static_cast<std::int64_t>(work);
    if (until_look_ <= 0) look();
  }
  /// What was done last took long: look at the clock at the next work.
  void look_soon() {
    if (until_look_ <= 1) return;
    left_ += static_cast<std::uint64_t>(until_look_ - 1);
    until_look_ = 1;
  }
  /// Also when it was stopped.
  [[nodiscard]] bool used_up() const { return used_up_; }

 private:
  void begin_stretch();
  void look();

  const std::chrono::steady_clock::time_point end_;
  const std::function<bool()> stopped_;
  std::uint64_t left_;           ///< behind the stretch
  const std::uint64_t timed_;    ///< when so many are left, the time begins to count
  std::int64_t until_look_ = 0;  ///< the rest of the stretch
  bool used_up_ = false;
};

}  // namespace stele

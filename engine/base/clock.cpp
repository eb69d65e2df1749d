#include "engine/base/clock.h"

#include <time.h>

#include <chrono>

namespace stele {
namespace {

class SystemClock final : public Clock {
 public:
  Timestamp now() const override {
    using namespace std::chrono;
    return Timestamp{duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
  }
  std::int64_t monotonic_micros() const override {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace stele

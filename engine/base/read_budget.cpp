#include "engine/base/read_budget.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace stele {
namespace {

using Steady = std::chrono::steady_clock;
constexpr std::uint64_t kLookEvery = 64;
constexpr std::chrono::microseconds kTimeMax = std::chrono::hours{24};

}  // namespace

ReadBudget::ReadBudget(ReadLimits limits, std::function<bool()> stopped)
    : end_(Steady::now() + std::min(limits.time, kTimeMax)),
      stopped_(std::move(stopped)),
      left_(limits.records),
      timed_(limits.records - std::min(limits.records, kUntimedRecords)) {
  begin_stretch();
}

void ReadBudget::begin_stretch() {
  const std::uint64_t next = std::min(left_, kLookEvery);
  left_ -= next;
  until_look_ = static_cast<std::int64_t>(next);
}

void ReadBudget::look() {
  const auto over = static_cast<std::uint64_t>(-until_look_);
  left_ -= std::min(left_, over);
  if (left_ == 0 || (left_ <= timed_ && Steady::now() >= end_) || (stopped_ && stopped_())) used_up_ = true;
  if (used_up_) left_ = std::numeric_limits<std::uint64_t>::max();  // there is nothing more to find out
  begin_stretch();
}

}  // namespace stele

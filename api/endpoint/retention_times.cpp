#include "api/endpoint/retention_times.h"

#include <algorithm>

#include "api/json/duration.h"

namespace stele::api {

RetentionTimes RetentionTimes::longer(const RetentionTimes& other) const {
  RetentionTimes times;
  for (const ActionClass each : kActionClasses) times.set(each, std::max(of(each), other.of(each)));
  return times;
}

std::optional<std::chrono::microseconds> parse_retention_time(std::string_view text) {
  if (text == "forever") return RetentionTimes::kForever;
  const auto time = parse_duration(text, RetentionTimes::kMost);
  return time && *time >= RetentionTimes::kLeast ? time : std::nullopt;
}

std::string format_retention_time(std::chrono::microseconds time) {
  return time == RetentionTimes::kForever ? "forever" : format_duration(time);
}

}  // namespace stele::api

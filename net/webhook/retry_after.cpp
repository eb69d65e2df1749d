#include "net/webhook/retry_after.h"

#include <time.h>

#include <algorithm>
#include <string>

namespace stele::net {

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value, std::int64_t now_seconds) {
  const auto bounded = [](std::int64_t seconds) -> std::chrono::milliseconds {
    const std::int64_t max = std::chrono::duration_cast<std::chrono::seconds>(retry_after_max).count();
    return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, max));
  };
  if (value.empty() || value.size() > 64) return std::nullopt;
  if (std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    std::int64_t seconds = 0;
    for (const char c : value.substr(std::min(value.find_first_not_of('0'), value.size()))) {
      seconds = std::min<std::int64_t>(seconds * 10 + (c - '0'), 1'000'000'000);
    }
    return bounded(seconds);
  }
  const std::string text(value);
  // The names of days and months are those of the C locale, which this program never leaves.
  for (const char* const form : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    ::tm date{};
    const char* const end = ::strptime(text.c_str(), form, &date);
    if (end != nullptr && end == text.c_str() + text.size()) return bounded(::timegm(&date) - now_seconds);
  }
  return std::nullopt;
}

}  // namespace stele::net

#include "net/log/rate_limited_log.h"

#include "net/log/log.h"

namespace stele::net {

namespace {

struct CountedLine {
  LogLevel level;
  std::string_view name;  ///< of many of them
};

constexpr std::array kCountedLines{
    CountedLine{LogLevel::Warning, "connections refused"},
    CountedLine{LogLevel::Warning, "connections that could not be accepted"},
    CountedLine{LogLevel::Info, "requests refused"},
    CountedLine{LogLevel::Warning, "requests denied access"},
    CountedLine{LogLevel::Error, "requests failed"},
    CountedLine{LogLevel::Warning, "times that lines of the access log were dropped"},
};

}  // namespace

void RateLimitedLog::write(LogCause cause, std::int64_t now_ms, std::string_view message,
                           std::string_view detail) noexcept {
  const auto number = static_cast<std::size_t>(cause);
  if (!logs(kCountedLines[number].level)) return;
  if (limiters_[number].admit(now_ms)) log(kCountedLines[number].level, "{}{}", message, detail);
}

void RateLimitedLog::tell(std::size_t cause, std::uint64_t held_back) {
  if (held_back > 0) log(kCountedLines[cause].level, "… and {} more {}", held_back, kCountedLines[cause].name);
}

void RateLimitedLog::summarise(std::int64_t now_ms) {
  for (std::size_t i = 0; i < causes; ++i) tell(i, limiters_[i].take_held_back(now_ms));
}

void RateLimitedLog::summarise_all() {
  for (std::size_t i = 0; i < causes; ++i) tell(i, limiters_[i].take_all_held_back());
}

}  // namespace stele::net

#include "net/limited_log.h"

#include <spdlog/spdlog.h>

namespace stele::net {

namespace {

struct Kind {
  spdlog::level::level_enum level;
  std::string_view name;  ///< of many of them
};

constexpr std::array kKinds{
    Kind{spdlog::level::warn, "connections refused"},
    Kind{spdlog::level::warn, "connections that could not be accepted"},
    Kind{spdlog::level::info, "requests refused"},
    Kind{spdlog::level::warn, "requests denied access"},
    Kind{spdlog::level::err, "requests failed"},
    Kind{spdlog::level::warn, "times that lines of the access log were dropped"},
};

}  // namespace

void LimitedLog::write(LogCause cause, std::int64_t now_ms, std::string_view message, std::string_view detail) noexcept {
  const auto number = static_cast<std::size_t>(cause);
  if (!spdlog::should_log(kKinds[number].level)) return;
  if (limiters_[number].admit(now_ms)) spdlog::log(kKinds[number].level, "{}{}", message, detail);
}

void LimitedLog::tell(std::size_t cause, std::uint64_t held_back) {
  if (held_back > 0) spdlog::log(kKinds[cause].level, "… and {} more {}", held_back, kKinds[cause].name);
}

void LimitedLog::summarise(std::int64_t now_ms) {
  for (std::size_t i = 0; i < causes; ++i) tell(i, limiters_[i].take_held_back(now_ms));
}

void LimitedLog::summarise_all() {
  for (std::size_t i = 0; i < causes; ++i) tell(i, limiters_[i].take_all_held_back());
}

}  // namespace stele::net

#include "net/log/log_format.h"

#include <spdlog/details/log_msg.h>

#include <chrono>

#include "api/json/timestamp.h"
#include "net/log/log_escape.h"

namespace stele::net {

namespace {

Timestamp time_of(const spdlog::details::log_msg& message) {
  return Timestamp{std::chrono::duration_cast<std::chrono::microseconds>(message.time.time_since_epoch()).count()};
}

std::string_view view(spdlog::string_view_t text) { return {text.data(), text.size()}; }

}  // namespace

void LogFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& to) {
  const LogContext* const context = LogContext::current();
  const std::string_view level = view(spdlog::level::to_string_view(message.level));
  std::string line;
  if (format_ == LogFormat::Json) {
    line += "{\"time\":\"";
    line += api::format_timestamp(time_of(message));
    line.append("\",\"level\":\"").append(level).append("\",\"message\":");
    append_log_json(line, view(message.payload));
    if (context != nullptr) {
      for (const auto& [name, value] : *context) {
        line.append(",\"").append(name).append("\":");
        append_log_json(line, value);
      }
    }
    line += "}\n";
  } else {
    line += api::format_timestamp(time_of(message));
    line += ' ';
    message.color_range_start = line.size();
    line += level;
    message.color_range_end = line.size();
    line += ' ';
    append_log_text(line, view(message.payload));
    if (context != nullptr) {
      for (const auto& [name, value] : *context) {
        line.append(" ").append(name).append("=");
        append_log_word(line, value);
      }
    }
    line += '\n';
  }
  to.append(line.data(), line.data() + line.size());
}

}  // namespace stele::net

#include "net/log/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "engine/base/check.h"
#include "net/log/log_format.h"

namespace stele::net {
namespace {

thread_local const LogContext* current_context = nullptr;

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warning:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void set_up_log(const std::string& level, LogFormat format) {
  auto logger = spdlog::stderr_color_mt("stele");
  logger->set_formatter(std::make_unique<LogFormatter>(format));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

bool logs(LogLevel level) noexcept { return spdlog::should_log(spdlog_level(level)); }

void write_log(LogLevel level, std::string_view message) noexcept {
  try {
    spdlog::default_logger_raw()->log(spdlog_level(level), spdlog::string_view_t(message.data(), message.size()));
  } catch (...) {
    // Nobody is left who could be told.
  }
}

std::string log_line(LogLevel level, LogFormat format, std::string_view message) {
  spdlog::memory_buf_t line;
  LogFormatter(format).format(
      spdlog::details::log_msg("stele", spdlog_level(level), spdlog::string_view_t(message.data(), message.size())),
      line);
  return {line.data(), line.size()};
}

LogContext::LogContext(std::initializer_list<Field> fields) : outer_(current_context) {
  STELE_CHECK(fields.size() <= fields_max);
  for (const Field& field : fields) {
    if (!field.second.empty()) fields_[count_++] = field;
  }
  current_context = this;
}

LogContext::~LogContext() { current_context = outer_; }

const LogContext* LogContext::current() { return current_context; }

}  // namespace stele::net

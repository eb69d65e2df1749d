#pragma once
// The server's own log. Every line goes through here; what writes it (spdlog) is known to log.cpp and log_format.cpp
// alone, whose templates would otherwise be compiled again in each file that says a word.

#include <fmt/core.h>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace stele::net {

enum class LogFormat { Text, Json };
enum class LogLevel { Info, Warning, Error };

/// Lines of at least the level go to stderr from now on. Call it once, before other threads log. `level`: as
/// --log-level names it.
void set_up_log(const std::string& level, LogFormat format);

/// Whether a line of this level would be written.
[[nodiscard]] bool logs(LogLevel level) noexcept;
/// Writes the message as one line, whatever bytes are in it. A line that cannot be written, or for which there is no
/// memory, is lost. Thread-safe.
void write_log(LogLevel level, std::string_view message) noexcept;
/// What write_log() would write, with its end of line.
[[nodiscard]] std::string log_line(LogLevel level, LogFormat format, std::string_view message);

template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) noexcept {
  if (!logs(level)) return;
  try {
    write_log(level, fmt::vformat(format, fmt::make_format_args(args...)));
  } catch (...) {
    write_log(level, "a line could not be formatted");
  }
}

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) noexcept {
  log(LogLevel::Info, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) noexcept {
  log(LogLevel::Warning, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) noexcept {
  log(LogLevel::Error, format, std::forward<Args>(args)...);
}

/// What the lines that the current thread logs while this object lives are about: `name=value` behind the message, or
/// members of the JSON object. Names are those of the access log. Nested ones hide each other. Borrows the texts.
class LogContext {
 public:
  using Field = std::pair<std::string_view, std::string_view>;
  static constexpr std::size_t fields_max = 7;

  /// Fields with an empty value are left out.
  LogContext(std::initializer_list<Field> fields);
  ~LogContext();
  LogContext(const LogContext&) = delete;
  LogContext& operator=(const LogContext&) = delete;

  /// Of the calling thread; null if there is none.
  [[nodiscard]] static const LogContext* current();
  [[nodiscard]] const Field* begin() const { return fields_.data(); }
  [[nodiscard]] const Field* end() const { return fields_.data() + count_; }

 private:
  std::array<Field, fields_max> fields_;
  std::size_t count_ = 0;
  const LogContext* const outer_;
};

}  // namespace stele::net

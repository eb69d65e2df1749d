#pragma once
// The two forms of the server's log: lines for people, or one JSON object a line. Whatever is logged through spdlog's default logger
// comes out in one piece, because the formatter escapes it.

#include <spdlog/formatter.h>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace stele::net {

enum class LogFormat { Text, Json };

/// What the lines that the current thread logs while this object lives are about: `name=value` behind the message, or members of the JSON
/// object. Names are those of the access log. Nested ones hide each other. Borrows the texts.
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

/// For synchronous loggers, because it looks at the LogContext of the thread it runs on. Times are UTC.
class LogFormatter final : public spdlog::formatter {
 public:
  explicit LogFormatter(LogFormat format) : format_(format) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& to) override;
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LogFormatter>(format_); }

 private:
  const LogFormat format_;
};

}  // namespace stele::net

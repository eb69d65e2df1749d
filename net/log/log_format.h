#pragma once
// The two forms of the server's log: lines for people, or one JSON object a line. Whatever is logged through spdlog's
// default logger comes out in one piece, because the formatter escapes it.

#include <spdlog/formatter.h>

#include <memory>

#include "net/log/log.h"

namespace stele::net {

/// For synchronous loggers, because it looks at the LogContext of the thread it runs on. Times are UTC.
class LogFormatter final : public spdlog::formatter {
 public:
  explicit LogFormatter(LogFormat format) : format_(format) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& to) override;
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LogFormatter>(format_);
  }

 private:
  const LogFormat format_;
};

}  // namespace stele::net

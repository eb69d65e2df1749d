#include "net/log/access_log.h"

#include <fmt/core.h>
#include <spdlog/async.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstddef>
#include <iterator>
#include <utility>

#include "api/json/timestamp.h"
#include "engine/base/clock.h"
#include "net/log/line_file.h"
#include "net/log/log_escape.h"

namespace stele::net {

namespace {

/// A client may send more than anybody wants to read.
constexpr std::size_t kTextBytesMax = 1024;
constexpr std::string_view kStdout = "-";

std::string text_line(const AccessLog::Entry& entry) {
  std::string line = api::format_timestamp(system_clock().now());
  const auto word = [&](std::string_view text) {
    line += ' ';
    append_log_word(line, text.substr(0, kTextBytesMax));
  };
  word(entry.remote);
  word(entry.method);
  word(entry.path);
  fmt::format_to(std::back_inserter(line), " {} {} {}", entry.status, entry.bytes, entry.micros);
  word(entry.correlation_id);
  word(entry.request_id);
  const auto named = [&](std::string_view name, std::string_view text) {
    if (text.empty()) return;
    line.append(" ").append(name).append("=");
    append_log_word(line, text.substr(0, kTextBytesMax));
  };
  named("route", entry.route);
  named("problem", entry.problem);
  named("principal", entry.principal);
  if (entry.cut) line += " cut=true";
  named("traceId", entry.trace_id);
  named("spanId", entry.span_id);
  named("clientRequestId", entry.client_request_id);
  return line;
}

std::string json_line(const AccessLog::Entry& entry) {
  std::string line =
      "{\"time\":\"" + api::format_timestamp(system_clock().now()) + R"(","level":"info","message":"request")";
  const auto named = [&](std::string_view name, std::string_view text) {
    if (text.empty()) return;
    line.append(",\"").append(name).append("\":");
    append_log_json(line, text.substr(0, kTextBytesMax));
  };
  named("remote", entry.remote);
  named("method", entry.method);
  named("path", entry.path);
  named("route", entry.route);
  fmt::format_to(std::back_inserter(line), R"(,"status":{},"bytes":{},"micros":{})", entry.status, entry.bytes,
                 entry.micros);
  named("problem", entry.problem);
  named("principal", entry.principal);
  if (entry.cut) line += R"(,"cut":true)";
  named("requestId", entry.request_id);
  named("clientRequestId", entry.client_request_id);
  named("correlationId", entry.correlation_id);
  named("traceId", entry.trace_id);
  named("spanId", entry.span_id);
  line += '}';
  return line;
}

/// Used by the one thread of the queue, which makes the lines' bytes itself.
class LineSink final : public spdlog::sinks::sink {
 public:
  explicit LineSink(int fd) : file(fd) {}
  void log(const spdlog::details::log_msg& line) override { file.add({line.payload.data(), line.payload.size()}); }
  void flush() override { file.flush(); }
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

  LineFile file;
};

}  // namespace

struct AccessLog::Impl {
  std::string where;
  LogFormat format;
  std::shared_ptr<LineSink> sink;
  // The pool is a member so that it ends, and writes out its queue, with this object rather than with the process.
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

AccessLog::AccessLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AccessLog::~AccessLog() {
  try {
    impl_->logger->flush();
    impl_->pool.reset();  // writes out the queue and joins its thread, so that nobody else uses the sink below
    impl_->logger.reset();
  } catch (...) {  // a log that cannot be flushed must not end the process
  }
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& where, LogFormat format) {
  try {
    int fd = STDOUT_FILENO;
    if (where != kStdout) {
      STELE_ASSIGN(fd, LineFile::open(where, LineFile::Opening::First));
    }
    auto impl = std::make_unique<Impl>();
    impl->where = where;
    impl->format = format;
    impl->sink = std::make_shared<LineSink>(fd);
    impl->pool = std::make_shared<spdlog::details::thread_pool>(8192, 1);
    impl->logger = std::make_shared<spdlog::async_logger>("access", impl->sink, impl->pool,
                                                          spdlog::async_overflow_policy::overrun_oldest);
    impl->logger->set_level(spdlog::level::info);
    return std::unique_ptr<AccessLog>(new AccessLog(std::move(impl)));
  } catch (const std::exception& e) {
    return Error{ErrorKind::Io, std::string("cannot open the access log: ") + e.what(), 0, where};
  }
}

Status AccessLog::reopen() {
  if (impl_->where == kStdout) return {};
  STELE_ASSIGN(const int fd, LineFile::open(impl_->where, LineFile::Opening::Again));
  impl_->sink->file.go_on_in(fd);
  return {};
}

void AccessLog::write(const Entry& entry) noexcept {
  try {
    impl_->logger->info("{}", impl_->format == LogFormat::Json ? json_line(entry) : text_line(entry));
  } catch (...) {  // a lost line is better than a lost answer
  }
}

void AccessLog::flush() noexcept {
  try {
    impl_->logger->flush();
  } catch (...) {  // the next time, then
  }
}

std::uint64_t AccessLog::dropped() const noexcept {
  try {
    return impl_->pool->overrun_counter() + impl_->sink->file.dropped();
  } catch (...) {  // a lock that cannot be taken
    return 0;
  }
}

}  // namespace stele::net

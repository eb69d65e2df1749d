#include "net/access_log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace stele::net {

namespace {

/// What a client chose must not break a line, or a terminal.
std::string printable(std::string_view text) {
  std::string result(text.empty() ? std::string_view{"-"} : text.substr(0, 1024));
  std::replace_if(
      result.begin(), result.end(),
      [](char c) {
        const unsigned char u = static_cast<unsigned char>(c);
        return u <= 0x20 || u >= 0x7F || u == '"';
      },
      '?');
  return result;
}

}  // namespace

struct AccessLog::Impl {
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

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& where) {
  try {
    spdlog::sink_ptr sink;
    if (where == "-") {
      sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(where);
    }
    auto impl = std::make_unique<Impl>();
    impl->pool = std::make_shared<spdlog::details::thread_pool>(8192, 1);
    impl->logger = std::make_shared<spdlog::async_logger>("access", std::move(sink), impl->pool,
                                                          spdlog::async_overflow_policy::overrun_oldest);
    impl->logger->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ %v", spdlog::pattern_time_type::utc);
    impl->logger->set_level(spdlog::level::info);
    return std::unique_ptr<AccessLog>(new AccessLog(std::move(impl)));
  } catch (const std::exception& e) {
    return Error{ErrorKind::Io, std::string("cannot open the access log: ") + e.what(), 0, where};
  }
}

void AccessLog::write(const Entry& entry) noexcept {
  try {
    impl_->logger->info("{} {} {} {} {} {} {}", printable(entry.remote), printable(entry.method), printable(entry.path),
                        entry.status, entry.bytes, entry.micros, printable(entry.correlation_id));
  } catch (...) {  // a lost line is better than a lost answer
  }
}

void AccessLog::flush() noexcept {
  try {
    impl_->logger->flush();
  } catch (...) {  // the next time, then
  }
}

}  // namespace stele::net

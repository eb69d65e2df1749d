#pragma once
// One line a request. Written by a thread of its own from a bounded queue: when the disk is slower than the clients,
// the oldest lines are dropped, and nobody waits.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "net/log/log.h"

namespace stele::net {

class AccessLog {
 public:
  /// Texts may be empty, and may hold what a client sent.
  struct Entry {
    std::string_view method;
    std::string_view path;   ///< without the query, which may hold secrets
    std::string_view route;  ///< pattern
    int status = 0;
    std::uint64_t bytes = 0;  ///< of the body sent
    std::int64_t micros = 0;  ///< from the first byte of the request to the last of the answer
    std::string_view remote;
    std::string_view correlation_id;     ///< of the answer
    std::string_view request_id;         ///< ours
    std::string_view client_request_id;  ///< X-Request-Id as the client sent it
    std::string_view trace_id;           ///< of traceparent
    std::string_view span_id;            ///< of traceparent: the caller's
    std::string_view problem;            ///< slug
    std::string_view principal;          ///< who was authenticated
    bool cut = false;                    ///< the answer did not get to its end
  };

  /// `where`: "-" for stdout, else a file that is appended to. Io if it cannot be opened.
  [[nodiscard]] static Result<std::unique_ptr<AccessLog>> open(const std::string& where, LogFormat format);

  /// Writes what is queued.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// Any thread; never blocks, never throws.
  void write(const Entry& entry) noexcept;
  /// Makes what was written visible in the file soon. Any thread; never blocks, never throws.
  void flush() noexcept;
  /// Goes on in a new file of the same name, for the old one was moved away; lines so far are in the old one, or come
  /// whole in the new one. Does nothing for stdout. After an error it goes on in the file it has. Any thread; never
  /// waits for lines to be written.
  [[nodiscard]] Status reopen();
  /// Lines that were dropped since it was opened.
  [[nodiscard]] std::uint64_t dropped() const noexcept;

 private:
  struct Impl;
  explicit AccessLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stele::net

#pragma once
// What a SocketWorker needs to know of a protocol: how a request is written and where its reply ends. No I/O.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace stele::bench {

/// Reads the reply on a connection that has one request in flight. Bytes in, progress out.
class ReplyReader {
 public:
  enum class Progress {
    NeedMore,
    Done,    ///< status() and keep_alive() hold; reset() before the next reply
    Broken,  ///< not a reply this reader understands; close the connection
  };

  virtual ~ReplyReader() = default;
  /// Takes the next bytes of the connection. Bytes behind the end of the reply are Broken: nothing was asked for.
  virtual Progress feed(std::string_view bytes) = 0;
  virtual void reset() = 0;
  /// As in HTTP.
  [[nodiscard]] virtual int status() const = 0;
  [[nodiscard]] virtual bool keep_alive() const { return true; }
  /// What a refusal says, cut short.
  [[nodiscard]] virtual const std::string& error_text() const = 0;
};

/// One thread.
class Protocol {
 public:
  virtual ~Protocol() = default;
  /// What connection number `connection` sends ahead of its first request; the reader passes over the answer.
  [[nodiscard]] virtual std::string greeting(std::size_t connection) {
    static_cast<void>(connection);
    return {};
  }
  /// The most bytes of `room` that write_request() needs.
  [[nodiscard]] virtual std::size_t request_bytes_max() const = 0;
  /// Makes the next request of a connection somewhere in its `room` and says where it lies.
  virtual std::string_view write_request(std::size_t connection, std::span<char> room) = 0;
  [[nodiscard]] virtual std::unique_ptr<ReplyReader> make_reader() const = 0;
  /// The time that the next events carry.
  virtual void set_time(std::int64_t unix_micros) { static_cast<void>(unix_micros); }
};

}  // namespace stele::bench

#pragma once
// Reads HTTP/1.1 responses of a connection that has one request in flight. Bytes in, events out; no I/O.

#include <cstdint>
#include <string>
#include <string_view>

namespace stele::bench {

class ResponseReader {
 public:
  enum class Progress {
    NeedMore,
    Done,    ///< status() and keep_alive() hold; reset() before the next response
    Broken,  ///< not a response this reader understands; close the connection
  };

  /// Takes the next bytes of the connection. Bytes behind the end of the response are Broken: nothing was asked for.
  Progress feed(std::string_view bytes);
  void reset();

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] bool keep_alive() const { return keep_alive_; }
  /// The first bytes of the body of a response that is not 2xx.
  [[nodiscard]] const std::string& error_body() const { return error_body_; }

 private:
  /// The size of the header if `bytes` holds all of it, 0 if more is needed; sets status_, body_left_ and keep_alive_.
  std::size_t parse_header(std::string_view bytes);
  Progress take_body(std::string_view bytes);

  std::string partial_header_;
  std::string error_body_;
  std::uint64_t body_left_ = 0;
  int status_ = 0;
  bool in_body_ = false;
  bool keep_alive_ = true;
  bool broken_ = false;
};

}  // namespace stele::bench

#pragma once
// From the bytes of a connection to its requests, one after the other: where the head ends, whether the body may come,
// and where it is kept. No I/O and no clock: whoever reads the socket puts bytes into room() and asks what to do next.

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "net/http/body_buffer.h"
#include "net/http/chunked_decoder.h"
#include "net/http/connection_budget.h"
#include "net/http/limits.h"
#include "net/http/request_head.h"

namespace stele::net {

/// A body that fits behind its head stays there and is parsed in place; others go to memory that is taken from the
/// budget of all connections. What a client sends ahead waits in the buffer. One thread.
class RequestReader {
 public:
  enum class Step {
    Read,      ///< read into room(), count it with received(), ask again
    Ask,       ///< head() is there; its body would take memory from others, or the client waits for leave to send it.
               ///< Ask again if somebody wants it, else skip_body()
    Continue,  ///< the client waits for a 100 before it sends the body; ask again afterwards
    Whole,     ///< head() and body() are a request
    Refused,   ///< refusal() says why; the connection has no further request
  };

  /// Both must outlive this.
  RequestReader(const HttpLimits& limits, ConnectionBudget& budget);
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  /// Turns to the next request. Nothing may refer to the one before any more: call end_request() first.
  void begin_request();
  /// Whether something of it has arrived.
  [[nodiscard]] bool has_begun();
  /// Call it once has_begun().
  [[nodiscard]] Step next();
  /// After Ask: from whose share of the budget the body is taken, and how long it may get if its length is unknown.
  void expect_body(std::string payer, std::size_t bytes_max) {
    large_body_.bill(std::move(payer));
    body_bytes_max_ = std::min(bytes_max, limits_.body_bytes_max);
  }
  /// After Ask: head() and an empty body() are the request, and no other can follow on the connection.
  void skip_body() { body_ = {buffer_.get() + body_begin_, 0}; }
  /// Whether the head is complete, so that it is the body that is missing.
  [[nodiscard]] bool is_in_body() const { return part_ != Part::Head; }
  /// Of the body, without what stands for its coding.
  [[nodiscard]] std::size_t body_bytes_received() const;

  [[nodiscard]] boost::asio::mutable_buffer room();
  void received(std::size_t bytes);
  /// Room for bytes that nobody will look at, after the last request.
  [[nodiscard]] boost::asio::mutable_buffer scrap() { return {buffer_.get(), capacity_}; }

  // Until end_request():
  [[nodiscard]] const RequestHead& head() const { return head_; }
  /// What has been read behind it.
  [[nodiscard]] std::string_view behind() const { return {buffer_.get() + request_end_, end_ - request_end_}; }
  /// Has BodyBuffer::padding readable bytes behind it.
  [[nodiscard]] std::string_view body() const { return body_; }
  /// Value of a field, name in any case; empty if absent. Repeated fields are joined with ", ".
  [[nodiscard]] std::string_view header(std::string_view name) const;
  [[nodiscard]] bool has_header(std::string_view name) const;
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }
  /// The header will not be complete: makes what it tells of its origin known.
  void give_up_head();
  /// Forgets the request, not what has been read behind it.
  void end_request();

  /// Gives back memory that an idle connection does not need.
  void shed_buffers();

 private:
  enum class Part { Head, BodyAhead, BodyInPlace, LargeBody, ChunkedBody };

  Step read_head();
  Step find_and_parse_head();
  Step judge_body(std::size_t head_bytes);
  Step begin_body();
  Step read_body_in_place();
  Step read_large_body();
  Step read_chunked_body();
  Step whole(std::string_view body, std::size_t request_end);
  Step refuse(std::string_view slug, std::string detail);
  Step refuse_busy();
  Step refuse_too_large(std::size_t bytes_max);
  [[nodiscard]] std::string_view unread() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void compact();

  const HttpLimits& limits_;

  // What has been read: [begin_, end_) of the buffer. It has padding behind, so that a body in it can be parsed in
  // place.
  const std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t request_end_ = 0;  ///< where the next request begins

  Part part_ = Part::Head;
  std::size_t searched_ = 0;     ///< bytes of the head that do not hold its end
  std::size_t body_begin_ = 0;   ///< in the buffer
  std::size_t body_length_ = 0;  ///< announced
  std::size_t body_bytes_max_;   ///< of a body that is not announced
  std::size_t decoded_end_ = 0;  ///< in the buffer: up to here the chunked coding is taken off
  ChunkedDecoder decoder_;

  RequestHead head_;
  std::string_view body_;
  BodyBuffer large_body_;
  mutable std::deque<std::string> joined_;  ///< values of repeated fields that were asked for
  Refusal refusal_;
};

}  // namespace stele::net

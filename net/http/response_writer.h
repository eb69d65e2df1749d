#pragma once
// The answer at hand on its way to the socket: its bytes, how many of them are still to be sent, and the memory that it
// takes from other connections until its reader has it. No clock: how long a reader may take is for the session to say.

#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/http/http.h"
#include "net/http/connection_budget.h"
#include "net/http/response_head.h"
#include "net/http/transport.h"

namespace stele::net {

/// Its buffers are used again for the next answer. One thread, but for the piece of a stream.
class ResponseWriter {
 public:
  /// `budget` must outlive this.
  explicit ResponseWriter(ConnectionBudget& budget) : budget_(budget) {}
  ~ResponseWriter() { release(); }
  ResponseWriter(const ResponseWriter&) = delete;
  ResponseWriter& operator=(const ResponseWriter&) = delete;

  /// Whether so many bytes in memory for the answer must be taken from the budget of all connections.
  [[nodiscard]] bool must_hold(std::size_t bytes) const;
  /// Takes them, from the payer's share; false if that or all of it is used up.
  [[nodiscard]] bool hold(std::size_t bytes, std::string payer);
  /// Takes them in any case: it leaves less for others.
  void force_hold(std::size_t bytes, std::string payer);

  // Each of these has the next bytes to be written; those before must have been.
  /// Head and body, unless it has none to send here. `response` stays as it is until all is written.
  void begin(const api::Response& response, Framing framing, std::string_view date, bool with_body);
  /// A 100, so that the client sends its body.
  void begin_continue();
  /// The head of an answer in pieces. To be written together with the first of them.
  void begin_stream(const api::Response& response, const Framing& framing, std::string_view date);
  /// The piece; nothing follows unless there is `more`.
  void begin_piece(bool more);

  /// Empty, to be filled with the next piece of a stream.
  [[nodiscard]] std::string& fresh_piece();
  [[nodiscard]] std::string& piece() { return piece_; }

  /// The usual case: the socket takes all of it at once. False: go on with write_some(), which says what is wrong.
  [[nodiscard]] bool write_now(Transport& transport);
  /// How many bytes were written.
  std::size_t write_some(Transport& transport, boost::system::error_code& ec);
  [[nodiscard]] bool is_written() const { return pending_bytes_ == 0; }
  /// Of the body of this answer, without what still waits to be written.
  [[nodiscard]] std::uint64_t body_bytes_written() const {
    return body_bytes_sent_ > pending_bytes_ ? body_bytes_sent_ - pending_bytes_ : 0;
  }

  /// Forgets the answer and gives back what it held.
  void end_answer();
  /// Gives back memory that a connection does not need while nothing is to be written.
  void shed_buffers();

 private:
  void release();
  void consume(std::size_t bytes);

  ConnectionBudget& budget_;
  std::uint64_t held_bytes_ = 0;  ///< of the budget
  std::string payer_;             ///< of those
  std::string out_;               ///< head, and body if it is small
  std::string piece_;
  bool chunked_ = false;
  Transport::Buffers pending_;
  std::size_t pending_bytes_ = 0;
  std::uint64_t body_bytes_sent_ = 0;  ///< those under way included
};

}  // namespace stele::net

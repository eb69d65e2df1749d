#pragma once
// Server-Sent Events as they arrive (WHATWG HTML, "Server-sent events"). No I/O.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace stele::tools {

struct ServerSentEvent {
  std::string name;  ///< "message" if the server gives none
  std::string data;
};

/// One connection's worth of a stream; goes on with the last id in the next one. One thread.
class EventStreamReader {
 public:
  static constexpr std::size_t kLineBytesMax = 64U << 20;

  /// Called for each event with data; false: nothing more is wanted.
  using Take = std::function<bool(const ServerSentEvent& event)>;

  /// Takes bytes of the stream, in pieces of any size; false once `take` has given that, or a line is too long.
  [[nodiscard]] bool feed(std::string_view bytes, const Take& take);
  /// The connection has ended: what was not whole is dropped, and comes again.
  void reset();

  /// Of the last event, or of a bare id: where to go on. Empty = there was none yet.
  [[nodiscard]] const std::string& last_id() const { return last_id_; }

 private:
  [[nodiscard]] bool end_line(const Take& take);
  [[nodiscard]] bool dispatch(const Take& take);

  std::string line_;
  bool after_return_ = false;  // a line feed that follows belongs to the line end before
  std::string id_, last_id_;
  bool has_id_ = false;
  ServerSentEvent event_;
  bool has_data_ = false;
};

}  // namespace stele::tools

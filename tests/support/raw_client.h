#pragma once
// A bare TCP connection to 127.0.0.1 for tests that misbehave: sends any bytes in any pieces, reads or does not, leaves
// in good order or by a reset. Costs one descriptor, so that there may be hundreds. Not thread-safe.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/http_client.h"

namespace stele::tests {

class RawClient {
 public:
  struct Options {
    std::string from = "127.0.0.1";  ///< address of this end, any in 127.0.0.0/8
    int receive_buffer = 0;          ///< bytes; 0 = the system's choice
    std::chrono::seconds limit{60};  ///< no call waits longer than this
  };

  /// Connects; throws if that fails.
  explicit RawClient(int port) : RawClient(port, Options{}) {}
  RawClient(int port, const Options& options);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  /// False if the connection broke or the limit passed.
  bool send(std::string_view bytes);
  /// What the socket takes without waiting; 0 if nothing or if the connection broke.
  std::size_t send_some(std::string_view bytes);
  /// Takes in what has arrived, without waiting; false once the server has closed or reset the connection.
  bool poll();
  /// Waits until the server closes; false if the limit passes.
  bool wait_for_end();
  /// Waits until received() has `text`; false if the connection ends or the limit passes before.
  bool wait_for(std::string_view text);
  /// Waits until received() has `size` bytes; false as above.
  bool wait_for_bytes(std::size_t size);

  /// All that was read so far.
  [[nodiscard]] const std::string& received() const { return received_; }
  /// Closed or reset by the server, as far as was read.
  [[nodiscard]] bool ended() const { return ended_; }

  void half_close();
  /// Closes with a reset.
  void reset();
  void close();

 private:
  bool wait(short events);
  bool take();

  int fd_ = -1;
  std::chrono::seconds limit_;
  std::string received_;
  bool ended_ = false;
};

/// Splits what a server sent into its answers, 100 (Continue) included. A last one that is cut off has an `error`.
[[nodiscard]] std::vector<HttpResponse> split_answers(std::string_view bytes);

}  // namespace stele::tests

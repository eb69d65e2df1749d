#pragma once
// Bytes between a producer that never waits and a client that may be slow: bounded, and over when it overflows.

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "api/http/pushed_body.h"

namespace stele::api {

/// Shared by the producer and a body (buffered_body.h). Thread-safe; no call blocks for longer than it takes to copy.
class PushBuffer {
 public:
  /// At most `bytes_max` bytes wait.
  explicit PushBuffer(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  PushBuffer(const PushBuffer&) = delete;
  PushBuffer& operator=(const PushBuffer&) = delete;

  enum class Pushed {
    Taken,
    Overflow,  ///< there was no room for it, nor will there be: the client gets what was taken before, then the end
    Over,      ///< finished, or nobody takes anything any more
  };
  /// All of `bytes` or nothing. Wakes the body if it waits.
  [[nodiscard]] Pushed push(std::string_view bytes);
  /// Nothing more will be pushed.
  void finish();

  // For the body.
  void wake_with(std::shared_ptr<Waker> waker);
  enum class State { Open, Finished, Overflowed };
  /// Appends what waits to `to`, and says what comes behind it.
  [[nodiscard]] State drain(std::string& to);
  /// Forgets what waits and takes no more.
  void close();

 private:
  const std::size_t bytes_max_;
  std::mutex mutex_;
  std::string bytes_;
  State state_ = State::Open;
  bool closed_ = false;
  std::shared_ptr<Waker> waker_;
};

}  // namespace stele::api

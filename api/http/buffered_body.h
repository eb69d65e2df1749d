#pragma once
// A body that sends what is pushed into a buffer, with a sign of life when that is nothing.

#include <chrono>
#include <memory>
#include <string>

#include "api/http/push_buffer.h"
#include "api/http/pushed_body.h"

namespace stele::api {

class BufferedBody final : public PushedBody {
 public:
  /// Pieces of its own.
  struct Pieces {
    std::chrono::milliseconds quiet_max{0};  ///< 0 = no heartbeats
    std::string heartbeat{};
    std::string at_overflow{};  ///< the last piece for a client that was too slow: where to go on
    std::string at_shutdown{};  ///< the last piece when the server ends
  };

  BufferedBody(std::shared_ptr<PushBuffer> buffer, Pieces pieces);
  /// The producer is told by its next push().
  ~BufferedBody() override;
  BufferedBody(const BufferedBody&) = delete;
  BufferedBody& operator=(const BufferedBody&) = delete;

  void begin(std::shared_ptr<Waker> waker) override;
  [[nodiscard]] Result<Step> next(Occasion occasion, std::string& to) override;
  [[nodiscard]] std::chrono::milliseconds quiet_max() const override { return pieces_.quiet_max; }

 private:
  const std::shared_ptr<PushBuffer> buffer_;
  const Pieces pieces_;
};

}  // namespace stele::api

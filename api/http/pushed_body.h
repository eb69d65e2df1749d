#pragma once
// Bodies that have nothing to give for a while: server-sent events, long polls, and what a connection becomes after an
// upgrade. Beside BodySource, which always has a next piece. The interface is meant from here to the socket; net
// implements the waiting.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace stele::api {

/// Wakes a body that waits. Whoever holds it may keep it for longer than the body lives: then it does nothing.
class Waker {
 public:
  virtual ~Waker() = default;
  /// Has the body asked for a piece soon, on the occasion Woken. Any thread, never blocks for long, and never calls the
  /// body itself; but call it without a lock that the body's next() takes. Many calls before the body is asked are one.
  virtual void wake() noexcept = 0;
};

/// A body that is asked for its next piece when there is a reason to. There is one call at a time, each sees what the
/// one before has written; never one after its destruction, which is on the connection's I/O thread: at the end of the
/// body, when the client has left or was too slow, or when the server ends. A client that closes only its own direction
/// counts as one that has left: there is no telling.
class PushedBody {
 public:
  virtual ~PushedBody() = default;

  enum class Occasion {
    Woken,         ///< the first call, after a wake(), and after Step::More
    Quiet,         ///< nothing was sent for quiet_max(): time for a sign of life
    ClientEnded,   ///< of an upgrade: its client sends nothing more
    ShuttingDown,  ///< the server ends; a last piece may say so
  };
  enum class Step {
    More,  ///< ask again as soon as the piece is written
    Wait,  ///< nothing more for now. After ClientEnded and ShuttingDown it is the end
    End,   ///< nothing follows
  };

  /// Called once, on the I/O thread, before the first next().
  virtual void begin(std::shared_ptr<Waker> waker) = 0;

  /// Appends the next piece to `to`, if there is one: about 64 KiB at most, since one piece is in memory while the
  /// client takes its time. The head is sent with the first piece, or alone if that is empty. An error of the first
  /// call becomes the answer instead (503 if it is Closed, else 500); later ones cut the connection, so that the client
  /// sees a broken body rather than a short one.
  [[nodiscard]] virtual Result<Step> next(Occasion occasion, std::string& to) = 0;

  /// Whether the call of next() that comes may wait for a disk. Then it is made on the read pool, else on the I/O
  /// thread. Asked before each call.
  [[nodiscard]] virtual bool may_block() const { return false; }

  /// How long the client may hear nothing, to within the time between two looks at the deadlines (a quarter of a
  /// second); 0 = for ever. Asked before each wait. A client whose machine is gone is noticed by what is sent to it
  /// only.
  [[nodiscard]] virtual std::chrono::milliseconds quiet_max() const { return std::chrono::milliseconds(0); }
};

/// What a connection becomes when the answer is 101: bytes out as from any pushed body, and bytes in. It is made for a
/// framing without I/O (take() parses, next() gives what is to be sent). Beast's websocket::stream needs a stream of
/// its own below it for that: one whose reads take() completes and whose writes next() collects.
class UpgradedStream : public PushedBody {
 public:
  /// As the request's field Upgrade has it, in lower case: "websocket". Static storage. Other fields of the 101 are
  /// those of the Response.
  [[nodiscard]] virtual std::string_view protocol() const = 0;

  /// Bytes of the client, 16 KiB or so at most, in order: first those that came behind the head of its request. Gives
  /// how many were taken; the others are offered again after a wake(), and nothing more is read before. On the I/O
  /// thread, must not block; next() is called afterwards. An error cuts the connection.
  [[nodiscard]] virtual Result<std::size_t> take(std::string_view bytes) = 0;
};

}  // namespace stele::api

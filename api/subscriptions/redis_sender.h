#pragma once
// The seam between subscriptions (what is delivered, when, and what an answer means) and whatever speaks to a Redis.
// Implemented in net (net/redis); nothing here knows a socket.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stele::api {

struct RedisAnswer {
  enum class Outcome {
    CarriedOut,
    Refused,     ///< Redis says no, with `code`: nothing was carried out
    TooLarge,    ///< for what may be sent, or for this Redis: nothing was carried out, and it will fail again
    Away,        ///< there is no connection: nothing was sent
    Busy,        ///< too much is under way: nothing was sent
    Unanswered,  ///< the connection was lost, or no answer came in time: all of it was carried out, or nothing
    Cancelled,   ///< the sender has ended; the same
  };
  Outcome outcome = Outcome::Cancelled;
  std::string code{};  ///< of the error, such as WRONGTYPE
  /// Why it was not carried out, in words for whoever owns the subscription: nothing of keys, values and passwords.
  std::string detail{};
};

/// Of an entry of a stream: two numbers, compared as such.
struct RedisEntryId {
  std::uint64_t time = 0;
  std::uint64_t count = 0;
  auto operator<=>(const RedisEntryId&) const = default;
};

struct RedisEntry {
  RedisEntryId id;
  std::vector<std::pair<std::string, std::string>> fields;
};

struct RedisAddition {
  RedisAnswer answer;
  // If it was carried out:
  std::size_t repeats = 0;  ///< so many entries, the first ones, were refused since the stream is beyond their ids
  // If there are any:
  RedisEntryId stream_end{};  ///< the largest id that the stream ever had
  std::vector<RedisEntry>
      found{};  ///< what it holds now from the first of them to the last one, not more than they are
};

/// Thread-safe. Calls return at once; `done` is called exactly once, on a thread of the sender, which it must not
/// block, or when the sender ends; never within the call. Throw std::bad_alloc; then `done` is not called.
class RedisSender {
 public:
  virtual ~RedisSender() = default;

  /// Adds to a stream all entries that it takes, one behind the other, with nobody else's between them. Their ids
  /// ascend.
  virtual void add(std::string_view key, const std::vector<RedisEntry>& entries,
                   std::function<void(RedisAddition)> done) = 0;
  /// All messages, in their order.
  virtual void publish(std::string_view channel, const std::vector<std::string>& messages,
                       std::function<void(RedisAnswer)> done) = 0;
};

}  // namespace stele::api

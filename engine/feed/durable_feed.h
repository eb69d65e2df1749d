#pragma once
// Where the log ends durably, for whoever waits for more of it: requests, subscriptions, streams. It tells that there
// is more, not what: a follower reads on from its own place, and so it cannot miss anything, however late it begins or
// however slow it is.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/mutex.h"

namespace stele {

/// Thread-safe. Its subscriptions may outlive it; they hear nothing more then.
class DurableFeed {
 public:
  using Listener = std::function<void(Position end)>;

  /// Ends with the object: once its destructor has returned, the listener is not running and is not called any more.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&& other) noexcept = default;
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription() { stop(); }
    /// Idempotent. Not from within the listener.
    void stop();

   private:
    friend class DurableFeed;
    struct Seat;
    explicit Subscription(std::shared_ptr<Seat> seat) : seat_(std::move(seat)) {}
    std::shared_ptr<Seat> seat_;
  };

  DurableFeed() = default;
  DurableFeed(const DurableFeed&) = delete;

  /// One past the last durable position. Never decreases.
  [[nodiscard]] Position end() const;
  /// `listener` is called after each step of end(), on the thread that publishes (the committer's): it must return
  /// quickly, and call nothing of the feed but end(). Steps that came before are not told: look at end() after
  /// subscribing.
  [[nodiscard]] Subscription subscribe(Listener listener);
  /// Everything before `end` is durable and readable. One thread.
  void publish(Position end);
  /// Followers stop waiting: nothing more comes. Idempotent.
  void close();

 private:
  friend class FeedFollower;
  mutable Mutex mutex_;
  using Seats = std::vector<std::shared_ptr<Subscription::Seat>>;
  std::shared_ptr<const Seats> seats_ GUARDED_BY(mutex_) =
      std::make_shared<const Seats>();  // copied to be changed: publishing allocates nothing
  Position end_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  ConditionVariable changed_;                   // for followers
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;  // followers
};

/// Waits on a thread of its own choice for the log to grow beyond what it has seen. One thread waits, any thread may
/// stop it. The feed must outlive it.
class FeedFollower {
 public:
  explicit FeedFollower(DurableFeed& feed) : feed_(feed) {}
  FeedFollower(const FeedFollower&) = delete;

  /// Blocks until the durable end is beyond `seen`, and gives it. None once stopped, or once the feed is closed and
  /// nothing is left.
  [[nodiscard]] std::optional<Position> wait_beyond(Position seen);
  /// Idempotent; for ever.
  void stop();

 private:
  DurableFeed& feed_;
  bool stopped_ GUARDED_BY(feed_.mutex_) = false;
};

}  // namespace stele

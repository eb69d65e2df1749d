#pragma once
// Work for one thread from any other, with one wake-up for as much as piles up before that thread looks.

#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

namespace stele::net {

class Mailbox {
 public:
  using Work = std::function<void()>;

  /// `wake` makes the owner call drain() soon; called outside the lock, by the thread whose post() found the box empty.
  /// If there is no memory for that, the work waits until the owner calls drain() by itself: it should, now and then.
  explicit Mailbox(std::function<void()> wake);

  /// Any thread.
  void post(Work work);

  /// The owner only: runs what has been posted, in order, and returns how much that was. What is posted meanwhile waits
  /// for its own wake-up, so that a busy box cannot keep its thread from its sockets. Exceptions of the work are
  /// logged.
  std::size_t drain();

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  std::vector<Work> waiting_;
  std::vector<Work> running_;  ///< the owner's; swapped, so that both keep their memory
};

}  // namespace stele::net

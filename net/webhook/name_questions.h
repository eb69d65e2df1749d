#pragma once
// Which names are to be looked up, who waits for each, and whose turn it is.

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "net/webhook/name_resolver.h"

namespace stele::net {

struct NameBounds {
  std::size_t asked_max = 16;       ///< names that are asked for at once: each takes a thread for as long as it likes
  std::size_t owner_parts = 2;      ///< an owner's share of them, see fair_share()
  std::size_t waiting_max = 8'192;  ///< those who wait, of whom some may have gone; more than there are requests
};

/// Owners have turns, and each a share of what is asked at once, so that one who has many names whose servers do not
/// answer holds up nobody else's. Whoever asks for what is asked already waits for that answer, whoever's share it
/// takes. Not thread-safe.
class NameQuestions {
 public:
  using Clock = NameResolver::Clock;
  using Done = NameResolver::Done;

  struct Waiter {
    Clock::time_point deadline;
    Done done;
  };

  explicit NameQuestions(const NameBounds& bounds = {}) : bounds_(bounds) {}

  /// False, and `done` is left alone: too many wait. Throws std::bad_alloc; then it does not wait.
  [[nodiscard]] bool add(const NameQuestion& question, Clock::time_point now, Done& done);
  /// The next name that may be asked for; it counts as asked until answered(). Those for whom nobody waits any more are
  /// passed over.
  [[nodiscard]] std::optional<std::string> next(Clock::time_point now);
  /// Who is to be told of it, also those whose time is over.
  [[nodiscard]] std::vector<Waiter> answered(const std::string& host);
  /// Forgets who waits.
  void clear();

  [[nodiscard]] std::size_t waiting() const { return waiting_; }
  [[nodiscard]] std::size_t asked() const { return asked_; }

 private:
  struct Name {
    std::vector<Waiter> waiters{};
    std::optional<std::string> asked_by{};  ///< the owner whose share it takes
  };
  struct Owner {
    std::deque<std::string> queue{};  ///< in their order; some may have been asked for by others, or be there no more
    std::set<std::string> queued{};   ///< the same
    std::size_t asked = 0;
  };
  using Owners = std::map<std::string, Owner>;

  /// Of this owner's queue.
  [[nodiscard]] std::optional<std::string> take(Owners::iterator owner, Clock::time_point now);
  [[nodiscard]] static std::string pop(Owner& owner);
  void forget_late(Name& name, Clock::time_point now);
  void forget_all_late(Clock::time_point now);

  const NameBounds bounds_;
  std::map<std::string, Name> names_;
  Owners owners_;  ///< those that have a queue, or something asked
  std::string last_owner_;
  std::size_t waiting_ = 0;
  std::size_t asked_ = 0;
};

}  // namespace stele::net

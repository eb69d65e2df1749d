#pragma once
// Threads that check pieces of a log while the next ones are read. What is given in comes out in the same order. Who
// takes pieces is one of them: instead of waiting for one it checks another, so that no more threads run than were
// asked for.

#include <cstddef>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "engine/base/mutex.h"
#include "engine/verify/piece_check.h"

namespace stele {

struct PieceWork {
  LogPiece piece;
  CheckedPiece checked;
};

/// One thread gives and takes.
class PieceCrew {
 public:
  /// `threads`: at least 1, that of whoever takes included.
  explicit PieceCrew(std::size_t threads);
  ~PieceCrew();
  PieceCrew(const PieceCrew&) = delete;

  /// Room for a piece, to be filled and given back with begin(); null while as many pieces as may be are under way.
  [[nodiscard]] std::unique_ptr<PieceWork> room();
  void begin(std::unique_ptr<PieceWork> work);
  /// The piece that was begun first; null if none is under way. Checks others until it is done.
  [[nodiscard]] std::unique_ptr<PieceWork> take();
  /// The memory of a piece that was taken is used again.
  void give_back(std::unique_ptr<PieceWork> work);

 private:
  struct Slot {
    std::unique_ptr<PieceWork> work;
    bool is_done = false;
  };
  void run();
  /// Checks the next piece that nobody has begun with.
  void check_next() REQUIRES(mutex_);

  std::vector<std::unique_ptr<PieceWork>> free_;
  Mutex mutex_;
  ConditionVariable begun_;
  ConditionVariable done_;
  std::deque<std::shared_ptr<Slot>> to_do_ GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Slot>> under_way_ GUARDED_BY(mutex_);  // in the order in which they were begun
  bool stop_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace stele

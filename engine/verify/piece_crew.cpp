#include "engine/verify/piece_crew.h"

#include <system_error>
#include <utility>

#include "engine/base/check.h"

namespace stele {

namespace {

/// So many that nobody runs out of pieces while the one who hands them out checks one itself.
constexpr std::size_t kPiecesEachThread = 4;

}  // namespace

PieceCrew::PieceCrew(std::size_t threads) {
  STELE_CHECK(threads > 0);
  for (std::size_t i = 0; i < kPiecesEachThread * threads; ++i) free_.push_back(std::make_unique<PieceWork>());
  threads_.reserve(threads);
  try {
    for (std::size_t i = 1; i < threads; ++i) threads_.emplace_back([this] { run(); });
  } catch (const std::system_error&) {
    // With fewer it only takes longer: whoever takes checks too.
  }
}

PieceCrew::~PieceCrew() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
    begun_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

std::unique_ptr<PieceWork> PieceCrew::room() {
  if (free_.empty()) return nullptr;
  std::unique_ptr<PieceWork> work = std::move(free_.back());
  free_.pop_back();
  return work;
}

void PieceCrew::begin(std::unique_ptr<PieceWork> work) {
  const auto slot = std::make_shared<Slot>();
  slot->work = std::move(work);
  const MutexLock lock(mutex_);
  to_do_.push_back(slot);
  under_way_.push_back(slot);
  begun_.notify_one();
}

std::unique_ptr<PieceWork> PieceCrew::take() {
  MutexLock lock(mutex_);
  if (under_way_.empty()) return nullptr;
  const std::shared_ptr<Slot> first = under_way_.front();
  while (!first->is_done) {
    if (to_do_.empty()) {
      done_.wait(lock);
    } else {
      check_next();
    }
  }
  under_way_.pop_front();
  return std::move(first->work);
}

void PieceCrew::give_back(std::unique_ptr<PieceWork> work) { free_.push_back(std::move(work)); }

void PieceCrew::run() {
  MutexLock lock(mutex_);
  for (;;) {
    while (to_do_.empty() && !stop_) begun_.wait(lock);
    if (stop_) return;
    check_next();
  }
}

void PieceCrew::check_next() {
  const std::shared_ptr<Slot> slot = std::move(to_do_.front());
  to_do_.pop_front();
  {
    const MutexUnlock unlocked(mutex_);
    check_piece(slot->work->piece, slot->work->checked);
  }
  slot->is_done = true;
  done_.notify_one();
}

}  // namespace stele

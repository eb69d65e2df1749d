#include "api/http/push_buffer.h"

#include <utility>

namespace stele::api {

PushBuffer::Pushed PushBuffer::push(std::string_view bytes) {
  std::shared_ptr<Waker> waker;
  Pushed outcome = Pushed::Taken;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::Overflowed) return Pushed::Overflow;
    if (closed_ || state_ == State::Finished) return Pushed::Over;
    // What is not empty has woken the body already.
    if (bytes_.empty()) waker = waker_;
    if (bytes.size() > bytes_max_ - bytes_.size()) {
      state_ = State::Overflowed;
      outcome = Pushed::Overflow;
    } else {
      bytes_ += bytes;
    }
  }
  if (waker != nullptr) waker->wake();
  return outcome;
}

void PushBuffer::finish() {
  std::shared_ptr<Waker> waker;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::Open) return;
    state_ = State::Finished;
    waker = waker_;
  }
  if (waker != nullptr) waker->wake();
}

void PushBuffer::wake_with(std::shared_ptr<Waker> waker) {
  const std::lock_guard lock(mutex_);
  waker_ = std::move(waker);
}

PushBuffer::State PushBuffer::drain(std::string& to) {
  const std::lock_guard lock(mutex_);
  if (to.empty()) {
    to.swap(bytes_);  // each gets the other's memory back sooner or later
  } else {
    to += bytes_;
  }
  bytes_.clear();
  return state_;
}

void PushBuffer::close() {
  std::string forgotten;
  std::shared_ptr<Waker> waker;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  forgotten.swap(bytes_);
  waker.swap(waker_);
}

}  // namespace stele::api

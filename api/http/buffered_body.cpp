#include "api/http/buffered_body.h"

#include <utility>

namespace stele::api {

BufferedBody::BufferedBody(std::shared_ptr<PushBuffer> buffer, Pieces pieces)
    : buffer_(std::move(buffer)), pieces_(std::move(pieces)) {}

BufferedBody::~BufferedBody() { buffer_->close(); }

void BufferedBody::begin(std::shared_ptr<Waker> waker) { buffer_->wake_with(std::move(waker)); }

Result<PushedBody::Step> BufferedBody::next(Occasion occasion, std::string& to) {
  switch (buffer_->drain(to)) {
    case PushBuffer::State::Finished:
      return Step::End;
    case PushBuffer::State::Overflowed:
      to += pieces_.at_overflow;
      return Step::End;
    case PushBuffer::State::Open:
      break;
  }
  if (occasion == Occasion::ShuttingDown) {
    to += pieces_.at_shutdown;
    return Step::End;
  }
  if (occasion == Occasion::Quiet && to.empty()) to += pieces_.heartbeat;
  return Step::Wait;
}

}  // namespace stele::api

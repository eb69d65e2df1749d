#include "net/server/doorbell.h"

#include <boost/asio/error.hpp>
#include <new>

namespace stele::net {

using boost::system::error_code;

void Doorbell::wake() noexcept {
  if (rung_.exchange(true, std::memory_order_acq_rel)) return;
  const std::lock_guard lock(mutex_);
  if (connection_ == nullptr) return;
  try {
    connection_->io().post([self = shared_from_this()] {
      if (self->connection_ != nullptr) self->connection_->rouse();
    });
  } catch (const std::bad_alloc&) {
    connection_->rouse_later();
  }
}

void Doorbell::watch() {
  if (watching_) return;
  connection_->transport().socket().async_wait(Socket::wait_read, [self = shared_from_this()](const error_code& ec) {
    self->watching_ = false;
    if (ec == boost::asio::error::operation_aborted) return;
    self->readable_ = true;
    if (self->connection_ != nullptr) self->connection_->rouse();
  });
  watching_ = true;
}

void Doorbell::disconnect() {
  if (watching_) connection_->transport().cancel();
  const std::lock_guard lock(mutex_);
  connection_ = nullptr;
}

}  // namespace stele::net

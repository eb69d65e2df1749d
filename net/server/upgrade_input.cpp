#include "net/server/upgrade_input.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <utility>

namespace stele::net {

using boost::system::error_code;

Result<bool> UpgradeInput::offer_left(bool reason) {
  if (left_.empty() || !(reason || untried_)) return false;
  untried_ = false;
  const std::string bytes = std::move(left_);
  return offer(bytes);
}

Result<bool> UpgradeInput::read() {
  // Many such connections wait, few read: what is read needs no memory of the connection's own.
  static thread_local std::array<char, 16 * 1024> bytes;
  error_code ec;
  const std::size_t count = transport_.read_now(boost::asio::buffer(bytes), ec);
  if (would_block(ec)) return false;
  // However it has ended: whether anything can still be sent is seen when that is tried.
  if (ec || count == 0) {
    ended_ = true;
    return false;
  }
  return offer({bytes.data(), count});
}

Result<bool> UpgradeInput::offer(std::string_view bytes) {
  try {
    STELE_ASSIGN(const std::size_t taken, stream_.take(bytes));
    left_.assign(bytes.substr(std::min(taken, bytes.size())));
  } catch (const std::exception& e) {
    return Error{ErrorKind::Io, std::string("an upgraded connection threw: ") + e.what()};
  } catch (...) {
    return Error{ErrorKind::Io, "an upgraded connection threw something unknown"};
  }
  return true;
}

}  // namespace stele::net

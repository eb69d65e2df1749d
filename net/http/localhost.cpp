#include "net/http/localhost.h"

#include "net/http/request_head.h"

namespace stele::net {

bool is_localhost(std::string_view name) {
  constexpr std::string_view kName = "localhost";
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() < kName.size() || !same_ignoring_case(name.substr(name.size() - kName.size()), kName)) return false;
  return name.size() == kName.size() || name[name.size() - kName.size() - 1] == '.';
}

std::vector<boost::asio::ip::address> localhost_addresses() {
  return {boost::asio::ip::address_v6::loopback(), boost::asio::ip::address_v4::loopback()};
}

}  // namespace stele::net

#pragma once
// The name that means this machine.

#include <boost/asio/ip/address.hpp>
#include <string_view>
#include <vector>

namespace stele::net {

/// `localhost` and every name below it, in any case, with or without a dot at its end: nobody may ask a name server for
/// them, and a machine without /etc/hosts has them too (RFC 6761, 6.3).
[[nodiscard]] bool is_localhost(std::string_view name);

/// What they stand for: ::1, then 127.0.0.1.
[[nodiscard]] std::vector<boost::asio::ip::address> localhost_addresses();

}  // namespace stele::net

#pragma once
// The URL of a receiver, taken apart.

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace stele::net {

inline constexpr std::size_t callback_url_bytes_max = 2048;

struct CallbackUrl {
  bool tls = false;
  std::string host;                                 ///< a name in lower case, or an address without brackets
  std::optional<boost::asio::ip::address> address;  ///< if the host is one
  std::uint16_t port = 0;                           ///< 80 or 443 if the URL names none
  std::string authority;                            ///< for the Host field; the port only where it is not the usual one
  std::string target;                               ///< path and query, as the URL has them
  std::string receiver;                             ///< scheme, host and port, as nobody else has them

  /// http and https, a host, no user, no password, no fragment; at most 2,048 bytes. A host is a name, an IPv4 address
  /// as four decimal numbers, or an IPv6 address without a zone. Other spellings of IPv4 that a resolver would take
  /// (0x7f.1, 2130706433, 127.1) are refused. InvalidArgument in words, which hold nothing of the URL.
  [[nodiscard]] static Result<CallbackUrl> parse(std::string_view text);
};

}  // namespace stele::net

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

/// Host, port and path of a URL as RFC 3986, 3.2 has them. parse_uri() of Boost ends a host behind what looks like an
/// IPv4 address, and a port behind its digits, and takes what follows for the path.
struct UrlAuthority {
  std::string_view host;              ///< an IPv6 address with its brackets
  bool is_ipv4 = false;               ///< the whole host is four decimal numbers
  std::optional<std::uint16_t> port;  ///< none if the URL names none
  std::string_view path;              ///< empty or begins with a slash

  /// `text` is a URL that parse_uri() takes, from its host on. None if anything but a port of 1 to 65535 stands between
  /// the host and the path.
  [[nodiscard]] static std::optional<UrlAuthority> read(std::string_view text);
};

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

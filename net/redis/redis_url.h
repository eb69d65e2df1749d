#pragma once
// Where a Redis is, and who one is there.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace stele::net {

struct RedisUrl {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string user;  ///< of the ACL; empty: the default one
  std::string password;
  std::uint32_t database = 0;

  /// host:port, without any secret.
  [[nodiscard]] std::string address() const;
};

/// `redis://[[user]:password@]host[:port][/[database]]`; user and password are percent-decoded, an IPv6 address stands
/// in brackets. Or what is wrong with it, for people: without the text itself, which may hold a password.
[[nodiscard]] std::variant<RedisUrl, std::string> parse_redis_url(std::string_view text);

}  // namespace stele::net

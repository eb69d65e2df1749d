#include "net/redis/redis_url.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "api/http/percent.h"

namespace stele::net {

namespace {

constexpr std::size_t kUserBytesMax = 512;
constexpr std::uint32_t kDatabaseMax = 1'000'000;

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Takes the scheme off, in whatever case it is (RFC 3986, 3.1).
bool takes_scheme(std::string_view& text, std::string_view scheme) {
  const auto is_same = [](char c, char lower) {
    return c == lower || (c >= 'A' && c <= 'Z' && c - 'A' + 'a' == lower);
  };
  const std::string_view start = text.substr(0, scheme.size());
  if (!std::equal(start.begin(), start.end(), scheme.begin(), scheme.end(), is_same)) return false;
  text.remove_prefix(scheme.size());
  return true;
}

bool is_host(std::string_view host) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%";
  return !host.empty() && host.size() <= 255 && host.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace

std::string RedisUrl::address() const {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::variant<RedisUrl, std::string> parse_redis_url(std::string_view text) {
  if (takes_scheme(text, "rediss://")) return std::string("TLS is not spoken: put a local tunnel before it");
  if (!takes_scheme(text, "redis://")) return std::string("must begin with redis://");
  if (text.find_first_of("?#") != std::string_view::npos) return std::string("takes no ? and no # (write %3F, %23)");

  RedisUrl url;
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view database = text.substr(slash + 1);
    const auto number = database.empty() ? 0 : whole_number<std::uint32_t>(database);
    if (!number || *number > kDatabaseMax) return std::string("must end with the number of a database, if with a path");
    url.database = *number;
    text = text.substr(0, slash);
  }
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = text.substr(0, at);
    text.remove_prefix(at + 1);
    const std::size_t colon = who.find(':');
    auto user = api::percent_decode(who.substr(0, colon), api::PlusMeans::Plus);
    auto password = colon == std::string_view::npos ? std::optional<std::string>(std::string())
                                                    : api::percent_decode(who.substr(colon + 1), api::PlusMeans::Plus);
    if (!user || !password || who.find('@') != std::string_view::npos) {
      return std::string("has a user or a password that is not percent-encoded");
    }
    if (user->size() > kUserBytesMax || password->size() > kUserBytesMax) {
      return std::string("has a user or a password of more than 512 bytes");
    }
    url.user = *std::move(user);
    url.password = *std::move(password);
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::string("has an address that is not closed by ]");
    url.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else {
    const std::size_t colon = text.find(':');
    url.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (!is_host(url.host)) return std::string("names no host");
  if (!port.empty()) {
    const auto number = port.starts_with(':') ? whole_number<std::uint16_t>(port.substr(1)) : std::nullopt;
    if (!number || *number == 0) return std::string("has no port from 1 to 65535 behind the host");
    url.port = *number;
  }
  return url;
}

}  // namespace stele::net

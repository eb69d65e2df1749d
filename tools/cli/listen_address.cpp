#include "tools/cli/listen_address.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

#include "net/http/localhost.h"

namespace stele::tools {

bool ListenAddress::is_loopback() const {
  if (net::is_localhost(host)) return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string ListenAddress::url(std::string_view scheme, std::uint16_t actual_port) const {
  return host.find(':') == std::string::npos ? fmt::format("{}://{}:{}", scheme, host, actual_port)
                                             : fmt::format("{}://[{}]:{}", scheme, host, actual_port);
}

std::string refusal_to_listen(const ListenAddress& address, bool has_authentication, bool has_tls, bool insecure) {
  if (address.is_loopback() || insecure || (has_authentication && has_tls)) return {};
  return fmt::format(
      "refusing to listen on {}: it is not a loopback address, and there is no {}.\n"
      "Keep it on 127.0.0.1 behind a proxy that has both, or say --insecure if {}.",
      address.host, has_authentication ? "TLS" : (has_tls ? "authentication" : "authentication and no TLS"),
      has_authentication ? "keys and events may be read on the way" : "everyone who can reach it may read and append");
}

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  ListenAddress address;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || (!bracketed && host.find(':') != std::string_view::npos)) return std::nullopt;
  address.host = std::string(host);
  std::transform(host.begin(), host.end(), address.host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc{} || end != port.data() + port.size()) return std::nullopt;
  return address;
}

}  // namespace stele::tools

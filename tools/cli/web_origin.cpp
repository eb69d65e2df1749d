#include "tools/cli/web_origin.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace stele::tools {

namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_scheme(std::string_view text) {
  return !text.empty() && is_lower(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  });
}

/// The only form in which a browser writes the address.
template <class Address>
bool is_canonical(int family, const std::string& text) {
  Address address{};
  std::array<char, INET6_ADDRSTRLEN> written{};
  return ::inet_pton(family, text.c_str(), &address) == 1 &&
         ::inet_ntop(family, &address, written.data(), written.size()) != nullptr && text == written.data();
}

std::string error_of_host(std::string_view host) {
  if (host.empty()) return "it has no host";
  if (host.find('*') != std::string_view::npos)
    return "a '*' inside an origin matches nothing; name each origin, or '*' alone for any";
  if (host.front() == '[') {
    const bool whole =
        host.back() == ']' && is_canonical<in6_addr>(AF_INET6, std::string(host.substr(1, host.size() - 2)));
    return whole ? "" : "its IPv6 address is not in the form that browsers write";
  }
  const bool plain = std::all_of(host.begin(), host.end(),
                                 [](char c) { return is_lower(c) || is_digit(c) || c == '-' || c == '.' || c == '_'; });
  if (!plain) return "its host has characters that no host in an origin has";
  const std::string_view last = host.substr(std::min(host.rfind('.') + 1, host.size()));
  if (!last.empty() && std::all_of(last.begin(), last.end(), is_digit) &&
      !is_canonical<in_addr>(AF_INET, std::string(host))) {
    return "its IPv4 address is not in the form that browsers write";
  }
  return {};
}

std::string error_of_port(std::string_view port, std::string_view scheme) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc{} || end != port.data() + port.size() || port.front() == '0') {
    return "its port is not a number from 1 to 65535";
  }
  if ((scheme == "http" && number == 80) || (scheme == "https" && number == 443)) {
    return fmt::format("browsers leave out the default port :{}", number);
  }
  return {};
}

}  // namespace

std::string error_of_origin(std::string_view text) {
  if (text == "*" || text == "null") return {};
  if (text.empty()) return "it is empty";
  if (std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
    return "browsers write origins in lower case";
  }
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos || !is_scheme(text.substr(0, mark))) {
    return "it does not begin with a scheme such as https://";
  }
  const std::string_view scheme = text.substr(0, mark);
  if (scheme == "ws" || scheme == "wss") return "a WebSocket has the origin of its page, such as https://";
  std::string_view rest = text.substr(mark + 3);
  if (rest.find_first_of("/?#") != std::string_view::npos)
    return "an origin ends with its host or port, without a slash or path";
  const std::size_t colon = rest.find(':', rest.starts_with('[') ? rest.find(']') : 0);
  if (colon != std::string_view::npos) {
    if (auto error = error_of_port(rest.substr(colon + 1), scheme); !error.empty()) return error;
    rest = rest.substr(0, colon);
  }
  return error_of_host(rest);
}

}  // namespace stele::tools

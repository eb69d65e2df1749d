#include "api/access/host_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace stele::api {

namespace {

constexpr std::size_t kHostBytesMax = 253;
constexpr std::string_view kLocalhost = "localhost";

bool is_port(std::string_view text) {
  return text.empty() || (text.front() == ':' &&
                          std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; }));
}

bool is_ipv6_host(std::string_view text) {
  text = text.substr(0, text.find('%'));  // without its zone
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.size() >= buffer.size()) return false;
  std::memcpy(buffer.data(), text.data(), text.size());
  in6_addr address{};
  return ::inet_pton(AF_INET6, buffer.data(), &address) == 1;
}

/// Also 127.1 and 0x7f000001: what ends with a number is never looked up as a name.
bool is_ipv4_host(std::string_view text) {
  std::array<char, 64> buffer{};
  if (text.empty() || text.front() < '0' || text.front() > '9' || text.size() >= buffer.size()) return false;
  std::memcpy(buffer.data(), text.data(), text.size());
  in_addr address{};
  if (::inet_pton(AF_INET, buffer.data(), &address) == 1) return true;  // the usual form, and ten times as fast
  return ::inet_aton(buffer.data(), &address) == 1;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool HostGuard::admits(std::string_view authority) const {
  if (!active_ || authority.empty()) return true;
  if (authority.front() == '[') {
    const std::size_t end = authority.find(']');
    return end != std::string_view::npos && is_port(authority.substr(end + 1)) &&
           is_ipv6_host(authority.substr(1, end - 1));
  }
  const std::size_t colon = std::min(authority.find(':'), authority.size());
  if (!is_port(authority.substr(colon))) return false;
  std::string_view host = authority.substr(0, colon);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host == "127.0.0.1" || is_ipv4_host(host)) return true;
  std::array<char, kHostBytesMax> buffer;
  if (host.empty() || host.size() > buffer.size()) return false;
  std::transform(host.begin(), host.end(), buffer.begin(), lower);
  const std::string_view name(buffer.data(), host.size());
  if (name.ends_with(kLocalhost)) {
    const std::string_view before = name.substr(0, name.size() - kLocalhost.size());
    if (before.empty() || (before.size() > 1 && before.back() == '.')) return true;
  }
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

std::optional<std::string> host_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kHostBytesMax || text.front() == '.' || text.find("..") != std::string_view::npos) {
    return std::nullopt;
  }
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(), lower);
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
  return plain ? std::optional(std::move(name)) : std::nullopt;
}

}  // namespace stele::api

#include "net/webhook/callback_url.h"

#include <algorithm>
#include <boost/url/ipv4_address.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <utility>

namespace stele::net {

namespace {

namespace urls = boost::urls;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

/// Whether a resolver may take it for an IPv4 address: its last label is a number (as the URL standard of browsers has
/// it, since no top-level domain is one).
bool ends_in_number(std::string_view lower) {
  if (lower.ends_with('.')) lower.remove_suffix(1);
  std::string_view label = lower.substr(lower.rfind('.') + 1);
  if (label.starts_with("0x")) {
    label.remove_prefix(2);
    return std::all_of(label.begin(), label.end(), is_hex_digit);
  }
  return std::all_of(label.begin(), label.end(), is_digit);
}

bool is_host_name(std::string_view lower) {
  if (lower.size() > 253 || lower.empty() || lower.front() == '.' || lower.find("..") != std::string_view::npos) {
    return false;
  }
  return std::all_of(lower.begin(), lower.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_'; });
}

}  // namespace

std::optional<UrlAuthority> UrlAuthority::read(std::string_view text) {
  UrlAuthority result;
  const std::string_view authority = text.substr(0, text.find_first_of("/?#"));
  const std::size_t host_end = authority.starts_with('[') ? authority.find(']') + 1 : authority.find(':');
  result.host = authority.substr(0, host_end);
  result.is_ipv4 = urls::parse_ipv4_address({result.host.data(), result.host.size()}).has_value();
  std::string_view port = authority.substr(result.host.size());
  if (!port.empty()) {
    if (port.front() != ':') return std::nullopt;
    port.remove_prefix(1);
  }
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port.emplace());
    if (error != std::errc{} || end != port.data() + port.size() || *result.port == 0) return std::nullopt;
  }
  text.remove_prefix(authority.size());
  result.path = text.substr(0, text.find_first_of("?#"));
  return result;
}

Result<CallbackUrl> CallbackUrl::parse(std::string_view text) {
  const auto refuse = [](const char* why) { return Error{ErrorKind::InvalidArgument, why}; };
  if (text.size() > callback_url_bytes_max) return refuse("the URL must have at most 2,048 bytes");
  const auto parsed = urls::parse_uri({text.data(), text.size()});
  if (!parsed) return refuse("this is not a URL; write it like https://example.org/hook");
  const auto& url = *parsed;
  CallbackUrl result;
  if (url.scheme_id() != urls::scheme::http && url.scheme_id() != urls::scheme::https) {
    return refuse("the URL must begin with https:// or http://");
  }
  result.tls = url.scheme_id() == urls::scheme::https;
  if (url.has_userinfo()) return refuse("the URL must not hold a user or a password; headers can carry credentials");
  if (url.has_fragment()) return refuse("the URL must not have a fragment");
  if (!url.has_authority() || url.encoded_host().empty()) return refuse("the URL must name a host");

  const auto authority =
      UrlAuthority::read(text.substr(static_cast<std::size_t>(url.encoded_host().data() - text.data())));
  if (!authority) return refuse("the URL's port must be one of 1 to 65535");

  if (authority->is_ipv4 || url.host_type() == urls::host_type::ipv6) {
    boost::system::error_code ec;
    result.host = std::string(url.host_address());
    result.address = boost::asio::ip::make_address(result.host, ec);
    if (ec || result.host.find('%') != std::string::npos) return refuse("the URL's address is not valid");
    result.host = result.address->to_string();
    result.authority = result.address->is_v6() ? "[" + result.host + "]" : result.host;
  } else if (url.host_type() == urls::host_type::ipvfuture) {
    return refuse("the URL's host must be a name or an address");
  } else {
    result.host = std::string(authority->host);
    std::transform(result.host.begin(), result.host.end(), result.host.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (!is_host_name(result.host)) {
      return refuse("the URL's host must be letters, digits, '-', '_' and '.'; others in their xn-- form");
    }
    if (ends_in_number(result.host)) return refuse("an IPv4 address must be four decimal numbers from 0 to 255");
    result.authority = result.host;
  }

  const std::uint16_t usual = result.tls ? 443 : 80;
  result.port = authority->port.value_or(usual);
  if (result.port != usual) result.authority += ":" + std::to_string(result.port);
  result.target = std::string(authority->path);
  if (result.target.empty()) result.target = "/";
  if (url.has_query()) result.target += "?" + std::string(url.encoded_query());
  result.receiver = (result.tls ? "https " : "http ") + result.host + " " + std::to_string(result.port);
  return result;
}

}  // namespace stele::net

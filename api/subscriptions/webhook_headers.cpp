#include "api/subscriptions/webhook_headers.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace stele::api {

namespace {

constexpr std::array<std::string_view, 10> kFraming{
    "host", "content-length", "transfer-encoding", "connection", "keep-alive",
    "te",   "trailer",        "upgrade",           "expect",     "content-encoding",
};

/// `lower` is in lower case, the name in any.
bool begins_with(std::string_view name, std::string_view lower) {
  return name.size() >= lower.size() && std::equal(lower.begin(), lower.end(), name.begin(), [](char one, char c) {
           return one == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
         });
}
bool is_name(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() && begins_with(name, lower);
}

/// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

/// RFC 9110, 5.5, without obs-text: bytes beyond ASCII are read differently by everybody.
bool is_field_value(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  if (!text.empty() && (is_blank(text.front()) || is_blank(text.back()))) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
}

}  // namespace

std::string webhook_header_objection(std::string_view name, std::string_view value, std::size_t bytes_max) {
  if (name.size() + value.size() > bytes_max) {
    return "a header field must have at most " + std::to_string(bytes_max) + " bytes";
  }
  if (!is_token(name)) return "a header field's name must be letters, digits and !#$%&'*+-.^_`|~";
  if (!is_field_value(value)) {
    return "the value of " + std::string(name) + " must be printable ASCII without blanks at its ends";
  }
  if (begins_with(name, "proxy-") ||
      std::any_of(kFraming.begin(), kFraming.end(), [&](std::string_view framing) { return is_name(name, framing); })) {
    return std::string(name) + " is written by Stele itself";
  }
  return {};
}

std::string custom_header_objection(std::string_view name, std::string_view value, std::size_t bytes_max) {
  if (std::string why = webhook_header_objection(name, value, bytes_max); !why.empty()) return why;
  if (is_name(name, "content-type") || is_name(name, "user-agent") || begins_with(name, "webhook-")) {
    return std::string(name) + " is written by Stele itself";
  }
  return {};
}

}  // namespace stele::api

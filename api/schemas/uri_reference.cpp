#include "api/schemas/uri_reference.h"

#include <algorithm>
#include <cstddef>

#include "api/json/hex.h"
#include "api/schemas/string_format.h"

namespace stele::api {

namespace {

bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_decimal(char c) { return c >= '0' && c <= '9'; }

/// Nothing but unreserved characters, sub-delims, escapes and those of `more`.
bool holds_only(std::string_view text, std::string_view more, UriCharacters characters) {
  constexpr std::string_view kOthers = "-._~!$&'()*+,;=";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size() || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) return false;
      i += 2;
    } else if ((static_cast<unsigned char>(c) & 0x80) != 0) {
      if (characters == UriCharacters::Ascii) return false;
    } else if (!is_alpha(c) && !is_decimal(c) && kOthers.find(c) == std::string_view::npos &&
               more.find(c) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool is_scheme(std::string_view text) {
  return !text.empty() && is_alpha(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alpha(c) || is_decimal(c) || c == '+' || c == '-' || c == '.';
  });
}

bool is_future_address(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (!(text.starts_with('v') || text.starts_with('V')) || dot == std::string_view::npos || dot == 1) return false;
  const std::string_view version = text.substr(1, dot - 1);
  const std::string_view rest = text.substr(dot + 1);
  return std::all_of(version.begin(), version.end(), [](char c) { return hex_value(c) >= 0; }) && !rest.empty() &&
         rest.find('%') == std::string_view::npos && holds_only(rest, ":", UriCharacters::Ascii);
}

bool is_authority(std::string_view text, UriCharacters characters) {
  const std::size_t at = text.find('@');
  if (at != std::string_view::npos) {
    if (!holds_only(text.substr(0, at), ":", characters)) return false;
    text.remove_prefix(at + 1);
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view address = text.substr(1, end - 1);
    if (!is_ipv6(address) && !is_future_address(address)) return false;
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return false;
  } else {
    const std::size_t colon = text.find(':');
    if (!holds_only(text.substr(0, colon), "", characters)) return false;
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (!port.empty()) port.remove_prefix(1);
  return std::all_of(port.begin(), port.end(), is_decimal);
}

std::string without_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    if (path.starts_with("../")) {
      path.remove_prefix(3);
    } else if (path.starts_with("./")) {
      path.remove_prefix(2);
    } else if (path.starts_with("/./")) {
      path.remove_prefix(2);
    } else if (path == "/.") {
      path = "/";
    } else if (path.starts_with("/../") || path == "/..") {
      path = path.size() == 3 ? std::string_view("/") : path.substr(3);
      const std::size_t slash = out.rfind('/');
      out.resize(slash == std::string::npos ? 0 : slash);
    } else if (path == "." || path == "..") {
      path = {};
    } else {
      const std::size_t next = path.find('/', 1);
      out += path.substr(0, next);
      path = next == std::string_view::npos ? std::string_view{} : path.substr(next);
    }
  }
  return out;
}

std::string merged_path(const UriParts& base, std::string_view path) {
  if (base.has_authority && base.path.empty()) return "/" + std::string(path);
  const std::size_t slash = base.path.rfind('/');
  return std::string(base.path.substr(0, slash == std::string_view::npos ? 0 : slash + 1)) + std::string(path);
}

}  // namespace

UriParts split_uri(std::string_view text) {
  UriParts parts;
  const std::size_t number_sign = text.find('#');
  if (number_sign != std::string_view::npos) {
    parts.has_fragment = true;
    parts.fragment = text.substr(number_sign + 1);
    text = text.substr(0, number_sign);
  }
  const std::size_t question_mark = text.find('?');
  if (question_mark != std::string_view::npos) {
    parts.has_query = true;
    parts.query = text.substr(question_mark + 1);
    text = text.substr(0, question_mark);
  }
  const std::size_t colon = text.find_first_of(":/");
  if (colon != std::string_view::npos && text[colon] == ':' && is_scheme(text.substr(0, colon))) {
    parts.has_scheme = true;
    parts.scheme = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (text.starts_with("//")) {
    parts.has_authority = true;
    const std::size_t end = text.find('/', 2);
    parts.authority = text.substr(2, end == std::string_view::npos ? end : end - 2);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end);
  }
  parts.path = text;
  return parts;
}

bool is_uri_reference(std::string_view text, UriCharacters characters) {
  const UriParts parts = split_uri(text);
  if (parts.has_authority && !is_authority(parts.authority, characters)) return false;
  if (!parts.has_scheme) {
    const std::string_view first = parts.path.substr(0, parts.path.find('/'));
    if (first.find(':') != std::string_view::npos) return false;
  }
  return holds_only(parts.path, ":@/", characters) && holds_only(parts.query, ":@/?", characters) &&
         holds_only(parts.fragment, ":@/?", characters);
}

bool is_uri(std::string_view text, UriCharacters characters) {
  return split_uri(text).has_scheme && is_uri_reference(text, characters);
}

std::string resolve_uri(std::string_view base, std::string_view reference) {
  const UriParts from = split_uri(base);
  const UriParts to = split_uri(reference);
  UriParts result = to;
  std::string path;
  if (to.has_scheme || to.has_authority) {
    path = without_dot_segments(to.path);
  } else if (to.path.empty()) {
    path = from.path;
    if (!to.has_query) {
      result.has_query = from.has_query;
      result.query = from.query;
    }
  } else if (to.path.starts_with('/')) {
    path = without_dot_segments(to.path);
  } else {
    path = without_dot_segments(merged_path(from, to.path));
  }
  if (!to.has_scheme) {
    result.has_scheme = from.has_scheme;
    result.scheme = from.scheme;
    if (!to.has_authority) {
      result.has_authority = from.has_authority;
      result.authority = from.authority;
    }
  }
  std::string text;
  if (result.has_scheme) text.append(result.scheme).append(":");
  if (result.has_authority) text.append("//").append(result.authority);
  text += path;
  if (result.has_query) text.append("?").append(result.query);
  return text;
}

}  // namespace stele::api

#include "net/http/response_head.h"

#include <fmt/core.h>
#include <time.h>

#include <array>
#include <charconv>

namespace stele::net {

namespace {

using namespace std::literals;  // a view knows its length

std::string_view reason_of(int status) {
  switch (status) {
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

void append_number(std::string& to, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  to.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

void append_field(std::string& to, std::string_view name, std::string_view value) {
  to.append(name).append(": "sv);
  const std::size_t from = to.size();
  to.append(value);
  for (std::size_t i = from; i < to.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(to[i]);
    if (c < 0x20 || c == 0x7F) to[i] = ' ';
  }
  to.append("\r\n"sv);
}

}  // namespace

bool may_have_body(int status) { return status >= 200 && status != 204 && status != 304; }

void append_response_head(std::string& to, const api::Response& response, const Framing& framing,
                          std::string_view date) {
  if (response.status == 200) {
    to.append("HTTP/1.1 200 OK\r\nServer: stele\r\nDate: "sv);
  } else if (response.status == 201) {
    to.append("HTTP/1.1 201 Created\r\nServer: stele\r\nDate: "sv);
  } else {
    to.append("HTTP/1.1 "sv);
    append_number(to, static_cast<std::uint64_t>(response.status));
    to.append(" "sv).append(reason_of(response.status)).append("\r\nServer: stele\r\nDate: "sv);
  }
  to.append(date).append("\r\n"sv);
  if (!response.content_type.empty()) to.append("Content-Type: "sv).append(response.content_type).append("\r\n"sv);
  if (framing.content_length) {
    to.append("Content-Length: "sv);
    append_number(to, *framing.content_length);
    to.append("\r\n"sv);
  }
  if (framing.chunked) to.append("Transfer-Encoding: chunked\r\n"sv);
  if (framing.close) to.append("Connection: close\r\n"sv);
  if (framing.keep_alive) to.append("Connection: keep-alive\r\n"sv);
  if (!framing.upgrade_to.empty()) {
    to.append("Connection: Upgrade\r\nUpgrade: "sv).append(framing.upgrade_to).append("\r\n"sv);
  }
  for (const auto& [name, value] : response.headers) append_field(to, name, value);
  to.append("\r\n"sv);
}

std::string http_date(std::int64_t seconds) {
  static constexpr std::array<const char*, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const time_t when = static_cast<time_t>(seconds);
  tm parts{};
  ::gmtime_r(&when, &parts);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[static_cast<std::size_t>(parts.tm_wday)],
                     parts.tm_mday, months[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour,
                     parts.tm_min, parts.tm_sec);
}

}  // namespace stele::net

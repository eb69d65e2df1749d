#include "net/http/request_head.h"

#include <boost/beast/http/basic_parser.hpp>
#include <cstring>

namespace stele::net {

namespace http = boost::beast::http;
using boost::system::error_code;
using BeastView = boost::beast::string_view;

namespace {

std::string_view view(BeastView text) { return {text.data(), text.size()}; }

api::Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return api::Method::Get;
    case http::verb::head:
      return api::Method::Head;
    case http::verb::post:
      return api::Method::Post;
    case http::verb::put:
      return api::Method::Put;
    case http::verb::patch:
      return api::Method::Patch;
    case http::verb::delete_:
      return api::Method::Delete;
    case http::verb::options:
      return api::Method::Options;
    default:
      return api::Method::Other;
  }
}

/// Collects what Beast finds; the judgement comes afterwards, over the whole header.
class HeadParser final : public http::basic_parser<true> {
 public:
  HeadParser(RequestHead& head, std::size_t fields_max) : head_(head), fields_max_(fields_max) {}

  BeastView target;
  int hosts = 0;
  int content_lengths = 0;
  int transfer_encodings = 0;
  bool too_many_fields = false;
  std::string_view host_value;
  std::string_view content_length_value;
  std::string_view transfer_encoding_value;
  bool expects_continue = false;
  bool expects_else = false;

 private:
  void on_request_impl(http::verb verb, BeastView method, BeastView request_target, int version,
                       error_code& ec) override {
    ec = {};
    head_.method = method_of(verb);
    head_.method_name = view(method);
    target = request_target;
    head_.version = version;
  }
  void on_response_impl(int, BeastView, int, error_code& ec) override { ec = http::error::bad_method; }
  void on_field_impl(http::field field, BeastView name, BeastView value, error_code& ec) override {
    ec = {};
    if (head_.fields.size() == fields_max_) {
      too_many_fields = true;
      ec = http::error::header_limit;
      return;
    }
    head_.fields.push_back({view(name), view(value)});
    switch (field) {
      case http::field::host:
        ++hosts;
        host_value = view(value);
        break;
      case http::field::content_length:
        ++content_lengths;
        content_length_value = view(value);
        break;
      case http::field::transfer_encoding:
        ++transfer_encodings;
        transfer_encoding_value = view(value);
        break;
      case http::field::expect:
        if (value.empty()) break;
        (same_ignoring_case(view(value), "100-continue") ? expects_continue : expects_else) = true;
        break;
      default:
        break;
    }
  }
  void on_header_impl(error_code& ec) override { ec = {}; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code& ec) override { ec = {}; }
  std::size_t on_body_impl(BeastView, error_code& ec) override {
    ec = {};
    return 0;
  }
  void on_chunk_header_impl(std::uint64_t, BeastView, error_code& ec) override { ec = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView, error_code& ec) override {
    ec = {};
    return 0;
  }
  void on_finish_impl(error_code& ec) override { ec = {}; }

  RequestHead& head_;
  std::size_t fields_max_;
};

/// A line that begins with white space continues the one before (obs-fold), which Beast would join.
bool has_folded_line(std::string_view bytes) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while ((at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)))) != nullptr) {
    if (++at == end) return false;
    if (*at == ' ' || *at == '\t') return true;
  }
  return false;
}

Refusal bad_request(std::string detail) { return {"malformed-request", std::move(detail)}; }

Refusal refusal_of(const error_code& ec, std::string_view bytes) {
  if (ec == http::error::bad_version) {
    // A well-formed version that is not ours is a 505; anything else there is a malformed line.
    const std::string_view line = bytes.substr(0, bytes.find("\r\n"));
    const std::size_t first = line.find(' ');
    const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    const std::string_view version = second == std::string_view::npos ? std::string_view{} : line.substr(second + 1);
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (version.size() == 8 && version.starts_with("HTTP/") && digit(version[5]) && version[6] == '.' &&
        digit(version[7])) {
      return {"http-version-not-supported", "Only HTTP/1.0 and HTTP/1.1 are served here."};
    }
    return bad_request("The request line does not end with an HTTP version.");
  }
  if (ec == http::error::bad_method) return bad_request("The request line does not begin with a method.");
  if (ec == http::error::bad_target) return bad_request("The request target is empty or holds invalid characters.");
  if (ec == http::error::bad_field) return bad_request("A header field name is empty or holds invalid characters.");
  if (ec == http::error::bad_value) return bad_request("A header field value holds invalid characters.");
  if (ec == http::error::bad_content_length) return bad_request("Content-Length is not one plain number.");
  if (ec == http::error::bad_transfer_encoding) return bad_request("Transfer-Encoding and Content-Length contradict.");
  return bad_request("The header is malformed.");
}

bool split_target(std::string_view target, RequestHead& head) {
  if (target == "*") {
    if (head.method != api::Method::Options) return false;
    head.path = target;
    return true;
  }
  // Servers must take the absolute form too (RFC 9112, 3.2.2).
  for (const std::string_view scheme : {std::string_view{"http://"}, std::string_view{"https://"}}) {
    if (target.size() > scheme.size() && same_ignoring_case(target.substr(0, scheme.size()), scheme)) {
      const std::size_t end = target.find_first_of("/?", scheme.size());
      if (end == scheme.size()) return false;
      head.authority = target.substr(scheme.size(), end - scheme.size());  // and not what Host says
      target = end == std::string_view::npos ? std::string_view{"/"} : target.substr(end);
      if (target.front() == '?') {
        head.path = "/";
        head.query = target.substr(1);
        return true;
      }
      break;
    }
  }
  if (target.front() != '/') return false;
  const std::size_t question = target.find('?');
  head.path = target.substr(0, question);
  if (question != std::string_view::npos) head.query = target.substr(question + 1);
  return true;
}

/// Letters, digits and marks of a name, an address in brackets and a port (RFC 3986, 3.2); not whether they make sense.
bool may_be_host(std::string_view text) {
  if (text.empty() || text.front() == ':') return false;  // http has no URI without a host
  constexpr std::string_view marks = "-._~%!$&'()*+;=:[]";
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && marks.find(c) == std::string_view::npos) return false;
  }
  return true;
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

void RequestHead::clear() {
  method = api::Method::Other;
  method_name = path = query = authority = {};
  version = 11;
  keep_alive = chunked = expects_continue = false;
  content_length.reset();
  fields.clear();
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const unsigned char x = static_cast<unsigned char>(a[i]);
    const unsigned char y = static_cast<unsigned char>(b[i]);
    if (x == y) continue;
    const unsigned char lower = x | 0x20;
    if (lower != (y | 0x20) || lower < 'a' || lower > 'z') return false;
  }
  return true;
}

std::size_t find_head_end(std::string_view bytes, std::size_t& searched) {
  const std::size_t at = bytes.find("\r\n\r\n", searched);
  if (at != std::string_view::npos) return at + 4;
  searched = bytes.size() < 3 ? 0 : bytes.size() - 3;
  return 0;
}

bool may_be_head(std::string_view bytes) {
  const std::size_t size = bytes.size() < 32 ? bytes.size() : 32;
  for (std::size_t i = 0; i < size; ++i) {
    const unsigned char c = static_cast<unsigned char>(bytes[i]);
    if (c == ' ') return i > 0;
    if (c <= 0x20 || c >= 0x7F) return false;
  }
  return true;
}

Refusal head_too_large(std::string_view bytes, const HeadLimits& limits) {
  // Of the bytes that the line may have, not of those that happen to be there.
  if (bytes.substr(0, limits.bytes_max).find('\n') == std::string_view::npos) {
    return {"uri-too-long", "The request line is longer than " + std::to_string(limits.bytes_max) + " bytes."};
  }
  return {"header-too-large", "The header is longer than " + std::to_string(limits.bytes_max) + " bytes."};
}

void salvage_origin(std::string_view bytes, RequestHead& head) {
  constexpr std::string_view name = "Origin:";
  std::size_t end = bytes.find("\r\n");
  while (end != std::string_view::npos) {
    bytes.remove_prefix(end + 2);
    end = bytes.find("\r\n");
    const std::string_view line = bytes.substr(0, end);
    if (end == std::string_view::npos || !same_ignoring_case(line.substr(0, name.size()), name)) continue;
    const std::size_t from = line.find_first_not_of(" \t", name.size());
    if (from == std::string_view::npos) return;
    head.fields.push_back(
        {line.substr(0, name.size() - 1), line.substr(from, line.find_last_not_of(" \t") + 1 - from)});
    return;
  }
}

std::optional<Refusal> parse_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head) {
  head.clear();
  if (bytes.size() > limits.bytes_max) return head_too_large(bytes, limits);
  if (has_folded_line(bytes)) return bad_request("Header fields must not be folded over several lines.");

  HeadParser parser(head, limits.fields_max);
  parser.header_limit(static_cast<std::uint32_t>(limits.bytes_max));
  parser.body_limit(boost::none);
  error_code ec;
  const std::size_t used = parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
  if (parser.too_many_fields) {
    return Refusal{"header-too-large", "More than " + std::to_string(limits.fields_max) + " header fields."};
  }
  if (ec) return refusal_of(ec, bytes);
  if (!parser.is_header_done() || used != bytes.size()) return bad_request("The header is malformed.");

  if (parser.hosts > 1 || (parser.hosts == 0 && head.version == 11)) {
    return bad_request("HTTP/1.1 needs exactly one Host field.");
  }
  if (parser.hosts == 1 && !may_be_host(parser.host_value)) return bad_request("Host is not a name or an address.");
  head.authority = parser.host_value;
  if (parser.transfer_encodings > 0) {
    if (head.version != 11) return bad_request("Transfer-Encoding is not part of HTTP/1.0.");
    if (parser.content_lengths > 0) return bad_request("Transfer-Encoding and Content-Length exclude each other.");
    if (parser.transfer_encodings > 1 || !same_ignoring_case(parser.transfer_encoding_value, "chunked")) {
      return bad_request("The only Transfer-Encoding served here is chunked.");
    }
    head.chunked = true;
  } else if (parser.content_lengths > 0) {
    head.content_length = parse_length(parser.content_length_value);
    if (parser.content_lengths > 1 || !head.content_length) {
      return bad_request("Content-Length is not one plain number.");
    }
  }
  if (head.version == 11) {
    if (parser.expects_else) {
      return Refusal{"expectation-failed", "The only expectation met here is 100-continue."};
    }
    head.expects_continue = parser.expects_continue;
  }
  if (!split_target(view(parser.target), head)) return bad_request("The request target is not a path.");
  head.keep_alive = parser.keep_alive();
  return std::nullopt;
}

}  // namespace stele::net

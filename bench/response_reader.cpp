#include "bench/response_reader.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace stele::bench {
namespace {

constexpr std::size_t kHeaderBytesMax = 16 * 1024;
constexpr std::size_t kErrorBodyBytesMax = 1024;

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void ResponseReader::reset() {
  partial_header_.clear();
  error_body_.clear();
  body_left_ = 0;
  status_ = 0;
  in_body_ = false;
  keep_alive_ = true;
}

ResponseReader::Progress ResponseReader::feed(std::string_view bytes) {
  if (in_body_) return take_body(bytes);
  if (partial_header_.empty()) {
    const std::size_t header = parse_header(bytes);
    if (broken_) return Progress::Broken;
    if (header != 0) return take_body(bytes.substr(header));
    partial_header_.assign(bytes);
  } else {
    const std::size_t before = partial_header_.size();
    partial_header_.append(bytes);
    const std::size_t header = parse_header(partial_header_);
    if (broken_) return Progress::Broken;
    if (header != 0) return take_body(bytes.substr(header - before));
  }
  return partial_header_.size() > kHeaderBytesMax ? Progress::Broken : Progress::NeedMore;
}

std::size_t ResponseReader::parse_header(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  std::string_view rest = bytes.substr(0, end + 2);
  if (!rest.starts_with("HTTP/1.1 ") || rest.size() < 12) {
    broken_ = true;
    return 0;
  }
  const auto status = parse_number<int>(rest.substr(9, 3));
  std::optional<std::uint64_t> length;
  for (std::size_t line_end = rest.find("\r\n"); line_end + 2 < rest.size(); line_end = rest.find("\r\n")) {
    rest.remove_prefix(line_end + 2);
    std::string_view line = rest.substr(0, rest.find("\r\n"));
    // Only names of these lengths matter: Connection, Content-Length, Transfer-Encoding.
    const std::size_t colon = line.find(':');
    if (colon != 10 && colon != 14 && colon != 17) continue;
    const std::string_view name = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    if (equals_ignoring_case(name, "Content-Length")) {
      length = parse_number<std::uint64_t>(value);
      if (!length) broken_ = true;
    } else if (equals_ignoring_case(name, "Connection")) {
      keep_alive_ = !equals_ignoring_case(value, "close");
    } else if (equals_ignoring_case(name, "Transfer-Encoding")) {
      broken_ = true;
    }
  }
  if (!status || (!length && *status != 204 && *status != 304)) broken_ = true;
  if (broken_) return 0;
  status_ = *status;
  body_left_ = length.value_or(0);
  in_body_ = true;
  return end + 4;
}

ResponseReader::Progress ResponseReader::take_body(std::string_view bytes) {
  if (bytes.size() > body_left_) {
    broken_ = true;
    return Progress::Broken;
  }
  if (status_ >= 300 && error_body_.size() < kErrorBodyBytesMax) {
    error_body_.append(bytes.substr(0, kErrorBodyBytesMax - error_body_.size()));
  }
  body_left_ -= bytes.size();
  return body_left_ == 0 ? Progress::Done : Progress::NeedMore;
}

}  // namespace stele::bench

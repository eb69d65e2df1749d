#include "bench/http_protocol.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace stele::bench {
namespace {

constexpr std::size_t kHeaderBytesMax = 16 * 1024;
constexpr std::size_t kErrorBodyBytesMax = 1024;
/// Room before the body for the rest of the header: digits of Content-Length and the empty line.
constexpr std::size_t kHeaderTailBytes = 32;

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

HttpAppend::HttpAppend(const std::string& host, const std::string& path, const std::string& fields,
                       const EventPoolOptions& events, std::size_t batch)
    : header_start_("POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields +
                    "Content-Type: application/json\r\nContent-Length: "),
      pool_(events),
      batch_(batch) {}

std::size_t HttpAppend::request_bytes_max() const {
  const std::size_t events_max = std::max<std::size_t>(batch_, 1);
  return header_start_.size() + kHeaderTailBytes + events_max * (pool_.event_bytes_max() + 1) + 2;
}

std::string_view HttpAppend::write_request(std::size_t, std::span<char> room) {
  char* const body = room.data() + header_start_.size() + kHeaderTailBytes;
  char* end = body;
  if (batch_ == 0) {
    end += pool_.write_event(end).json.size();
  } else {
    *end++ = '[';
    for (std::size_t i = 0; i < batch_; ++i) {
      if (i != 0) *end++ = ',';
      end += pool_.write_event(end).json.size();
    }
    *end++ = ']';
  }
  // Now that the length is known the header goes directly before the body.
  char tail[kHeaderTailBytes];
  char* const digits_end = std::to_chars(tail, tail + kHeaderTailBytes, end - body).ptr;
  std::memcpy(digits_end, "\r\n\r\n", 4);
  const auto tail_bytes = static_cast<std::size_t>(digits_end - tail) + 4;
  char* const begin = body - tail_bytes - header_start_.size();
  std::memcpy(begin, header_start_.data(), header_start_.size());
  std::memcpy(body - tail_bytes, tail, tail_bytes);
  return {begin, end};
}

std::unique_ptr<ReplyReader> HttpAppend::make_reader() const { return std::make_unique<ResponseReader>(); }

HttpGet::HttpGet(const std::string& host, const std::string& fields, const std::vector<std::string>& targets) {
  for (const std::string& target : targets) {
    requests_.push_back("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n");
  }
}

std::string_view HttpGet::write_request(std::size_t, std::span<char>) {
  return requests_[random_.below(requests_.size())];
}

std::unique_ptr<ReplyReader> HttpGet::make_reader() const { return std::make_unique<ResponseReader>(); }

}  // namespace stele::bench

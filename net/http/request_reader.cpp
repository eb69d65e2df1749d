#include "net/http/request_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace stele::net {

namespace {
constexpr std::size_t room_behind_head = 4096;
}  // namespace

RequestReader::RequestReader(const HttpLimits& limits, ConnectionBudget& budget)
    : limits_(limits),
      capacity_(limits.header_bytes_max + room_behind_head),
      buffer_(std::make_unique_for_overwrite<char[]>(capacity_ + BodyBuffer::padding)),
      body_bytes_max_(limits.body_bytes_max),
      large_body_(budget) {
  std::memset(buffer_.get() + capacity_, 0, BodyBuffer::padding);
}

void RequestReader::begin_request() {
  part_ = Part::Head;
  searched_ = 0;
  begin_ = request_end_;
  if (begin_ == end_) begin_ = end_ = 0;
}

bool RequestReader::has_begun() {
  // Some clients send an empty line after a body (RFC 9112, 2.2).
  while (unread().starts_with("\r\n")) begin_ += 2;
  return begin_ != end_ && unread() != "\r";
}

RequestReader::Step RequestReader::next() {
  switch (part_) {
    case Part::Head:
      return read_head();
    case Part::BodyAhead:
      return begin_body();
    case Part::BodyInPlace:
      return read_body_in_place();
    case Part::LargeBody:
      return read_large_body();
    case Part::ChunkedBody:
      break;
  }
  return read_chunked_body();
}

std::size_t RequestReader::body_bytes_received() const {
  return part_ == Part::BodyInPlace ? end_ - body_begin_ : large_body_.size();
}

boost::asio::mutable_buffer RequestReader::room() {
  if (part_ == Part::LargeBody) {
    return {large_body_.room(), std::min(large_body_.room_bytes(), body_length_ - large_body_.size())};
  }
  if (part_ == Part::Head && end_ == capacity_) compact();
  return {buffer_.get() + end_, capacity_ - end_};
}

void RequestReader::received(std::size_t bytes) {
  if (part_ == Part::LargeBody) {
    large_body_.grew(bytes);
  } else {
    end_ += bytes;
  }
}

RequestReader::Step RequestReader::read_head() {
  const Step step = find_and_parse_head();
  if (step == Step::Refused) give_up_head();
  return step;
}

void RequestReader::give_up_head() {
  if (header("Origin").empty()) salvage_origin(unread(), head_);
}

RequestReader::Step RequestReader::find_and_parse_head() {
  const std::size_t head_bytes = find_head_end(unread(), searched_);
  const HeadLimits head_limits{limits_.header_bytes_max, limits_.fields_max};
  if (head_bytes == 0) {
    if (!may_be_head(unread())) {
      return refuse("malformed-request", "This is not HTTP/1.1. (TLS is not spoken on this port.)");
    }
    if (unread().size() < limits_.header_bytes_max) return Step::Read;
    refusal_ = head_too_large(unread(), head_limits);
    return Step::Refused;
  }
  // Room behind the header, for what comes next.
  if (begin_ + head_bytes > limits_.header_bytes_max) compact();
  if (auto refusal = parse_head(unread().substr(0, head_bytes), head_limits, head_)) {
    refusal_ = std::move(*refusal);
    return Step::Refused;
  }
  return judge_body(head_bytes);
}

RequestReader::Step RequestReader::judge_body(std::size_t head_bytes) {
  const std::uint64_t announced = head_.content_length.value_or(0);
  if (announced > limits_.body_bytes_max) return refuse_too_large(limits_.body_bytes_max);
  part_ = Part::BodyAhead;
  body_begin_ = begin_ + head_bytes;
  body_length_ = static_cast<std::size_t>(announced);
  body_bytes_max_ = limits_.body_bytes_max;
  const bool takes_memory = head_.chunked || body_begin_ + body_length_ > capacity_;
  const bool waits = head_.expects_continue && end_ - body_begin_ < body_length_;
  return takes_memory || waits ? Step::Ask : begin_body();
}

RequestReader::Step RequestReader::begin_body() {
  const std::string_view arrived(buffer_.get() + body_begin_, end_ - body_begin_);
  if (head_.chunked) {
    part_ = Part::ChunkedBody;
    decoder_.reset();
    decoded_end_ = body_begin_;
  } else if (body_begin_ + body_length_ <= capacity_) {
    part_ = Part::BodyInPlace;
    if (arrived.size() >= body_length_) return read_body_in_place();
  } else {
    part_ = Part::LargeBody;
    if (!large_body_.append(arrived, body_length_)) return refuse_busy();
  }
  return head_.expects_continue && arrived.empty() ? Step::Continue : next();
}

RequestReader::Step RequestReader::read_body_in_place() {
  if (end_ - body_begin_ < body_length_) return Step::Read;
  return whole({buffer_.get() + body_begin_, body_length_}, body_begin_ + body_length_);
}

RequestReader::Step RequestReader::read_large_body() {
  if (large_body_.size() == body_length_) return whole(large_body_.view(), end_);
  if (large_body_.room_bytes() == 0 && !large_body_.reserve(1, body_length_)) return refuse_busy();
  return Step::Read;
}

RequestReader::Step RequestReader::read_chunked_body() {
  while (decoded_end_ < end_) {
    const ChunkedDecoder::Step step = decoder_.next({buffer_.get() + decoded_end_, end_ - decoded_end_});
    decoded_end_ += step.consumed;
    switch (step.outcome) {
      case ChunkedDecoder::Outcome::More:
        break;
      case ChunkedDecoder::Outcome::Data:
        if (large_body_.size() + step.data.size() > body_bytes_max_) return refuse_too_large(body_bytes_max_);
        if (!large_body_.append(step.data, body_bytes_max_)) return refuse_busy();
        break;
      case ChunkedDecoder::Outcome::Done:
        // Nothing may have arrived in the end: the body still needs an address with padding behind it.
        return whole(large_body_.size() > 0 ? large_body_.view() : std::string_view(buffer_.get(), 0), decoded_end_);
      case ChunkedDecoder::Outcome::Malformed:
        return refuse("malformed-request", "The body is not in the chunked coding.");
      case ChunkedDecoder::Outcome::Trailer:
        return refuse("malformed-request", "Trailer fields are not accepted.");
    }
  }
  decoded_end_ = end_ = body_begin_;
  return Step::Read;
}

RequestReader::Step RequestReader::whole(std::string_view body, std::size_t request_end) {
  body_ = body;
  request_end_ = request_end;
  return Step::Whole;
}

RequestReader::Step RequestReader::refuse(std::string_view slug, std::string detail) {
  refusal_ = {slug, std::move(detail)};
  return Step::Refused;
}

RequestReader::Step RequestReader::refuse_busy() { return refuse("busy", "Too much is being received at the moment."); }

RequestReader::Step RequestReader::refuse_too_large(std::size_t bytes_max) {
  return refuse("payload-too-large", "The body is longer than " + std::to_string(bytes_max) + " bytes.");
}

std::string_view RequestReader::header(std::string_view name) const {
  const RequestHead::Field* first = nullptr;
  std::string* joined = nullptr;
  for (const RequestHead::Field& field : head_.fields) {
    if (!same_ignoring_case(field.name, name)) continue;
    if (first == nullptr) {
      first = &field;
      continue;
    }
    if (joined == nullptr) joined = &joined_.emplace_back(first->value);
    joined->append(", ").append(field.value);
  }
  if (joined != nullptr) return *joined;
  return first == nullptr ? std::string_view{} : first->value;
}

bool RequestReader::has_header(std::string_view name) const {
  return std::any_of(head_.fields.begin(), head_.fields.end(),
                     [&](const RequestHead::Field& field) { return same_ignoring_case(field.name, name); });
}

void RequestReader::end_request() {
  head_.clear();
  body_ = {};
  large_body_.clear();
  joined_.clear();
}

void RequestReader::shed_buffers() {
  if (large_body_.capacity() > 0) large_body_.free();
}

void RequestReader::compact() {
  std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

}  // namespace stele::net

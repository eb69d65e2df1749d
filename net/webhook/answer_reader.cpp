#include "net/webhook/answer_reader.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>

namespace stele::net {

namespace http = boost::beast::http;

namespace {
constexpr int interim_max = 16;
/// No chunked body ends with fewer bytes ("0", two line ends).
constexpr std::size_t last_chunk_bytes_min = 5;

/// Whether it may be the beginning of an answer. The parser looks at whole lines only.
bool may_be_answer(std::string_view bytes) {
  constexpr std::string_view version = "HTTP/1.";
  return bytes.substr(0, version.size()) == version.substr(0, bytes.size());
}

}  // namespace

void AnswerReader::begin() {
  parser_.emplace();
  is_begun_ = false;
  parser_->header_limit(head_bytes_max);
  parser_->body_limit(boost::none);
  parser_->eager(true);
}

AnswerReader::State AnswerReader::take(std::string_view bytes) {
  bytes_ += bytes.size();
  unused_ += bytes;
  return parse();
}

AnswerReader::State AnswerReader::end(bool in_order) {
  if (!in_order || !parser_->is_header_done() || !parser_->need_eof()) return State::BrokenOff;
  boost::system::error_code ec;
  parser_->put_eof(ec);
  return ec ? State::BrokenOff : State::Complete;
}

AnswerReader::State AnswerReader::parse() {
  std::array<char, 16 * 1024> piece;
  while (!parser_->is_done()) {
    const bool had_head = parser_->is_header_done();
    if (!is_begun_ && !may_be_answer(unused_)) return State::NotHttp;
    parser_->get().body() = {piece.data(), piece.size(), true};
    boost::system::error_code ec = http::error::need_more;
    // The parser asserts that it is never asked about less of a last chunk whose first line it has seen.
    const bool is_enough = !had_head || !parser_->chunked() || unused_.size() >= last_chunk_bytes_min;
    if (!unused_.empty() && is_enough) {
      const std::size_t used = parser_->put(boost::asio::buffer(unused_), ec);
      unused_.erase(0, used);
      is_begun_ = is_begun_ || used > 0;
    }
    if (ec && ec != http::error::need_more && ec != http::error::need_buffer) {
      return ec == http::error::header_limit ? State::HeadTooLarge : State::NotHttp;
    }
    if (!had_head && parser_->is_header_done()) {
      if (!take_head()) return State::NotHttp;
      if (status_ == 0) {
        begin();
        continue;
      }
    }
    const std::string_view got(piece.data(), piece.size() - parser_->get().body().size);
    const std::size_t room = body_bytes_max - body_.size();
    body_ += got.substr(0, room);
    // Whoever announces more than is kept need not send it.
    const bool is_more_announced =
        body_.size() == body_bytes_max && !parser_->is_done() && !parser_->chunked() && !parser_->need_eof();
    if (got.size() > room || is_more_announced) return State::Cut;
    if (ec == http::error::need_more && !parser_->is_done()) {
      if (bytes_ > bytes_max) return status_ == 0 ? State::HeadTooLarge : State::Cut;
      // The head has its own limit; what else the parser keeps for later is the line in front of a chunk.
      return unused_.size() > head_bytes_max ? State::NotHttp : State::NeedsMore;
    }
  }
  return State::Complete;
}

bool AnswerReader::take_head() {
  const auto& head = parser_->get().base();
  const int status = static_cast<int>(head.result_int());
  if (status < 100 || status == 101) return false;
  const std::size_t codings = head.count(http::field::transfer_encoding);
  if (codings > 1 || (codings == 1 && (!parser_->chunked() || head.version() < 11 ||
                                       !boost::beast::iequals(head[http::field::transfer_encoding], "chunked") ||
                                       head.count(http::field::content_length) > 0))) {
    return false;
  }
  if (status < 200) return ++interim_ <= interim_max;
  status_ = status;
  const auto wish = head[http::field::retry_after];
  retry_after_.assign(wish.data(), wish.size());
  return true;
}

}  // namespace stele::net

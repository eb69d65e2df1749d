#include "net/webhook/answer_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

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
  parser_.emplace(body_, body_bytes_max_);
  is_begun_ = false;
  parser_->header_limit(head_bytes_max);
  parser_->body_limit(boost::none);
  parser_->eager(true);
}

AnswerReader::State AnswerReader::take(std::string_view bytes) {
  bytes_ += bytes.size();
  // Most answers come at once.
  if (unused_.empty()) {
    const State state = parse(bytes);
    unused_ = bytes;
    return state;
  }
  unused_ += bytes;
  std::string_view all = unused_;
  const State state = parse(all);
  unused_.erase(0, unused_.size() - all.size());
  return state;
}

AnswerReader::State AnswerReader::end(bool in_order) {
  if (!in_order || !parser_->is_header_done() || !parser_->need_eof()) return State::BrokenOff;
  boost::system::error_code ec;
  parser_->put_eof(ec);
  return ec ? State::BrokenOff : State::Complete;
}

AnswerReader::State AnswerReader::parse(std::string_view& bytes) {
  while (!parser_->is_done()) {
    const bool had_head = parser_->is_header_done();
    if (!is_begun_ && !may_be_answer(bytes)) return State::NotHttp;
    boost::system::error_code ec = http::error::need_more;
    // The parser asserts that it is never asked about less of a last chunk whose first line it has seen.
    const bool is_enough = !had_head || !parser_->chunked() || bytes.size() >= last_chunk_bytes_min;
    if (!bytes.empty() && is_enough) {
      const std::size_t used = parser_->put(boost::asio::buffer(bytes.data(), bytes.size()), ec);
      bytes.remove_prefix(used);
      is_begun_ = is_begun_ || used > 0;
    }
    if (ec && ec != http::error::need_more && !parser_->is_body_cut) {
      return ec == http::error::header_limit ? State::HeadTooLarge : State::NotHttp;
    }
    if (!had_head && parser_->is_header_done()) {
      if (!take_head()) return State::NotHttp;
      if (status_ == 0) {
        begin();
        continue;
      }
    }
    // Whoever announces more than is kept need not send it.
    const bool is_more_announced =
        body_.size() == body_bytes_max_ && !parser_->is_done() && !parser_->chunked() && !parser_->need_eof();
    if (parser_->is_body_cut || is_more_announced) return State::Cut;
    if (ec == http::error::need_more && !parser_->is_done()) {
      if (bytes_ > framed_max * body_bytes_max_ + head_bytes_max)
        return status_ == 0 ? State::HeadTooLarge : State::Cut;
      // The head has its own limit; what else the parser keeps for later is the line in front of a chunk.
      return bytes.size() > head_bytes_max ? State::NotHttp : State::NeedsMore;
    }
  }
  return State::Complete;
}

bool AnswerReader::take_head() {
  if (parser_->status < 100 || parser_->status == 101) return false;
  const int codings = parser_->transfer_encodings;
  if (codings > 1 || (codings == 1 && (!parser_->chunked() || parser_->version < 11 || !parser_->is_plainly_chunked ||
                                       parser_->content_lengths > 0))) {
    return false;
  }
  if (parser_->status < 200) return ++interim_ <= interim_max;
  status_ = parser_->status;
  retry_after_ = std::move(parser_->retry_after);
  return true;
}

}  // namespace stele::net

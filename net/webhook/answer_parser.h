#pragma once
// Takes apart one message of an answer, as far as anybody wants to know it: Beast's parser, without its fields.

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http/request_head.h"

namespace stele::net {

/// Of an answer to a POST, or one of 1xx before it. Collects what Beast finds; the judgement is AnswerReader's.
class AnswerParser final : public boost::beast::http::basic_parser<false> {
 public:
  /// At most `body_max` bytes of a body are appended to `body`, which must outlive it.
  AnswerParser(std::string& body, std::size_t body_max) : body_(body), body_max_(body_max) {}

  // Once the head is done.
  int status = 0;
  int version = 0;
  int transfer_encodings = 0;
  int content_lengths = 0;
  bool is_plainly_chunked = false;  ///< the last Transfer-Encoding is that and nothing else
  bool has_retry_after = false;
  std::string retry_after;  ///< of the first such field

  /// There was more of a body; put() has ended with an error there.
  bool is_body_cut = false;

 private:
  using View = boost::beast::string_view;
  using ErrorCode = boost::system::error_code;

  void on_request_impl(boost::beast::http::verb, View, View, int, ErrorCode& ec) override {
    ec = boost::beast::http::error::bad_version;
  }
  void on_response_impl(int code, View, int http_version, ErrorCode& ec) override {
    ec = {};
    status = code;
    version = http_version;
  }
  void on_field_impl(boost::beast::http::field field, View, View value, ErrorCode& ec) override {
    ec = {};
    if (is_header_done()) return;  // a trailer
    switch (field) {
      case boost::beast::http::field::transfer_encoding:
        ++transfer_encodings;
        is_plainly_chunked = same_ignoring_case({value.data(), value.size()}, "chunked");
        break;
      case boost::beast::http::field::content_length:
        ++content_lengths;
        break;
      case boost::beast::http::field::retry_after:
        if (!has_retry_after) retry_after.assign(value.data(), value.size());
        has_retry_after = true;
        break;
      default:
        break;
    }
  }
  void on_header_impl(ErrorCode& ec) override { ec = {}; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode& ec) override { ec = {}; }
  std::size_t on_body_impl(View piece, ErrorCode& ec) override {
    ec = {};
    const std::size_t room = body_max_ - body_.size();
    body_.append(piece.data(), piece.size() < room ? piece.size() : room);
    if (piece.size() > room) {
      is_body_cut = true;
      ec = boost::beast::http::error::body_limit;
    }
    return piece.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, ErrorCode& ec) override { ec = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t, View piece, ErrorCode& ec) override { return on_body_impl(piece, ec); }
  void on_finish_impl(ErrorCode& ec) override { ec = {}; }

  std::string& body_;
  const std::size_t body_max_;
};

}  // namespace stele::net

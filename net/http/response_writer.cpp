#include "net/http/response_writer.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <charconv>
#include <utility>

namespace stele::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// A body up to this size is copied behind the head: cheaper than a second buffer for the kernel.
constexpr std::size_t small_body_max = 8 * 1024;
/// What a slow reader may hold of an answer without taking it from the budget of all connections.
constexpr std::size_t unheld_max = 128 * 1024;
/// Buffers larger than this are not kept for the next answer.
constexpr std::size_t kept_max = 256 * 1024;
/// The same for an idle connection.
constexpr std::size_t kept_idle_max = 16 * 1024;

}  // namespace

bool ResponseWriter::must_hold(std::size_t bytes) const { return bytes > unheld_max && bytes > held_bytes_; }

bool ResponseWriter::hold(std::size_t bytes, std::string payer) {
  if (held_bytes_ == 0) payer_ = std::move(payer);
  if (!budget_.take_body_bytes(bytes - held_bytes_, payer_)) return false;
  held_bytes_ = bytes;
  return true;
}

void ResponseWriter::force_hold(std::size_t bytes, std::string payer) {
  if (held_bytes_ == 0) payer_ = std::move(payer);
  budget_.force_body_bytes(bytes - held_bytes_, payer_);
  held_bytes_ = bytes;
}

void ResponseWriter::begin(const api::Response& response, Framing framing, std::string_view date, bool with_body) {
  const bool has_body = may_have_body(response.status) && response.source == nullptr && response.pushed == nullptr;
  if (has_body) framing.content_length = response.body.size();
  out_.clear();
  append_response_head(out_, response, framing, date);
  pending_ = {};
  body_bytes_sent_ = 0;
  if (with_body && has_body) {
    body_bytes_sent_ = response.body.size();
    if (response.body.size() <= small_body_max) {
      out_ += response.body;
    } else {
      pending_[1] = asio::const_buffer(response.body.data(), response.body.size());
    }
  }
  pending_[0] = asio::const_buffer(out_.data(), out_.size());
  pending_bytes_ = pending_[0].size() + pending_[1].size();
}

void ResponseWriter::begin_continue() {
  out_ = "HTTP/1.1 100 Continue\r\n\r\n";
  pending_ = {asio::const_buffer(out_.data(), out_.size()), {}, {}};
  pending_bytes_ = out_.size();
}

void ResponseWriter::begin_stream(const api::Response& response, const Framing& framing, std::string_view date) {
  chunked_ = framing.chunked;
  body_bytes_sent_ = 0;
  out_.clear();
  append_response_head(out_, response, framing, date);
}

std::string& ResponseWriter::fresh_piece() {
  out_.clear();
  piece_.clear();
  return piece_;
}

void ResponseWriter::begin_piece(bool more) {
  std::string_view behind;
  if (chunked_) {
    if (!piece_.empty()) {
      std::array<char, 16> digits;
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), piece_.size(), 16).ptr;
      out_.append(digits.data(), static_cast<std::size_t>(end - digits.data())).append("\r\n");
      behind = more ? "\r\n" : "\r\n0\r\n\r\n";
    } else if (!more) {
      behind = "0\r\n\r\n";
    }
  }
  body_bytes_sent_ += piece_.size();
  pending_ = {asio::const_buffer(out_.data(), out_.size()), asio::const_buffer(piece_.data(), piece_.size()),
              asio::const_buffer(behind.data(), behind.size())};
  pending_bytes_ = out_.size() + piece_.size() + behind.size();
}

bool ResponseWriter::write_now(Transport& transport) {
  error_code ec;
  (void)write_some(transport, ec);
  return !ec && pending_bytes_ == 0;
}

std::size_t ResponseWriter::write_some(Transport& transport, error_code& ec) {
  const std::size_t bytes = transport.write_now(pending_, pending_bytes_, ec);
  if (ec) return 0;
  consume(bytes);
  return bytes;
}

void ResponseWriter::consume(std::size_t bytes) {
  pending_bytes_ -= bytes;
  for (asio::const_buffer& buffer : pending_) {
    const std::size_t taken = std::min(bytes, buffer.size());
    buffer += taken;
    bytes -= taken;
    if (bytes == 0) break;
  }
}

void ResponseWriter::end_answer() {
  pending_bytes_ = 0;
  body_bytes_sent_ = 0;
  if (out_.capacity() > kept_max) std::string().swap(out_);
  if (piece_.capacity() > kept_max) std::string().swap(piece_);
  release();
}

void ResponseWriter::shed_buffers() {
  for (std::string* buffer : {&out_, &piece_}) {
    if (buffer->capacity() > kept_idle_max) std::string().swap(*buffer);
  }
  release();
}

void ResponseWriter::release() { budget_.give_body_bytes(std::exchange(held_bytes_, 0), payer_); }

}  // namespace stele::net

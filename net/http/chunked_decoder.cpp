#include "net/http/chunked_decoder.h"

#include <algorithm>

#include "api/json/hex.h"

namespace stele::net {

ChunkedDecoder::Step ChunkedDecoder::next(std::string_view input) {
  std::size_t at = 0;
  const auto fail = [&] { return Step{Outcome::Malformed, at, {}}; };
  while (at < input.size()) {
    if (state_ == State::Data) {
      const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - at));
      left_ -= size;
      if (left_ == 0) state_ = State::DataCr;
      return {Outcome::Data, at + size, input.substr(at, size)};
    }
    const char c = input[at++];
    switch (state_) {
      case State::SizeFirst:
        left_ = 0;
        digits_ = extension_bytes_ = 0;
        if (api::hex_value(c) < 0) return fail();
        state_ = State::Size;
        [[fallthrough]];
      case State::Size: {
        const int digit = api::hex_value(c);
        if (digit >= 0) {
          if (++digits_ > 15) return fail();
          left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        } else if (c == '\r') {
          state_ = State::SizeLf;
        } else if (c == ';') {
          state_ = State::Extension;
        } else {
          return fail();
        }
        break;
      }
      case State::Extension:
        if (c == '\r') {
          state_ = State::SizeLf;
        } else if (++extension_bytes_ > extension_bytes_max || (static_cast<unsigned char>(c) < 0x20 && c != '\t') ||
                   c == 0x7F) {
          return fail();
        }
        break;
      case State::SizeLf:
        if (c != '\n') return fail();
        state_ = left_ == 0 ? State::EndCr : State::Data;
        break;
      case State::DataCr:
        if (c != '\r') return fail();
        state_ = State::DataLf;
        break;
      case State::DataLf:
        if (c != '\n') return fail();
        state_ = State::SizeFirst;
        break;
      case State::EndCr:
        if (c != '\r') return {Outcome::Trailer, at, {}};
        state_ = State::EndLf;
        break;
      case State::EndLf:
        if (c != '\n') return fail();
        return {Outcome::Done, at, {}};
      case State::Data:
        break;
    }
  }
  return {Outcome::More, at, {}};
}

}  // namespace stele::net

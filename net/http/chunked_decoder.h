#pragma once
// Takes the chunked transfer coding (RFC 9112, 7.1) off a request body. No I/O: bytes in, body bytes out. Strict: CRLF
// only, short extensions, no trailer fields.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stele::net {

class ChunkedDecoder {
 public:
  enum class Outcome {
    More,       ///< all input is used up; feed more
    Data,       ///< `data` holds body bytes; call again with the rest of the input
    Done,       ///< the body has ended; what is left of the input belongs to the next request
    Malformed,  ///< not the chunked coding
    Trailer,    ///< a trailer field follows the body
  };

  struct Step {
    Outcome outcome;
    std::size_t consumed;   ///< bytes of the input that are used up, `data` included
    std::string_view data;  ///< points into the input
  };

  /// Looks at `input` up to the next piece of body or the end. After Done, Malformed or Trailer only reset() may
  /// follow.
  [[nodiscard]] Step next(std::string_view input);

  void reset() { *this = ChunkedDecoder{}; }

 private:
  enum class State { SizeFirst, Size, Extension, SizeLf, Data, DataCr, DataLf, EndCr, EndLf };

  static constexpr std::size_t extension_bytes_max = 256;

  State state_ = State::SizeFirst;
  std::uint64_t left_ = 0;  ///< bytes of the chunk not seen yet; its size while that is read
  std::size_t digits_ = 0;
  std::size_t extension_bytes_ = 0;
};

}  // namespace stele::net

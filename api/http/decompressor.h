#pragma once
// Takes the content coding off bytes that nobody vouches for: a request body as a whole, or a stream piece by piece.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "api/http/content_coding.h"

namespace stele::api {

/// What a receiver of the content coding zstd must have (RFC 8878, 3.1.1.1.2), and all that one may cost here: 8 MiB.
inline constexpr int kZstdWindowLogMax = 23;

/// Several gzip members or zstd frames, one after the other, are one stream. Memory is bounded by the largest window.
/// One thread. Throws std::bad_alloc.
class Decompressor {
 public:
  enum class State {
    Inside,          ///< it goes on: with more input, or with more room
    Whole,           ///< it may end here, behind a member or frame
    Damaged,         ///< not this coding, or followed by something else; for ever
    WindowTooLarge,  ///< a zstd frame needs more memory than the largest window; for ever
  };

  /// `coding`: not Identity.
  explicit Decompressor(ContentCoding coding, int zstd_window_log_max = kZstdWindowLogMax);
  ~Decompressor();
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  /// Goes on until `in` is used up and all of it is out, or there is no room. Takes what it used off both. Input that
  /// ends while it is Inside and room is left was cut short.
  State step(std::string_view& in, std::span<char>& room);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What became of a body.
struct Decompressed {
  enum class Outcome {
    Whole,
    TooLarge,        ///< it goes on beyond the limit
    WindowTooLarge,  ///< a zstd frame needs more than 2^kZstdWindowLogMax bytes of memory
    Damaged,         ///< not this coding, cut short, or followed by something else
  };
  Outcome outcome = Outcome::Damaged;
  std::string bytes;  ///< if it is whole; as many readable bytes as padding_bytes asked for follow, inside the capacity
};

/// `coding`: not Identity. Time and memory are bounded by the sizes of `body` and of `bytes_max`, whatever the body
/// claims of itself: 8 MiB of window at most besides. Throws std::bad_alloc.
[[nodiscard]] Decompressed decompress(ContentCoding coding, std::string_view body, std::size_t bytes_max,
                                      std::size_t padding_bytes);

}  // namespace stele::api

#pragma once
// Takes the content coding off a request body, which nobody vouches for.

#include <cstddef>
#include <string>
#include <string_view>

#include "api/content_coding.h"

namespace stele::api {

/// What became of a body.
struct Decompressed {
  enum class Outcome {
    Whole,
    TooLarge,  ///< it goes on beyond the limit, or needs more memory than the limit of windows
    Damaged,   ///< not this coding, cut short, or followed by something else
  };
  Outcome outcome = Outcome::Damaged;
  std::string bytes;  ///< if it is whole; as many readable bytes as padding_bytes asked for follow, inside the capacity
};

/// `coding`: not Identity. Time and memory are bounded by the sizes of `body` and of `bytes_max`, whatever the body claims of itself: 8 MiB
/// of window at most besides. Several gzip members or zstd frames, one after the other, are one body. Throws std::bad_alloc.
[[nodiscard]] Decompressed decompress(ContentCoding coding, std::string_view body, std::size_t bytes_max,
                                      std::size_t padding_bytes);

}  // namespace stele::api

#include "api/decompressor.h"

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <new>

#include "engine/base/check.h"

namespace stele::api {

namespace {

using Outcome = Decompressed::Outcome;

constexpr int kGzipWindow = 15 + 16;     // up to 32 KiB, with the header of gzip
constexpr int kZstdWindowLogMax = 23;    // what a receiver of this content coding must have (RFC 8878, 3.1.1.1.2)
constexpr std::size_t kStepBytes = 4096;  // of the first piece of output; they double

/// Room for output that grows with what has come, up to one byte beyond the limit: by that byte a body is found to be too large.
class Output {
 public:
  Output(std::string& to, std::size_t bytes_max) : to_(to), end_max_(bytes_max + 1) {}

  /// False if there is no more.
  [[nodiscard]] bool has_room() {
    if (used_ < to_.size()) return true;
    if (used_ == end_max_) return false;
    to_.resize(std::min(std::max(to_.size() * 2, kStepBytes), end_max_));
    return true;
  }
  [[nodiscard]] char* begin() { return to_.data() + used_; }
  [[nodiscard]] std::size_t room() const { return to_.size() - used_; }
  void grew(std::size_t bytes) { used_ += bytes; }
  [[nodiscard]] bool too_large() const { return used_ == end_max_; }
  [[nodiscard]] std::size_t size() const { return used_; }

 private:
  std::string& to_;
  const std::size_t end_max_;
  std::size_t used_ = 0;
};

class Inflater {
 public:
  Inflater() {
    if (::inflateInit2(&stream, kGzipWindow) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { (void)::inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream{};
};

Outcome gunzip(std::string_view body, Output& output) {
  STELE_CHECK(body.size() <= std::numeric_limits<uInt>::max());
  Inflater inflater;
  z_stream& stream = inflater.stream;
  stream.next_in = reinterpret_cast<const Bytef*>(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  for (;;) {
    if (!output.has_room()) return Outcome::TooLarge;
    const auto room = static_cast<uInt>(std::min<std::size_t>(output.room(), std::numeric_limits<uInt>::max()));
    stream.next_out = reinterpret_cast<Bytef*>(output.begin());
    stream.avail_out = room;
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    output.grew(room - stream.avail_out);
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result == Z_STREAM_END) {
      if (output.too_large()) return Outcome::TooLarge;
      if (stream.avail_in == 0) return Outcome::Whole;
      (void)::inflateReset(&stream);
    } else if (result == Z_BUF_ERROR ? stream.avail_out != 0 : result != Z_OK) {
      return Outcome::Damaged;  // Z_BUF_ERROR with room left: the input has ended too early
    }
  }
}

struct FreeZstd {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Outcome unzstd(std::string_view body, Output& output) {
  const std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
  if (context == nullptr) throw std::bad_alloc();
  STELE_CHECK(ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax)) == 0);
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  std::size_t expected = 1;  // 0 between two frames
  for (;;) {
    if (in.pos == in.size && expected == 0) return output.too_large() ? Outcome::TooLarge : Outcome::Whole;
    if (!output.has_room()) return Outcome::TooLarge;
    ZSTD_outBuffer out{output.begin(), output.room(), 0};
    const std::size_t taken = in.pos;
    expected = ZSTD_decompressStream(context.get(), &out, &in);
    output.grew(out.pos);
    if (ZSTD_isError(expected) != 0) {
      const ZSTD_ErrorCode why = ZSTD_getErrorCode(expected);
      if (why == ZSTD_error_memory_allocation) throw std::bad_alloc();
      return why == ZSTD_error_frameParameter_windowTooLarge ? Outcome::TooLarge : Outcome::Damaged;
    }
    // Nothing came in, nothing came out: the input has ended too early.
    if (in.pos == taken && out.pos == 0 && expected != 0) return Outcome::Damaged;
  }
}

}  // namespace

Decompressed decompress(ContentCoding coding, std::string_view body, std::size_t bytes_max, std::size_t padding_bytes) {
  STELE_CHECK(coding != ContentCoding::Identity);
  Decompressed result;
  if (body.empty()) return result;
  Output output(result.bytes, bytes_max);
  result.outcome = coding == ContentCoding::Gzip ? gunzip(body, output) : unzstd(body, output);
  if (result.outcome != Outcome::Whole) {
    std::string().swap(result.bytes);  // gives the memory back, which an assignment would not
    return result;
  }
  // The padding is read, though never used: give it a value.
  result.bytes.resize(output.size());
  result.bytes.append(padding_bytes, '\0');
  result.bytes.resize(output.size());
  return result;
}

}  // namespace stele::api

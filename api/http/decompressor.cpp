#include "api/http/decompressor.h"

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <limits>
#include <new>

#include "engine/base/check.h"

namespace stele::api {

namespace {

using State = Decompressor::State;
using DecompressOutcome = Decompressed::Outcome;

constexpr int kGzipReadWindow = 15 + 16;  // up to 32 KiB, with the header of gzip
constexpr std::size_t kStepBytes = 4096;  // of the first piece of output; they double

/// Room for output that grows with what has come, up to one byte beyond the limit: by that byte a body is found to be
/// too large.
class Output {
 public:
  Output(std::string& to, std::size_t bytes_max) : to_(to), end_max_(bytes_max + 1) {}

  /// Not empty.
  [[nodiscard]] std::span<char> room() {
    if (used_ == to_.size()) to_.resize(std::min(std::max(to_.size() * 2, kStepBytes), end_max_));
    return std::span(to_).subspan(used_);
  }
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
    if (::inflateInit2(&stream_, kGzipReadWindow) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { (void)::inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  State step(std::string_view& in, std::span<char>& room) {
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
    if (ended_) (void)::inflateReset(&stream_);  // another member follows
    stream_.next_in = reinterpret_cast<const Bytef*>(in.data());
    stream_.avail_in = static_cast<uInt>(std::min(in.size(), kMost));
    stream_.next_out = reinterpret_cast<Bytef*>(room.data());
    stream_.avail_out = static_cast<uInt>(std::min(room.size(), kMost));
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    in.remove_prefix(static_cast<std::size_t>(reinterpret_cast<const char*>(stream_.next_in) - in.data()));
    room = room.subspan(static_cast<std::size_t>(reinterpret_cast<char*>(stream_.next_out) - room.data()));
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    ended_ = result == Z_STREAM_END;
    if (ended_) return State::Whole;
    return result == Z_OK || result == Z_BUF_ERROR ? State::Inside : State::Damaged;
  }

 private:
  z_stream stream_{};
  bool ended_ = false;
};

class Unzstd {
 public:
  explicit Unzstd(int window_log_max) : context_(ZSTD_createDCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    STELE_CHECK(ZSTD_isError(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, window_log_max)) == 0);
  }

  State step(std::string_view& in, std::span<char>& room) {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{room.data(), room.size(), 0};
    const std::size_t expected = ZSTD_decompressStream(context_.get(), &to, &from);
    in.remove_prefix(from.pos);
    room = room.subspan(to.pos);
    if (ZSTD_isError(expected) == 0) return expected == 0 ? State::Whole : State::Inside;
    const ZSTD_ErrorCode why = ZSTD_getErrorCode(expected);
    if (why == ZSTD_error_memory_allocation) throw std::bad_alloc();
    return why == ZSTD_error_frameParameter_windowTooLarge ? State::WindowTooLarge : State::Damaged;
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
};

}  // namespace

struct Decompressor::Impl {
  std::unique_ptr<Inflater> gzip;  ///< one of the two
  std::unique_ptr<Unzstd> zstd;
  State state = State::Inside;
};

Decompressor::Decompressor(ContentCoding coding, int zstd_window_log_max) : impl_(std::make_unique<Impl>()) {
  STELE_CHECK(coding != ContentCoding::Identity);
  if (coding == ContentCoding::Gzip) {
    impl_->gzip = std::make_unique<Inflater>();
  } else {
    impl_->zstd = std::make_unique<Unzstd>(zstd_window_log_max);
  }
}

Decompressor::~Decompressor() = default;

State Decompressor::step(std::string_view& in, std::span<char>& room) {
  State& state = impl_->state;
  while (!room.empty() && (state == State::Inside || (state == State::Whole && !in.empty()))) {
    const std::size_t in_before = in.size();
    const std::size_t room_before = room.size();
    state = impl_->gzip ? impl_->gzip->step(in, room) : impl_->zstd->step(in, room);
    if (in.size() == in_before && room.size() == room_before) break;
  }
  return state;
}

Decompressed decompress(ContentCoding coding, std::string_view body, std::size_t bytes_max, std::size_t padding_bytes) {
  Decompressed result;
  Decompressor decompressor(coding);
  Output output(result.bytes, bytes_max);
  for (bool more = true; more;) {
    const std::span<char> given = output.room();
    std::span<char> room = given;
    const State state = decompressor.step(body, room);
    output.grew(given.size() - room.size());
    more = false;
    if (state == State::WindowTooLarge) {
      result.outcome = DecompressOutcome::WindowTooLarge;
    } else if (state == State::Damaged) {
      result.outcome = DecompressOutcome::Damaged;
    } else if (output.too_large()) {
      result.outcome = DecompressOutcome::TooLarge;
    } else if (state == State::Whole && body.empty()) {
      result.outcome = DecompressOutcome::Whole;
    } else {
      more = room.empty();  // else the input has ended too early
    }
  }
  if (result.outcome != DecompressOutcome::Whole) {
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

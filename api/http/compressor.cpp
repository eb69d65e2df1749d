#include "api/http/compressor.h"

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <new>
#include <optional>

#include "engine/base/check.h"

namespace stele::api {

namespace {

constexpr int kGzipLevel = 2;
constexpr int kGzipWindow = 15 + 16;  // 32 KiB, with the header of gzip
constexpr int kZstdLevel = 3;
/// With the parameters of the level a stream, whose length nobody knows, would take several MiB.
constexpr int kZstdStreamWindowLog = 16;
constexpr int kZstdStreamTableLog = 15;
constexpr std::size_t kOutputStep = 16U << 10;

class Deflater {
 public:
  Deflater() {
    if (::deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~Deflater() { (void)::deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  void reset() { (void)::deflateReset(&stream_); }
  void add(std::string_view piece, bool last, std::string& to) {
    STELE_CHECK(piece.size() <= std::numeric_limits<uInt>::max());
    stream_.next_in = reinterpret_cast<const Bytef*>(piece.data());
    stream_.avail_in = static_cast<uInt>(piece.size());
    int result = Z_OK;
    do {
      const std::size_t from = to.size();
      to.resize(from + kOutputStep);
      stream_.next_out = reinterpret_cast<Bytef*>(to.data() + from);
      stream_.avail_out = static_cast<uInt>(kOutputStep);
      result = ::deflate(&stream_, last ? Z_FINISH : Z_SYNC_FLUSH);
      to.resize(from + kOutputStep - stream_.avail_out);
    } while (last ? result == Z_OK || result == Z_BUF_ERROR : stream_.avail_out == 0);
    STELE_CHECK(result != Z_STREAM_ERROR);
  }

 private:
  z_stream stream_{};
};

struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
using ZstdContext = std::unique_ptr<ZSTD_CCtx, FreeZstd>;

ZstdContext new_zstd() {
  ZstdContext context(ZSTD_createCCtx());
  if (context == nullptr) throw std::bad_alloc();
  return context;
}

void set(ZSTD_CCtx& context, ZSTD_cParameter parameter, int value) {
  STELE_CHECK(ZSTD_isError(ZSTD_CCtx_setParameter(&context, parameter, value)) == 0);
}

}  // namespace

struct Compressor::State {
  std::optional<Deflater> deflater;
  ZstdContext zstd;
};

Compressor::Compressor(ContentCoding coding) : state_(std::make_unique<State>()) {
  STELE_CHECK(coding != ContentCoding::Identity);
  if (coding == ContentCoding::Gzip) {
    state_->deflater.emplace();
    return;
  }
  state_->zstd = new_zstd();
  set(*state_->zstd, ZSTD_c_compressionLevel, kZstdLevel);
  set(*state_->zstd, ZSTD_c_windowLog, kZstdStreamWindowLog);
  set(*state_->zstd, ZSTD_c_hashLog, kZstdStreamTableLog);
  set(*state_->zstd, ZSTD_c_chainLog, kZstdStreamTableLog);
}

Compressor::~Compressor() = default;

void Compressor::add(std::string_view piece, bool last, std::string& to) {
  if (state_->deflater) return state_->deflater->add(piece, last, to);
  ZSTD_inBuffer in{piece.data(), piece.size(), 0};
  std::size_t left = 0;
  do {
    const std::size_t from = to.size();
    to.resize(from + kOutputStep);
    ZSTD_outBuffer out{to.data() + from, kOutputStep, 0};
    left = ZSTD_compressStream2(state_->zstd.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_flush);
    to.resize(from + out.pos);
    // With these arguments it fails for want of memory only.
    if (ZSTD_isError(left) != 0) throw std::bad_alloc();
  } while (left > 0 || in.pos < in.size);
}

std::string compress(ContentCoding coding, std::string_view body) {
  STELE_CHECK(coding != ContentCoding::Identity);
  std::string to;
  if (coding == ContentCoding::Gzip) {
    static thread_local Deflater deflater;
    deflater.reset();
    to.reserve(std::max(body.size() / 4, kOutputStep));
    deflater.add(body, true, to);
    return to;
  }
  static thread_local const ZstdContext zstd = new_zstd();
  to.resize(ZSTD_compressBound(body.size()));
  const std::size_t size = ZSTD_compressCCtx(zstd.get(), to.data(), to.size(), body.data(), body.size(), kZstdLevel);
  if (ZSTD_isError(size) != 0) throw std::bad_alloc();
  to.resize(size);
  return to;
}

}  // namespace stele::api

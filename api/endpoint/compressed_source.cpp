#include "api/endpoint/compressed_source.h"

#include <atomic>
#include <utility>

namespace stele::api {

namespace {

/// Each holds up to three quarters of a MiB.
constexpr int kStreamsMax = 128;
std::atomic<int> streams{0};

}  // namespace

std::unique_ptr<BodySource> CompressedSource::wrap(std::unique_ptr<BodySource>& source, ContentCoding coding) {
  if (streams.load() >= kStreamsMax) return nullptr;
  std::unique_ptr<CompressedSource> wrapped(new CompressedSource(coding));
  wrapped->source_ = std::move(source);
  return wrapped;
}

CompressedSource::CompressedSource(ContentCoding coding) : compressor_(coding) { streams.fetch_add(1); }

CompressedSource::~CompressedSource() { streams.fetch_sub(1); }

Result<bool> CompressedSource::next(std::string& to) {
  piece_.clear();
  STELE_ASSIGN(const bool more, source_->next(piece_));
  if (!piece_.empty() || !more) compressor_.add(piece_, !more, to);
  return more;
}

}  // namespace stele::api

#include "engine/log/state_file.h"

#include <array>
#include <atomic>
#include <thread>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"

namespace stele {
namespace {

constexpr std::string_view kStateMagic = "STELEST1";
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kStateChecksumAt = 72;
constexpr std::size_t kStateBytes = 80;
constexpr std::uint64_t kFileBytes = 4096;

std::string encode(const DurableState& state, std::uint64_t version) {
  std::string bytes(kStateMagic);
  put<std::uint64_t>(bytes, version);
  bytes.append(as_bytes(state.store_id));
  put<std::uint64_t>(bytes, state.end.value());
  put<std::uint64_t>(bytes, state.segment.value());
  put<std::uint64_t>(bytes, state.offset.value());
  put<std::uint32_t>(bytes, state.process_id);
  put<std::uint32_t>(bytes, state.closed_cleanly ? 1 : 0);
  put<std::uint64_t>(bytes, 0);
  STELE_CHECK(bytes.size() == kStateChecksumAt);
  put<std::uint64_t>(bytes, xxh3(bytes));
  return bytes;
}

}  // namespace

Result<std::unique_ptr<StateFile>> StateFile::open(FileSystem& file_system, const std::string& path) {
  STELE_ASSIGN(std::unique_ptr<File> file, file_system.open(path, OpenMode::OpenOrCreate));
  STELE_TRY(file->allocate(kFileBytes));
  STELE_ASSIGN(std::unique_ptr<Mapping> mapping, file->map_writable(kFileBytes));
  return std::unique_ptr<StateFile>(new StateFile(std::move(mapping)));
}

void StateFile::publish(const DurableState& state) {
  // A seqlock (Lameter, 2005): the version is odd while the rest changes. The checksum covers what the lock cannot, a
  // process that dies in between.
  version_ += 2;
  const std::string bytes = encode(state, version_);
  char* const to = mapping_->writable();
  const auto word = [to](std::size_t at) {
    return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(to + at));
  };
  word(kVersionAt).store(version_ - 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (std::size_t at = 0; at < kStateBytes; at += 8) {
    if (at != kVersionAt) word(at).store(get_at<std::uint64_t>(bytes.data() + at), std::memory_order_relaxed);
  }
  word(kVersionAt).store(version_, std::memory_order_release);
}

std::optional<DurableState> read_state(FileSystem& file_system, const std::string& path,
                                       std::chrono::milliseconds patience) {
  auto file = file_system.open(path, OpenMode::Read);
  if (!file) return std::nullopt;
  // To publish takes less than a few reads do, unless whoever does it has to give up its processor in the midst of it.
  constexpr int kTriesAtOnce = 100;
  const auto until = std::chrono::steady_clock::now() + patience;
  for (int tries = 1;; ++tries) {
    std::array<char, kStateBytes> bytes;
    if (!(*file)->read_at(ByteOffset{0}, bytes)) return std::nullopt;
    const std::string_view view(bytes.data(), bytes.size());
    if (get_at<std::uint64_t>(bytes.data() + kVersionAt) % 2 != 0 ||
        xxh3(view.substr(0, kStateChecksumAt)) != get_at<std::uint64_t>(bytes.data() + kStateChecksumAt)) {
      if (tries < kTriesAtOnce) continue;
      if (std::chrono::steady_clock::now() >= until) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
      continue;
    }
    ByteReader in(view);
    if (in.take_bytes(kStateMagic.size()) != kStateMagic) return std::nullopt;
    (void)in.take<std::uint64_t>();
    DurableState state;
    state.store_id = in.take_uuid();
    state.end = Position{in.take<std::uint64_t>()};
    state.segment = SegmentId{in.take<std::uint64_t>()};
    state.offset = ByteOffset{in.take<std::uint64_t>()};
    state.process_id = in.take<std::uint32_t>();
    state.closed_cleanly = in.take<std::uint32_t>() != 0;
    return state;
  }
}

}  // namespace stele

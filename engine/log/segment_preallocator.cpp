#include "engine/log/segment_preallocator.h"

#include <algorithm>
#include <chrono>

#include "engine/base/memory_reserve.h"
#include "engine/base/zeros.h"
#include "engine/log/log_folder.h"

namespace stele {
namespace {

constexpr std::uint64_t kChunkBytes = 1ULL << 20;
constexpr std::uint64_t kFillSyncBytes = 8ULL << 20;

std::string prepared_path(const PreallocatorOptions& options, SegmentId id) {
  return options.folder + "/" + segment_name(id, kPreparedSuffix);
}

}  // namespace

Result<std::unique_ptr<File>> create_segment(const PreallocatorOptions& options, SegmentId id, bool fill) {
  const std::string path = prepared_path(options, id);
  if (options.guard != nullptr) STELE_TRY(options.guard->look());
  if (Status removed = options.file_system->remove(path); !removed && removed.error().kind != ErrorKind::NotFound) {
    return removed.error();
  }
  STELE_ASSIGN(std::unique_ptr<File> file, options.file_system->open(path, OpenMode::CreateNew));
  const auto make = [&]() -> Status {
    STELE_TRY(file->allocate(options.segment_bytes));
    const SegmentHeader header{.store_id = options.store_id, .segment = id, .created = options.clock->now()};
    STELE_TRY(file->write_at(ByteOffset{0}, encode_segment_header(header)));
    if (fill) STELE_TRY(write_zeros(*file, kSegmentHeaderBytes, options.segment_bytes));
    return file->sync_data();
  };
  if (Status made = make(); !made) {
    file.reset();
    (void)options.file_system->remove(path);
    return made.error();
  }
  return file;
}

SegmentPreallocator::SegmentPreallocator(PreallocatorOptions options) : options_(std::move(options)) {
  if (options_.fill_bytes_per_second > 0) thread_ = std::thread([this] { run(); });
}

SegmentPreallocator::~SegmentPreallocator() { stop(); }

void SegmentPreallocator::stop() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  SegmentId unused;
  {
    const MutexLock lock(mutex_);
    if (!ready_) return;
    ready_.reset();
    unused = ready_id_;
  }
  remove_prepared(unused);
}

void SegmentPreallocator::remove_prepared(SegmentId id) {
  // In another folder under this name it may be another store's.
  if (options_.guard != nullptr && !options_.guard->look()) return;
  (void)options_.file_system->remove(prepared_path(options_, id));
}

void SegmentPreallocator::want(SegmentId next) {
  {
    const MutexLock lock(mutex_);
    wanted_ = next;
  }
  changed_.notify_all();
}

Result<std::unique_ptr<File>> SegmentPreallocator::take(SegmentId id, bool fill) {
  MutexLock lock(mutex_);
  if (ready_ && ready_id_ == id) return std::move(ready_);
  if (wanted_ == id) wanted_.reset();
  // The filler gives its half-made file up within a chunk; both would use the same name.
  while (working_ == id) changed_.wait(lock);
  if (ready_ && ready_id_ == id) return std::move(ready_);
  if (thread_.joinable() && !fill) ++unprepared_;
  lock.unlock();
  return create_segment(options_, id, fill);
}

void SegmentPreallocator::give_back(SegmentId id, std::unique_ptr<File> file) {
  const MutexLock lock(mutex_);
  wanted_.reset();
  ready_ = std::move(file);
  ready_id_ = id;
}

bool SegmentPreallocator::ready() const {
  const MutexLock lock(mutex_);
  return ready_ != nullptr;
}

std::uint64_t SegmentPreallocator::unprepared() const {
  const MutexLock lock(mutex_);
  return unprepared_;
}

std::string SegmentPreallocator::trouble() const {
  const MutexLock lock(mutex_);
  return trouble_;
}

void SegmentPreallocator::run() {
  prepare_thread_memory();
  MutexLock lock(mutex_);
  while (!stop_) {
    if (!wanted_) {
      changed_.wait(lock);
      continue;
    }
    const SegmentId id = *wanted_;
    working_ = id;
    lock.unlock();
    auto file = create_segment(options_, id, false);
    Status filled = file ? fill_throttled(**file) : Status(file.error());
    lock.lock();
    working_.reset();
    const bool still_wanted = wanted_ == id && !stop_;
    if (filled && still_wanted) {
      ready_ = std::move(*file);
      ready_id_ = id;
      wanted_.reset();
      trouble_.clear();
    } else if (file) {
      file->reset();
      remove_prepared(id);
    }
    changed_.notify_all();
    if (!filled && still_wanted) {
      trouble_ = filled.error().describe();
      // A full disk may have space again.
      (void)changed_.wait_until(lock, std::chrono::steady_clock::now() + std::chrono::seconds(1));
    }
  }
}

bool SegmentPreallocator::given_up_before(std::chrono::steady_clock::time_point time) {
  MutexLock lock(mutex_);
  while (!stop_ && wanted_ == working_ && changed_.wait_until(lock, time)) {
  }
  return stop_ || wanted_ != working_;
}

Status SegmentPreallocator::fill_throttled(File& file) {
  const auto pause = std::chrono::microseconds(kChunkBytes * 1'000'000 / options_.fill_bytes_per_second);
  std::uint64_t unsynced = 0;
  for (std::uint64_t at = kSegmentHeaderBytes; at < options_.segment_bytes; at += kChunkBytes) {
    if (given_up_before(std::chrono::steady_clock::now() + pause)) return {};
    const std::uint64_t end = std::min(at + kChunkBytes, options_.segment_bytes);
    STELE_TRY(write_zeros(file, at, end));
    unsynced += end - at;
    if (unsynced >= kFillSyncBytes) {
      STELE_TRY(file.sync_data());
      unsynced = 0;
    }
  }
  return file.sync_data();
}

}  // namespace stele

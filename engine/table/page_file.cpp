#include "engine/table/page_file.h"

#include <time.h>

#include <algorithm>
#include <array>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"

namespace stele {
namespace {

constexpr std::uint64_t kPageWriteBytes = 256 * 1024;
constexpr std::uint64_t kPageSyncBytes = 8ULL << 20;
constexpr std::uint64_t kChecksumsPerPage = kPageBytes / sizeof(std::uint64_t);
constexpr std::size_t kHeaderFixedBytes = 72;
constexpr std::size_t kHeaderChecksumAt = kPageBytes - 8;

std::uint64_t pages_of(std::uint64_t entries) { return (entries + kChecksumsPerPage - 1) / kChecksumsPerPage; }

Error corrupt(const char* what, const std::string& path, std::uint64_t offset) {
  return Error{.kind = ErrorKind::Corrupt, .message = what, .file = path, .offset = offset};
}

std::string_view as_view(const std::vector<std::uint64_t>& words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * sizeof(std::uint64_t)};
}

bool bit(const std::vector<std::atomic<std::uint64_t>>& bits, std::uint64_t i) {
  return (bits[i / 64].load(std::memory_order_relaxed) >> (i % 64) & 1) != 0;
}

void set_bit(std::vector<std::atomic<std::uint64_t>>& bits, std::uint64_t i) {
  bits[i / 64].fetch_or(1ULL << (i % 64), std::memory_order_relaxed);
}

/// Steps of about four seconds, from 1 to kUseClockRound and round again: two bytes a page are enough to know which
/// were used just now.
constexpr std::uint16_t kUseClockRound = 65535;
std::uint16_t use_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint16_t>(static_cast<std::uint64_t>(now.tv_sec) / 4 % kUseClockRound + 1);
}

}  // namespace

Result<std::unique_ptr<PageFileWriter>> PageFileWriter::create(FileSystem& file_system, const std::string& path,
                                                               RateLimiter* limiter) {
  if (Status removed = file_system.remove(path); !removed && removed.error().kind != ErrorKind::NotFound) {
    return removed.error();
  }
  STELE_ASSIGN(std::unique_ptr<File> file, file_system.open(path, OpenMode::CreateNew));
  return std::unique_ptr<PageFileWriter>(new PageFileWriter(std::move(file), limiter));
}

Status PageFileWriter::append(std::string_view bytes) {
  while (buffer_.size() + bytes.size() >= kPageWriteBytes) {
    const std::size_t fitting = kPageWriteBytes - buffer_.size();
    buffer_.append(bytes.substr(0, fitting));
    bytes.remove_prefix(fitting);
    STELE_TRY(write_whole_pages());
  }
  buffer_.append(bytes);
  return {};
}

Status PageFileWriter::pad_to_page() {
  buffer_.append((kPageBytes - buffer_.size() % kPageBytes) % kPageBytes, '\0');
  return {};
}

Status PageFileWriter::read_back(std::uint64_t page, std::span<char, kPageBytes> to) const {
  const std::uint64_t at = page * kPageBytes;
  STELE_CHECK(page > 0 && at + kPageBytes <= offset());
  if (at >= written_) {
    std::copy_n(buffer_.data() + (at - written_), kPageBytes, to.data());
    return {};
  }
  STELE_TRY(file_->read_at(ByteOffset{at}, to));
  if (xxh3({to.data(), to.size()}) == checksums_[page - 1]) return {};
  return corrupt("a page does not come back as it was written", file_->path(), at);
}

Status PageFileWriter::write_whole_pages() {
  const std::uint64_t bytes = buffer_.size() / kPageBytes * kPageBytes;
  if (bytes == 0) return {};
  if (limiter_ != nullptr && !limiter_->take(bytes)) {
    return Error{.kind = ErrorKind::Closed, .message = "background work was ended", .file = file_->path()};
  }
  const std::string_view whole = std::string_view(buffer_).substr(0, bytes);
  for (std::uint64_t at = 0; at < bytes; at += kPageBytes) checksums_.push_back(xxh3(whole.substr(at, kPageBytes)));
  STELE_TRY(file_->write_at(ByteOffset{written_}, whole));
  written_ += bytes;
  unsynced_ += bytes;
  buffer_.erase(0, bytes);
  // In small steps, so that the sync of a group of the log never waits behind a big one.
  if (unsynced_ < kPageSyncBytes) return {};
  unsynced_ = 0;
  return file_->sync_data();
}

Status PageFileWriter::finish(const PageFileKind& kind, const Uuid& store_id, std::string_view directory) {
  STELE_CHECK(kind.magic.size() == 8 && directory.size() <= kPageFileDirectoryBytesMax);
  STELE_TRY(pad_to_page());
  STELE_TRY(write_whole_pages());

  std::string table(as_view(checksums_));
  table.append(pages_of(checksums_.size()) * kPageBytes - table.size(), '\0');
  std::vector<std::uint64_t> roots;
  for (std::uint64_t at = 0; at < table.size(); at += kPageBytes) {
    roots.push_back(xxh3(std::string_view(table).substr(at, kPageBytes)));
  }
  table.append(as_view(roots));
  STELE_TRY(file_->write_at(ByteOffset{written_}, table));

  std::string header(kind.magic);
  put<std::uint16_t>(header, kind.version);
  put<std::uint16_t>(header, kind.version);  // oldest reader
  put<std::uint32_t>(header, static_cast<std::uint32_t>(kPageBytes));
  header.append(as_bytes(store_id));
  put<std::uint64_t>(header, checksums_.size());
  put<std::uint64_t>(header, xxh3(as_view(roots)));
  put<std::uint64_t>(header, written_ + table.size());
  put<std::uint32_t>(header, static_cast<std::uint32_t>(directory.size()));
  header.append(kHeaderFixedBytes - header.size(), '\0');
  header.append(directory);
  header.append(kHeaderChecksumAt - header.size(), '\0');
  put<std::uint64_t>(header, xxh3(header));
  STELE_TRY(file_->write_at(ByteOffset{0}, header));
  STELE_TRY(file_->sync_data());
  return file_->close();
}

Result<std::unique_ptr<PageFile>> PageFile::open(FileSystem& file_system, const std::string& path,
                                                 const PageFileKind& kind, const Uuid& store_id) {
  STELE_ASSIGN(const std::unique_ptr<File> file, file_system.open(path, OpenMode::Read));
  STELE_ASSIGN(const std::uint64_t size, file->size());
  if (size < kPageBytes) return corrupt("the file is shorter than its header", path, size);
  std::string header(kPageBytes, '\0');
  STELE_TRY(file->read_at(ByteOffset{0}, header));
  const auto foreign = [&](const char* what) {
    return Error{.kind = ErrorKind::Foreign, .message = what, .file = path};
  };
  if (std::string_view(header).substr(0, 8) != kind.magic) return foreign("another kind of file");
  // Before the checksum, so that a later version may change everything behind it.
  if (get_at<std::uint16_t>(header.data() + 10) > kind.version) {
    return Error{.kind = ErrorKind::NewerFormat, .message = "written by a newer version of Stele", .file = path};
  }
  if (get_at<std::uint64_t>(header.data() + kHeaderChecksumAt) !=
      xxh3(std::string_view(header).substr(0, kHeaderChecksumAt))) {
    return corrupt("the header's checksum does not hold", path, 0);
  }
  if (std::string_view(header).substr(16, 16) != as_bytes(store_id))
    return foreign("the file belongs to another store");

  std::unique_ptr<PageFile> made(new PageFile);
  made->path_ = path;
  made->pages_ = get_at<std::uint64_t>(header.data() + 32);
  const std::uint64_t table_pages = pages_of(made->pages_);
  const auto directory_bytes = get_at<std::uint32_t>(header.data() + 56);
  const bool size_fits = made->pages_ < size / kPageBytes &&
                         (1 + made->pages_ + table_pages) * kPageBytes + table_pages * sizeof(std::uint64_t) == size &&
                         get_at<std::uint64_t>(header.data() + 48) == size;
  if (!size_fits) return corrupt("the file has another length than its header says", path, size);
  if (directory_bytes > kPageFileDirectoryBytesMax) return corrupt("the directory does not fit", path, 56);
  made->directory_ = header.substr(kHeaderFixedBytes, directory_bytes);
  made->header_ = std::move(header);

  made->roots_.resize(table_pages);
  if (table_pages > 0) {
    const std::span<char> roots(reinterpret_cast<char*>(made->roots_.data()), table_pages * sizeof(std::uint64_t));
    STELE_TRY(file->read_at(ByteOffset{size - roots.size()}, roots));
  }
  if (get_at<std::uint64_t>(made->header_.data() + 40) != xxh3(as_view(made->roots_))) {
    return corrupt("the checksum of checksums does not hold", path, size);
  }
  STELE_ASSIGN(made->mapping_, file->map(size));
  made->verified_ = std::vector<std::atomic<std::uint64_t>>(made->pages_ / 64 + 1);
  made->used_ = std::vector<std::atomic<std::uint16_t>>(made->pages_);
  made->verified_checksums_ = std::vector<std::atomic<std::uint64_t>>(table_pages / 64 + 1);
  return made;
}

Status PageFile::read(std::uint64_t offset, std::span<char> to, DiskWait wait) const {
  Status status = read_marked(offset, to, wait);
  if (!status && status.error().kind != ErrorKind::WouldWait) mark_damaged();
  return status;
}

Status PageFile::read_marked(std::uint64_t offset, std::span<char> to, DiskWait wait) const {
  if (to.empty()) return {};
  if (offset < kPageBytes || offset > body_end() || to.size() > body_end() - offset) {
    return corrupt("a reference leads out of the file", path_, offset);
  }
  const std::uint64_t last = (offset + to.size() - 1) / kPageBytes;
  const std::uint16_t now = wait == DiskWait::Never ? use_clock() : 0;
  for (std::uint64_t page = offset / kPageBytes; page <= last; ++page) {
    if (wait == DiskWait::Never && !is_at_hand(page, now)) {
      return Error{.kind = ErrorKind::WouldWait, .message = "a page is not in memory"};
    }
    if (!bit(verified_, page - 1)) STELE_TRY(verify(page));
  }
  return mapping_->copy_out(ByteOffset{offset}, to);
}

bool PageFile::is_at_hand(std::uint64_t page, std::uint16_t now) const {
  std::atomic<std::uint16_t>& used = used_[page - 1];
  const std::uint16_t before = used.load(std::memory_order_relaxed);
  if (before == now) return true;
  // The kernel takes pages first that nobody has used for long.
  if (before == 0 || (now - before + kUseClockRound) % kUseClockRound > 1) {
    if (!mapping_->is_resident(ByteOffset{page * kPageBytes}, kPageBytes)) return false;
    const std::uint64_t checksums = body_end() + (page - 1) / kChecksumsPerPage * kPageBytes;
    if (!bit(verified_, page - 1) && !mapping_->is_resident(ByteOffset{checksums}, kPageBytes)) return false;
  }
  used.store(now, std::memory_order_relaxed);
  return true;
}

Status PageFile::verify(std::uint64_t page) const {
  const std::uint64_t index = page - 1;
  const std::uint64_t table_page = index / kChecksumsPerPage;
  if (!bit(verified_checksums_, table_page)) STELE_TRY(verify_checksums(table_page));
  std::array<char, sizeof(std::uint64_t)> expected;
  STELE_TRY(mapping_->copy_out(ByteOffset{body_end() + index * sizeof(std::uint64_t)}, expected));
  std::array<char, kPageBytes> bytes;
  STELE_TRY(mapping_->copy_out(ByteOffset{page * kPageBytes}, bytes));
  if (get_at<std::uint64_t>(expected.data()) != xxh3({bytes.data(), bytes.size()})) {
    return corrupt("the checksum of a page does not hold", path_, page * kPageBytes);
  }
  set_bit(verified_, index);
  return {};
}

Status PageFile::verify_checksums(std::uint64_t table_page) const {
  std::array<char, kPageBytes> bytes;
  const std::uint64_t at = body_end() + table_page * kPageBytes;
  STELE_TRY(mapping_->copy_out(ByteOffset{at}, bytes));
  if (roots_[table_page] != xxh3({bytes.data(), bytes.size()})) {
    return corrupt("the checksum of a page of checksums does not hold", path_, at);
  }
  set_bit(verified_checksums_, table_page);
  return {};
}

Status PageFile::scrub_page(std::uint64_t page) const {
  const auto check = [&]() -> Status {
    if (page == 0) {
      std::string header(kPageBytes, '\0');
      STELE_TRY(mapping_->copy_out(ByteOffset{0}, header));
      if (header != header_) return corrupt("the header has changed", path_, 0);
      return {};
    }
    if ((page - 1) % kChecksumsPerPage == 0) STELE_TRY(verify_checksums((page - 1) / kChecksumsPerPage));
    return verify(page);
  };
  Status status = check();
  if (!status) mark_damaged();
  return status;
}

}  // namespace stele

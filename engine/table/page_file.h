#pragma once
// A file that is written once, from front to back, and never changed: index runs and snapshot tables. Its bytes are
// protected in pages of 4 KiB: a reader verifies a page against its checksum the first time it uses it, so that opening
// costs the same for a file of any size and a damaged page is an error, never data. Bytes: format-spec.md ("Page
// file").

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/base/rate_limiter.h"

namespace stele {

inline constexpr std::uint64_t kPageBytes = 4096;
/// What a file's directory may take in its first page.
inline constexpr std::size_t kPageFileDirectoryBytesMax = kPageBytes - 72 - 8;

/// What makes a page file one kind of file or another.
struct PageFileKind {
  std::string_view magic;  ///< 8 bytes
  std::uint16_t version;
};

/// Writes one file. The bytes are durable when finish() returns; until then, or after an error, the file is of no use
/// to anybody.
class PageFileWriter {
 public:
  /// Creates `path`, replacing what is there. `limiter` (may be null) slows the writing down and can end it with
  /// Closed.
  [[nodiscard]] static Result<std::unique_ptr<PageFileWriter>> create(FileSystem& file_system, const std::string& path,
                                                                      RateLimiter* limiter);

  /// Where the next byte goes. The first page is the header's.
  [[nodiscard]] std::uint64_t offset() const { return written_ + buffer_.size(); }
  /// Written, limited and synced in small steps, however many bytes there are.
  [[nodiscard]] Status append(std::string_view bytes);
  /// Zeros up to a page border.
  [[nodiscard]] Status pad_to_page();
  /// A whole page that was appended. Corrupt if it does not come back as it was written.
  [[nodiscard]] Status read_back(std::uint64_t page, std::span<char, kPageBytes> to) const;
  /// Checksums, header with `directory`, fdatasync.
  [[nodiscard]] Status finish(const PageFileKind& kind, const Uuid& store_id, std::string_view directory);

 private:
  PageFileWriter(std::unique_ptr<File> file, RateLimiter* limiter) : file_(std::move(file)), limiter_(limiter) {}
  [[nodiscard]] Status write_whole_pages();

  std::unique_ptr<File> file_;
  RateLimiter* limiter_;
  std::string buffer_;
  std::uint64_t written_ = kPageBytes;  // a multiple of the page size
  std::uint64_t unsynced_ = 0;
  std::vector<std::uint64_t> checksums_;  // of the pages written, without the header
};

/// An open file, mapped. Thread-safe.
class PageFile {
 public:
  /// Reads and verifies header and directory only. NotFound, Io, Foreign (another kind or another store), NewerFormat,
  /// Corrupt.
  [[nodiscard]] static Result<std::unique_ptr<PageFile>> open(FileSystem& file_system, const std::string& path,
                                                              const PageFileKind& kind, const Uuid& store_id);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string_view directory() const { return directory_; }
  [[nodiscard]] std::uint64_t file_bytes() const { return mapping_->size(); }
  /// One past the last byte that append() wrote.
  [[nodiscard]] std::uint64_t body_end() const { return kPageBytes * (1 + pages_); }

  /// Copies verified bytes out. Corrupt or Io, and then damaged() from now on. With DiskWait::Never also WouldWait: the
  /// kernel is asked whether it has a page, unless such a read has used it a few seconds ago.
  [[nodiscard]] Status read(std::uint64_t offset, std::span<char> to, DiskWait wait = DiskWait::Allowed) const;
  /// Asks the processor to fetch bytes of the body that are about to be read. Only a hint: it never waits or fails.
  void prefetch(std::uint64_t offset, std::size_t size) const { mapping_->prefetch(ByteOffset{offset}, size); }
  /// Reads a page again and verifies it, whether that was done before or not.
  [[nodiscard]] Status scrub_page(std::uint64_t page) const;
  [[nodiscard]] std::uint64_t page_count() const { return 1 + pages_; }

  /// True once any read has failed.
  [[nodiscard]] bool damaged() const { return damaged_.load(std::memory_order_acquire); }
  /// The file is to be taken as damaged: what it says contradicts itself or the log.
  void mark_damaged() const { damaged_.store(true, std::memory_order_release); }

 private:
  PageFile() = default;
  [[nodiscard]] Status read_marked(std::uint64_t offset, std::span<char> to, DiskWait wait) const;
  /// Whether using the page, and verifying it if that has to be, does not wait for the disk.
  [[nodiscard]] bool is_at_hand(std::uint64_t page, std::uint16_t now) const;
  [[nodiscard]] Status verify(std::uint64_t page) const;
  [[nodiscard]] Status verify_checksums(std::uint64_t table_page) const;

  std::string path_;
  std::string directory_;
  std::string header_;
  std::unique_ptr<Mapping> mapping_;
  std::uint64_t pages_ = 0;           // of the body
  std::vector<std::uint64_t> roots_;  // checksum of each page of checksums
  // A bit a page: verified since the file was opened.
  mutable std::vector<std::atomic<std::uint64_t>> verified_;
  mutable std::vector<std::atomic<std::uint64_t>> verified_checksums_;
  /// When each page was used last by a read that did not want to wait, see use_clock().
  mutable std::vector<std::atomic<std::uint16_t>> used_;
  mutable std::atomic<bool> damaged_{false};
};

}  // namespace stele

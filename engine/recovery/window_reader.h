#pragma once
// Reads a file forward in large pieces.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/file_system.h"

namespace stele {

class WindowReader {
 public:
  WindowReader(const File& file, std::uint64_t file_size) : file_(file), file_size_(file_size) {}

  /// Bytes [offset, offset + length), valid until the next call; the range must lie within the file.
  [[nodiscard]] Result<std::string_view> bytes(std::uint64_t offset, std::uint64_t length) {
    STELE_CHECK(offset <= file_size_ && length <= file_size_ - offset);
    if (offset < begin_ || offset + length > begin_ + window_.size()) {
      window_.resize(std::min(std::max(length, kWindowBytes), file_size_ - offset));
      begin_ = offset;
      if (Status read = file_.read_at(ByteOffset{offset}, {window_.data(), window_.size()}); !read) {
        window_.clear();
        return read.error();
      }
    }
    return std::string_view(window_).substr(offset - begin_, length);
  }
  /// The same for a few bytes that nothing is read around.
  [[nodiscard]] Result<std::string_view> few_bytes(std::uint64_t offset, std::uint64_t length) {
    STELE_CHECK(offset <= file_size_ && length <= file_size_ - offset);
    few_.resize(length);
    STELE_TRY(file_.read_at(ByteOffset{offset}, {few_.data(), few_.size()}));
    return std::string_view(few_);
  }
  [[nodiscard]] std::uint64_t file_size() const { return file_size_; }

 private:
  static constexpr std::uint64_t kWindowBytes = 1ULL << 20;
  const File& file_;
  const std::uint64_t file_size_;
  std::uint64_t begin_ = 0;
  std::string window_;
  std::string few_;
};

}  // namespace stele

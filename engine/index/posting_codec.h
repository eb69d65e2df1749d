#pragma once
// Posting lists in an index run: ascending ordinals as varints of their differences. A list of more than a kilobyte is
// stored apart from its key, in chunks of 128 with a table of their first ordinals, so that a reader can begin anywhere
// (Zobel, Moffat, "Inverted files for text search engines", 2006). Bytes: format-spec.md ("Posting list").

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/index/query.h"
#include "engine/table/page_file.h"

namespace stele {

/// Writes one list after another.
class PostingWriter {
 public:
  explicit PostingWriter(PageFileWriter& file) : file_(file) {}
  /// `ordinal` must be greater than every one before of the same list.
  [[nodiscard]] Status push(std::uint32_t ordinal);
  /// Ends the list; appends what its key's value holds of it, at most kInlineBytesMax + 24 bytes.
  [[nodiscard]] Status finish(std::string& value);

  static constexpr std::size_t kInlineBytesMax = 1024;

 private:
  struct Chunk {
    std::uint32_t first;
    std::uint32_t offset;  // from the begin of the list
  };
  PageFileWriter& file_;
  std::string bytes_;  // not written yet
  std::uint64_t written_ = 0;
  std::uint64_t begin_ = 0;  // of the list in the file, if any of it was written
  std::vector<Chunk> chunks_;
  std::uint64_t count_ = 0;
  std::uint32_t last_ = 0;
};

/// One stored list. One thread; `file` must outlive it.
class StoredPostings {
 public:
  /// Corrupt if `value` makes no sense.
  [[nodiscard]] static Result<StoredPostings> open(const PageFile& file, std::string_view value);

  /// Takes how many ordinals the list has from the front of `value`; false if that makes no sense.
  [[nodiscard]] static bool take_count(std::string_view& value, std::uint64_t& count);

  [[nodiscard]] std::uint64_t size() const { return count_; }
  /// The ordinal with this index.
  [[nodiscard]] Result<std::uint32_t> at(std::uint64_t index);
  /// Appends ordinals, beginning at `from` (inclusive) in the given direction, at most `limit`.
  [[nodiscard]] Status collect(std::uint64_t from, Direction direction, std::size_t limit,
                               std::vector<std::uint32_t>& to);
  [[nodiscard]] Status for_each(const std::function<Status(std::uint32_t)>& visit);

 private:
  StoredPostings(const PageFile& file, std::uint64_t count) : file_(&file), count_(count) {}
  [[nodiscard]] Error corrupt() const;
  [[nodiscard]] std::uint64_t chunk_count() const;
  [[nodiscard]] Result<std::uint32_t> chunk_first(std::uint64_t chunk);
  [[nodiscard]] Status load(std::uint64_t chunk);
  [[nodiscard]] Status decode(std::uint64_t chunk, std::uint32_t first, std::string_view deltas);

  const PageFile* file_;
  std::uint64_t count_;
  std::uint64_t begin_ = 0;   // in the file; 0 = inline
  std::uint64_t length_ = 0;  // of the chunks
  std::uint64_t loaded_ = ~0ULL;
  std::vector<std::uint32_t> ordinals_;  // of the loaded chunk; all of an inline list
};

}  // namespace stele

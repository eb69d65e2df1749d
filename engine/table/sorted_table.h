#pragma once
// A sorted table of keys and values in a page file: a static B+ tree whose nodes are pages. Within a page keys share
// prefixes with the one before, and every 16th is written whole so that a page can be searched by halves (as in
// LevelDB's tables). A table can have a membership filter (block_bloom.h), so that asking for a key that is not there
// seldom touches the tree. Bytes: format-spec.md ("Sorted table").

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/table/block_bloom.h"
#include "engine/table/page_file.h"

namespace stele {

/// Longest key and value of a table: an entry fits in a page together with others.
inline constexpr std::size_t kTableKeyBytesMax = 512;
inline constexpr std::size_t kTableValueBytesMax = 2048;
inline constexpr std::size_t kTableBoundBytes = 16;

/// Where a table is in its file; kept in the file's directory.
struct TableRoot {
  std::uint64_t keys = 0;
  std::uint64_t root_page = 0;  ///< 0 = the table is empty
  std::uint32_t height = 0;     ///< 1 = the root is a leaf
  std::uint64_t filter_offset = 0;
  std::uint64_t filter_blocks = 0;
  std::string first_key;  ///< its first kTableBoundBytes bytes, or all
  std::string last_key;   ///< likewise

  void encode(std::string& to) const;
  /// Takes one from the front; false if it is malformed.
  [[nodiscard]] static bool decode(std::string_view& from, TableRoot& to);
};

/// Hash of a key for the filter of a file with this seed.
[[nodiscard]] std::uint64_t table_key_hash(std::string_view key, std::uint64_t seed);

/// Builds one page of entries in ascending order.
class TablePageBuilder {
 public:
  /// False if the entry does not fit any more; nothing is changed then.
  [[nodiscard]] bool add(std::string_view key, std::string_view value);
  [[nodiscard]] bool empty() const { return entries_ == 0; }
  [[nodiscard]] const std::string& first_key() const { return first_key_; }
  /// The page, exactly kPageBytes; the builder is empty again.
  [[nodiscard]] std::string finish();

 private:
  std::string bytes_;
  std::vector<std::uint16_t> restarts_;
  std::string first_key_;
  std::string last_key_;
  std::uint16_t entries_ = 0;
};

/// What a table's filter may take of memory while it is made.
inline constexpr std::uint64_t kFilterBytesMax = 16ULL << 20;

/// Adds a table to a file that is being written. Nothing else may be appended to the file between add() calls but whole
/// values that the entries refer to. Memory does not grow with the table, but for 8 bytes a page: a filter of more than
/// `filter_bytes_max` is made in stretches, for each of which the keys are read again.
class TableWriter {
 public:
  /// `keys_max`: an upper bound of the number of keys, for the filter.
  TableWriter(PageFileWriter& file, std::uint64_t filter_seed, std::uint64_t keys_max,
              std::uint64_t filter_bytes_max = kFilterBytesMax);

  /// Keys in strictly ascending order of their bytes.
  [[nodiscard]] Status add(std::string_view key, std::string_view value);
  [[nodiscard]] Result<TableRoot> finish();

 private:
  struct Level {
    TablePageBuilder page;
    std::uint64_t pages = 0;
    std::uint64_t last_page = 0;
  };
  [[nodiscard]] Status add_to_level(std::size_t level, std::string_view key, std::string_view value);
  [[nodiscard]] Status flush(std::size_t level);
  [[nodiscard]] Status write_filter_in_stretches();

  PageFileWriter& file_;
  const std::uint64_t filter_seed_;
  const std::uint64_t filter_bytes_max_;
  std::optional<BlockBloomBuilder> filter_;  // one that fits in memory
  std::vector<std::uint64_t> leaves_;        // else the pages of the keys
  std::vector<Level> levels_;                // leaves first
  TableRoot root_;
  std::string last_key_;
};

/// Runs through the entries of one page. Safe on any bytes.
class TablePageCursor {
 public:
  /// Corrupt if the page's tail makes no sense.
  [[nodiscard]] Status open(std::string_view page);
  /// Goes to the first entry whose key is at least `key`; none: valid() is false.
  [[nodiscard]] Status seek(std::string_view key);
  /// Goes to the last entry whose key is at most `key`; none: the first entry.
  [[nodiscard]] Status seek_at_most(std::string_view key);
  [[nodiscard]] Status first();
  [[nodiscard]] Status next();
  [[nodiscard]] bool valid() const { return valid_; }
  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] std::string_view value() const { return value_; }

 private:
  /// `ascending`: its key must be greater than the current one.
  [[nodiscard]] Status take_entry(bool ascending);
  [[nodiscard]] Status go_to_restart(std::uint32_t restart);
  /// The last restart whose key is less than `key` (or at most, if `or_equal`); the first if none is.
  [[nodiscard]] Result<std::uint32_t> find_restart(std::string_view key, bool or_equal);

  std::string_view page_;
  std::uint32_t restarts_ = 0;
  std::uint32_t entries_ = 0;
  std::uint32_t entry_ = 0;    // number of the current one
  std::uint32_t next_at_ = 0;  // offset of the entry behind it
  std::string key_;
  std::string_view value_;
  bool valid_ = false;
};

class Table {
 public:
  Table() = default;
  /// `file` must outlive the table and its cursors.
  Table(const PageFile& file, TableRoot root, std::uint64_t filter_seed)
      : file_(&file), root_(std::move(root)), filter_seed_(filter_seed) {}

  [[nodiscard]] const TableRoot& root() const { return root_; }
  /// False: it cannot be a table of this file. Says nothing about its pages.
  [[nodiscard]] bool fits() const;
  /// False: the key is not in the table. Touches one cache line of the filter.
  [[nodiscard]] Result<bool> may_contain(std::string_view key, DiskWait wait = DiskWait::Allowed) const;
  /// Asks the processor to fetch what may_contain() will look at.
  void prefetch(std::string_view key) const;
  /// The value of `key`.
  [[nodiscard]] Result<std::optional<std::string>> find(std::string_view key, DiskWait wait = DiskWait::Allowed) const;

  /// Runs through the entries in order. One thread.
  class Cursor {
   public:
    explicit Cursor(const Table& table) : table_(&table) {}
    /// To the first entry whose key is at least `key`.
    [[nodiscard]] Status seek(std::string_view key);
    [[nodiscard]] Status next();
    [[nodiscard]] bool valid() const { return valid_; }
    [[nodiscard]] const std::string& key() const { return levels_.back()->cursor.key(); }
    [[nodiscard]] std::string_view value() const { return levels_.back()->cursor.value(); }

   private:
    struct Level {
      std::string bytes;
      TablePageCursor cursor;
    };
    [[nodiscard]] Status load(std::size_t level, std::uint64_t page);
    [[nodiscard]] Status descend_to_first(std::size_t from);

    const Table* table_;
    std::vector<std::unique_ptr<Level>> levels_;  // root first; page cursors point into their bytes
    std::string last_key_;                        // of the leaf before
    bool valid_ = false;
  };

 private:
  [[nodiscard]] Error corrupt(const char* what) const;
  /// Whether the key lies between the first and the last one.
  [[nodiscard]] bool is_in_range(std::string_view key) const;
  /// Where its block of the filter is.
  [[nodiscard]] std::uint64_t filter_block_at(std::uint64_t hash) const;
  [[nodiscard]] Result<std::uint64_t> child_of(const TablePageCursor& cursor) const;

  const PageFile* file_ = nullptr;
  TableRoot root_;
  std::uint64_t filter_seed_ = 0;
};

}  // namespace stele

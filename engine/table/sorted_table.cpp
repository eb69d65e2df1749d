#include "engine/table/sorted_table.h"

#include <algorithm>
#include <array>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/base/bytes.h"
#include "engine/table/varint.h"

namespace stele {
namespace {

constexpr std::uint32_t kRestartEvery = 16;
constexpr std::uint32_t kHeightMax = 16;
constexpr std::size_t kTailBytes = 4;  // u16 entries, u16 restarts

Error malformed() { return Error{.kind = ErrorKind::Corrupt, .message = "a page of a table makes no sense"}; }

std::size_t shared_prefix(std::string_view a, std::string_view b) {
  const std::size_t limit = std::min(a.size(), b.size());
  std::size_t n = 0;
  while (n < limit && a[n] == b[n]) ++n;
  return n;
}

void put_text(std::string& to, std::string_view text) {
  put_varint(to, text.size());
  to.append(text);
}

bool take_text(std::string_view& from, std::string& to, std::size_t bytes_max) {
  std::uint64_t size = 0;
  if (!take_varint(from, size) || size > bytes_max || size > from.size()) return false;
  to.assign(from.substr(0, size));
  from.remove_prefix(size);
  return true;
}

}  // namespace

std::uint64_t table_key_hash(std::string_view key, std::uint64_t seed) {
  return XXH3_64bits_withSeed(key.data(), key.size(), seed);
}

void TableRoot::encode(std::string& to) const {
  put_varint(to, keys);
  put_varint(to, root_page);
  put_varint(to, height);
  put_varint(to, filter_offset);
  put_varint(to, filter_blocks);
  put_text(to, first_key);
  put_text(to, last_key);
}

bool TableRoot::decode(std::string_view& from, TableRoot& to) {
  std::uint64_t height = 0;
  if (!take_varint(from, to.keys) || !take_varint(from, to.root_page) || !take_varint(from, height) ||
      !take_varint(from, to.filter_offset) || !take_varint(from, to.filter_blocks) ||
      !take_text(from, to.first_key, kTableBoundBytes) || !take_text(from, to.last_key, kTableBoundBytes)) {
    return false;
  }
  to.height = static_cast<std::uint32_t>(height);
  return height <= kHeightMax && (to.root_page == 0) == (height == 0) && (to.root_page == 0) == (to.keys == 0) &&
         to.root_page < (1ULL << 50);
}

bool TablePageBuilder::add(std::string_view key, std::string_view value) {
  const bool restart = entries_ % kRestartEvery == 0;
  const std::size_t shared = restart ? 0 : shared_prefix(last_key_, key);
  char head[3 * kVarintBytesMax];
  std::size_t head_bytes = put_varint_at(head, shared);
  head_bytes += put_varint_at(head + head_bytes, key.size() - shared);
  head_bytes += put_varint_at(head + head_bytes, value.size());
  const std::size_t tail = kTailBytes + 2 * (restarts_.size() + (restart ? 1 : 0));
  if (bytes_.size() + head_bytes + key.size() - shared + value.size() + tail > kPageBytes) return false;
  if (restart) restarts_.push_back(static_cast<std::uint16_t>(bytes_.size()));
  if (entries_ == 0) first_key_ = key;
  bytes_.append(head, head_bytes);
  bytes_.append(key.substr(shared));
  bytes_.append(value);
  last_key_ = key;
  ++entries_;
  return true;
}

std::string TablePageBuilder::finish() {
  std::string page = std::move(bytes_);
  page.resize(kPageBytes - kTailBytes - 2 * restarts_.size(), '\0');
  for (const std::uint16_t restart : restarts_) put<std::uint16_t>(page, restart);
  put<std::uint16_t>(page, entries_);
  put<std::uint16_t>(page, static_cast<std::uint16_t>(restarts_.size()));
  bytes_.clear();
  restarts_.clear();
  entries_ = 0;
  return page;
}

TableWriter::TableWriter(PageFileWriter& file, std::uint64_t filter_seed, std::uint64_t keys_max,
                         std::uint64_t filter_bytes_max)
    : file_(file), filter_seed_(filter_seed), filter_bytes_max_(filter_bytes_max) {
  if (bloom_blocks(keys_max) * kBloomBlockBytes <= filter_bytes_max) filter_.emplace(keys_max);
}

Status TableWriter::add(std::string_view key, std::string_view value) {
  STELE_CHECK(key.size() <= kTableKeyBytesMax && value.size() <= kTableValueBytesMax);
  if (root_.keys == 0) {
    root_.first_key = key.substr(0, kTableBoundBytes);
  } else {
    STELE_CHECK(last_key_ < key);
  }
  last_key_ = key;
  if (filter_) filter_->add(table_key_hash(key, filter_seed_));
  ++root_.keys;
  return add_to_level(0, key, value);
}

Status TableWriter::add_to_level(std::size_t level, std::string_view key, std::string_view value) {
  if (levels_.size() == level) levels_.emplace_back();
  if (levels_[level].page.add(key, value)) return {};
  STELE_TRY(flush(level));
  STELE_CHECK(levels_[level].page.add(key, value));
  return {};
}

Status TableWriter::flush(std::size_t level) {
  STELE_TRY(file_.pad_to_page());
  const std::uint64_t page = file_.offset() / kPageBytes;
  const std::string first_key = levels_[level].page.first_key();
  STELE_TRY(file_.append(levels_[level].page.finish()));
  if (level == 0 && !filter_) leaves_.push_back(page);
  ++levels_[level].pages;
  levels_[level].last_page = page;
  std::string child;
  put_varint(child, page);
  return add_to_level(level + 1, first_key, child);
}

Result<TableRoot> TableWriter::finish() {
  for (std::size_t level = 0; root_.keys > 0; ++level) {
    if (!levels_[level].page.empty()) STELE_TRY(flush(level));
    if (levels_[level].pages > 1) continue;
    root_.root_page = levels_[level].last_page;
    root_.height = static_cast<std::uint32_t>(level + 1);
    break;
  }
  if (root_.keys == 0) return root_;
  root_.last_key = last_key_.substr(0, kTableBoundBytes);
  STELE_TRY(file_.pad_to_page());
  root_.filter_offset = file_.offset();
  if (filter_) {
    filter_->fold(root_.keys);
    root_.filter_blocks = filter_->blocks().size() / kBloomBlockBytes;
    STELE_TRY(file_.append(filter_->blocks()));
  } else {
    root_.filter_blocks = bloom_blocks(root_.keys);
    STELE_TRY(write_filter_in_stretches());
  }
  return root_;
}

Status TableWriter::write_filter_in_stretches() {
  const std::uint64_t step = std::max<std::uint64_t>(filter_bytes_max_ / kBloomBlockBytes, 1);
  std::array<char, kPageBytes> page;
  TablePageCursor cursor;
  for (std::uint64_t first = 0; first < root_.filter_blocks; first += step) {
    BlockBloomBuilder stretch(root_.filter_blocks, first, std::min(step, root_.filter_blocks - first));
    for (const std::uint64_t leaf : leaves_) {
      STELE_TRY(file_.read_back(leaf, page));
      STELE_TRY(cursor.open({page.data(), page.size()}));
      STELE_TRY(cursor.first());
      while (cursor.valid()) {
        stretch.add(table_key_hash(cursor.key(), filter_seed_));
        STELE_TRY(cursor.next());
      }
    }
    STELE_TRY(file_.append(stretch.blocks()));
  }
  return {};
}

Status TablePageCursor::open(std::string_view page) {
  valid_ = false;
  page_ = page;
  if (page.size() != kPageBytes) return malformed();
  entries_ = get_at<std::uint16_t>(page.data() + kPageBytes - 4);
  restarts_ = get_at<std::uint16_t>(page.data() + kPageBytes - 2);
  if (restarts_ != (entries_ + kRestartEvery - 1) / kRestartEvery || kTailBytes + 2 * restarts_ > kPageBytes) {
    return malformed();
  }
  page_ = page.substr(0, kPageBytes - kTailBytes - 2 * restarts_);
  return {};
}

Status TablePageCursor::take_entry(bool ascending) {
  std::string_view rest = page_.substr(next_at_);
  std::uint64_t shared = 0, suffix = 0, value = 0;
  const bool ok = take_varint(rest, shared) && take_varint(rest, suffix) && take_varint(rest, value) &&
                  shared <= key_.size() && suffix <= kTableKeyBytesMax && shared + suffix <= kTableKeyBytesMax &&
                  value <= kTableValueBytesMax && suffix + value <= rest.size();
  // Whoever follows the order of the keys would otherwise go round in circles.
  if (!ok || (ascending && rest.substr(0, suffix) <= std::string_view(key_).substr(shared))) {
    valid_ = false;
    return malformed();
  }
  key_.resize(shared);
  key_.append(rest.substr(0, suffix));
  value_ = rest.substr(suffix, value);
  rest.remove_prefix(suffix + value);
  next_at_ = static_cast<std::uint32_t>(page_.size() - rest.size());
  valid_ = true;
  return {};
}

Status TablePageCursor::go_to_restart(std::uint32_t restart) {
  const auto at = get_at<std::uint16_t>(page_.data() + page_.size() + 2 * restart);
  if (at >= page_.size()) {
    valid_ = false;
    return malformed();
  }
  next_at_ = at;
  entry_ = restart * kRestartEvery;
  key_.clear();
  return take_entry(false);
}

Result<std::uint32_t> TablePageCursor::find_restart(std::string_view key, bool or_equal) {
  std::uint32_t low = 0, high = restarts_;  // the answer lies in [low, high)
  while (high - low > 1) {
    const std::uint32_t middle = (low + high) / 2;
    STELE_TRY(go_to_restart(middle));
    if (key_ < key || (or_equal && key_ == key)) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

Status TablePageCursor::first() {
  valid_ = false;
  return entries_ == 0 ? Status{} : go_to_restart(0);
}

Status TablePageCursor::next() {
  if (++entry_ >= entries_) {
    valid_ = false;
    return {};
  }
  return take_entry(true);
}

Status TablePageCursor::seek(std::string_view key) {
  valid_ = false;
  if (entries_ == 0) return {};
  STELE_ASSIGN(const std::uint32_t restart, find_restart(key, false));
  STELE_TRY(go_to_restart(restart));
  while (valid_ && key_ < key) STELE_TRY(next());
  return {};
}

Status TablePageCursor::seek_at_most(std::string_view key) {
  valid_ = false;
  if (entries_ == 0) return {};
  STELE_ASSIGN(const std::uint32_t restart, find_restart(key, true));
  STELE_TRY(go_to_restart(restart));
  // Prefixes only decode forward: count the steps, then go them again.
  std::uint32_t steps = 0;
  for (;; ++steps) {
    STELE_TRY(next());
    if (!valid_ || key_ > key) break;
  }
  STELE_TRY(go_to_restart(restart));
  while (steps-- > 0) STELE_TRY(next());
  return {};
}

Error Table::corrupt(const char* what) const {
  file_->mark_damaged();
  return Error{.kind = ErrorKind::Corrupt, .message = what, .file = file_->path()};
}

Result<std::uint64_t> Table::child_of(const TablePageCursor& cursor) const {
  std::string_view value = cursor.value();
  std::uint64_t page = 0;
  if (!cursor.valid() || !take_varint(value, page) || page == 0 || page >= file_->page_count()) {
    return corrupt("a table refers to a page that is not there");
  }
  return page;
}

bool Table::fits() const {
  const std::uint64_t bytes = file_->body_end();
  return root_.root_page < file_->page_count() && root_.keys <= bytes &&
         root_.filter_blocks <= bytes / kBloomBlockBytes &&
         root_.filter_offset <= bytes - root_.filter_blocks * kBloomBlockBytes;
}

bool Table::is_in_range(std::string_view key) const {
  const std::string_view bound = key.substr(0, kTableBoundBytes);
  return root_.keys > 0 && bound >= root_.first_key && bound <= root_.last_key;
}

std::uint64_t Table::filter_block_at(std::uint64_t hash) const {
  return root_.filter_offset + bloom_block_of(hash, root_.filter_blocks) * kBloomBlockBytes;
}

Result<bool> Table::may_contain(std::string_view key, DiskWait wait) const {
  if (!is_in_range(key)) return false;
  if (root_.filter_blocks == 0) return true;
  const std::uint64_t hash = table_key_hash(key, filter_seed_);
  BloomBlock block;
  STELE_TRY(file_->read(filter_block_at(hash), {reinterpret_cast<char*>(block.data()), kBloomBlockBytes}, wait));
  return bloom_may_contain(block, hash);
}

void Table::prefetch(std::string_view key) const {
  if (root_.filter_blocks == 0 || !is_in_range(key)) return;
  file_->prefetch(filter_block_at(table_key_hash(key, filter_seed_)), kBloomBlockBytes);
}

Result<std::optional<std::string>> Table::find(std::string_view key, DiskWait wait) const {
  using Found = std::optional<std::string>;
  STELE_ASSIGN(const bool possible, may_contain(key, wait));
  if (!possible) return Found{};
  std::array<char, kPageBytes> bytes;
  TablePageCursor cursor;
  std::uint64_t page = root_.root_page;
  for (std::uint32_t level = root_.height; level > 0; --level) {
    STELE_TRY(file_->read(page * kPageBytes, bytes, wait));
    if (Status opened = cursor.open({bytes.data(), bytes.size()}); !opened)
      return corrupt("a page of a table makes no sense");
    const Status found = level > 1 ? cursor.seek_at_most(key) : cursor.seek(key);
    if (!found) return corrupt("a page of a table makes no sense");
    if (level > 1) {
      STELE_ASSIGN(page, child_of(cursor));
    }
  }
  return cursor.valid() && cursor.key() == key ? Found(std::string(cursor.value())) : Found{};
}

Status Table::Cursor::load(std::size_t level, std::uint64_t page) {
  while (levels_.size() <= level) levels_.push_back(std::make_unique<Level>());
  Level& at = *levels_[level];
  at.bytes.resize(kPageBytes);
  STELE_TRY(table_->file_->read(page * kPageBytes, at.bytes));
  if (Status opened = at.cursor.open(at.bytes); !opened) return table_->corrupt("a page of a table makes no sense");
  return {};
}

Status Table::Cursor::seek(std::string_view key) {
  valid_ = false;
  last_key_.clear();
  const TableRoot& root = table_->root_;
  if (root.keys == 0) return {};
  std::uint64_t page = root.root_page;
  for (std::size_t level = 0; level < root.height; ++level) {
    STELE_TRY(load(level, page));
    TablePageCursor& cursor = levels_[level]->cursor;
    const bool leaf = level + 1 == root.height;
    if (Status found = leaf ? cursor.seek(key) : cursor.seek_at_most(key); !found) {
      return table_->corrupt("a page of a table makes no sense");
    }
    if (!leaf) {
      STELE_ASSIGN(page, table_->child_of(cursor));
    }
  }
  valid_ = levels_.back()->cursor.valid();
  if (valid_) return {};
  // All keys of this leaf are smaller: the next leaf's first is the one, unless its parent calls it by a later key.
  STELE_TRY(next());
  if (valid_ && this->key() < key) {
    valid_ = false;
    return table_->corrupt("the keys of a table are out of order");
  }
  return {};
}

Status Table::Cursor::next() {
  valid_ = false;
  for (std::size_t level = levels_.size(); level-- > 0;) {
    TablePageCursor& cursor = levels_[level]->cursor;
    // A leaf that seek() left at its end is not valid, and stays so.
    if (!cursor.valid()) continue;
    if (level + 1 == levels_.size()) last_key_ = cursor.key();
    if (Status moved = cursor.next(); !moved) return table_->corrupt("a page of a table makes no sense");
    if (!cursor.valid()) continue;
    STELE_TRY(descend_to_first(level));
    if (valid_ && key() <= last_key_) {
      valid_ = false;
      return table_->corrupt("the keys of a table are out of order");
    }
    return {};
  }
  return {};
}

Status Table::Cursor::descend_to_first(std::size_t from) {
  for (std::size_t level = from; level + 1 < levels_.size(); ++level) {
    STELE_ASSIGN(const std::uint64_t page, table_->child_of(levels_[level]->cursor));
    STELE_TRY(load(level + 1, page));
    if (Status moved = levels_[level + 1]->cursor.first(); !moved) {
      return table_->corrupt("a page of a table makes no sense");
    }
  }
  valid_ = levels_.back()->cursor.valid();
  return {};
}

}  // namespace stele

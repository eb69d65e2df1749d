#include "engine/index/posting_codec.h"

#include <algorithm>
#include <array>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/table/varint.h"

namespace stele {
namespace {

constexpr std::uint64_t kChunkOrdinals = 128;
constexpr std::size_t kSkipEntryBytes = 8;
constexpr std::size_t kPostingWriteBytes = 64 * 1024;

}  // namespace

Status PostingWriter::push(std::uint32_t ordinal) {
  STELE_CHECK(count_ == 0 || ordinal > last_);
  if (count_ % kChunkOrdinals == 0)
    chunks_.push_back(Chunk{ordinal, static_cast<std::uint32_t>(written_ + bytes_.size())});
  // The first of a chunk is written as well: an inline list has no table of chunks, and the difference tells it there.
  put_varint(bytes_, count_ == 0 ? ordinal : ordinal - last_);
  last_ = ordinal;
  ++count_;
  if (bytes_.size() < kPostingWriteBytes) return {};
  if (written_ == 0) begin_ = file_.offset();
  written_ += bytes_.size();
  Status status = file_.append(bytes_);
  bytes_.clear();
  return status;
}

Status PostingWriter::finish(std::string& value) {
  const bool is_inline = written_ == 0 && bytes_.size() <= kInlineBytesMax;
  put_varint(value, count_ * 2 + (is_inline ? 0 : 1));
  if (is_inline) {
    value.append(bytes_);
  } else {
    if (written_ == 0) begin_ = file_.offset();
    STELE_TRY(file_.append(bytes_));
    put_varint(value, begin_);
    put_varint(value, written_ + bytes_.size());
    std::string skips;
    for (const Chunk& chunk : chunks_) {
      put<std::uint32_t>(skips, chunk.first);
      put<std::uint32_t>(skips, chunk.offset);
    }
    STELE_TRY(file_.append(skips));
  }
  bytes_.clear();
  chunks_.clear();
  written_ = count_ = 0;
  return {};
}

Error StoredPostings::corrupt() const {
  file_->mark_damaged();
  return Error{.kind = ErrorKind::Corrupt, .message = "a posting list makes no sense", .file = file_->path()};
}

bool StoredPostings::take_count(std::string_view& value, std::uint64_t& count) {
  if (!take_varint(value, count)) return false;
  count /= 2;  // the last bit says whether the list is stored apart
  return count != 0 && count <= UINT32_MAX;
}

Result<StoredPostings> StoredPostings::open(const PageFile& file, std::string_view value) {
  std::uint64_t head = 0;
  StoredPostings list(file, 0);
  if (!take_varint(value, head)) return list.corrupt();
  list.count_ = head / 2;
  if (list.count_ == 0 || list.count_ > UINT32_MAX) return list.corrupt();
  if (head % 2 == 0) {
    STELE_TRY(list.decode(0, 0, value));
    if (list.ordinals_.size() != list.count_) return list.corrupt();
    return list;
  }
  if (!take_varint(value, list.begin_) || !take_varint(value, list.length_) || !value.empty() || list.begin_ == 0 ||
      list.length_ < list.count_ || list.length_ > file.body_end() || list.begin_ > file.body_end()) {
    return list.corrupt();
  }
  return list;
}

std::uint64_t StoredPostings::chunk_count() const {
  return begin_ == 0 ? 1 : (count_ + kChunkOrdinals - 1) / kChunkOrdinals;
}

Status StoredPostings::decode(std::uint64_t chunk, std::uint32_t first, std::string_view deltas) {
  ordinals_.clear();
  std::uint64_t ordinal = 0, delta = 0;
  while (!deltas.empty()) {
    if (!take_varint(deltas, delta)) return corrupt();
    const bool is_first = ordinals_.empty();
    ordinal = is_first ? (begin_ == 0 ? delta : first) : ordinal + delta;
    if (ordinal > UINT32_MAX || (!is_first && delta == 0) || ordinals_.size() >= count_) return corrupt();
    ordinals_.push_back(static_cast<std::uint32_t>(ordinal));
  }
  loaded_ = chunk;
  return {};
}

Result<std::uint32_t> StoredPostings::chunk_first(std::uint64_t chunk) {
  std::array<char, sizeof(std::uint32_t)> bytes;
  STELE_TRY(file_->read(begin_ + length_ + chunk * kSkipEntryBytes, bytes));
  return get_at<std::uint32_t>(bytes.data());
}

Status StoredPostings::load(std::uint64_t chunk) {
  if (loaded_ == chunk) return {};
  const bool last = chunk + 1 == chunk_count();
  std::array<char, 2 * kSkipEntryBytes> entries{};
  STELE_TRY(file_->read(begin_ + length_ + chunk * kSkipEntryBytes,
                        std::span(entries).first(last ? kSkipEntryBytes : 2 * kSkipEntryBytes)));
  const auto from = get_at<std::uint32_t>(entries.data() + 4);
  const std::uint64_t to = last ? length_ : get_at<std::uint32_t>(entries.data() + 12);
  std::array<char, kChunkOrdinals * kVarintBytesMax> bytes;
  if (from >= to || to > length_ || to - from > bytes.size()) return corrupt();
  const auto deltas = std::span(bytes).first(to - from);
  STELE_TRY(file_->read(begin_ + from, deltas));
  STELE_TRY(decode(chunk, get_at<std::uint32_t>(entries.data()), {deltas.data(), deltas.size()}));
  const std::uint64_t expected = last ? count_ - chunk * kChunkOrdinals : kChunkOrdinals;
  return ordinals_.size() == expected ? Status{} : Status(corrupt());
}

Result<std::uint32_t> StoredPostings::at(std::uint64_t index) {
  if (index >= count_) return corrupt();
  if (begin_ == 0) return ordinals_[index];
  STELE_TRY(load(index / kChunkOrdinals));
  return ordinals_[index % kChunkOrdinals];
}

Status StoredPostings::collect(std::uint64_t from, Direction direction, std::size_t limit,
                               std::vector<std::uint32_t>& to) {
  // The last chunk that begins at or before `from`, or the first.
  std::uint64_t low = 0, high = chunk_count();
  while (high - low > 1) {
    const std::uint64_t middle = (low + high) / 2;
    STELE_ASSIGN(const std::uint32_t first, chunk_first(middle));
    (first <= from ? low : high) = middle;
  }
  // Of the chunk before; what runs backwards would lead whoever follows it round in circles.
  std::optional<std::uint32_t> border;
  for (std::uint64_t chunk = low; limit > 0;) {
    if (begin_ != 0) STELE_TRY(load(chunk));
    const bool ascending = direction == Direction::Ascending;
    if (ordinals_.empty() || (border && (ascending ? ordinals_.front() <= *border : ordinals_.back() >= *border))) {
      return corrupt();
    }
    border = ascending ? ordinals_.back() : ordinals_.front();
    if (ascending) {
      auto it = std::lower_bound(ordinals_.begin(), ordinals_.end(), from);
      for (; it != ordinals_.end() && limit > 0; ++it, --limit) to.push_back(*it);
      if (++chunk == chunk_count()) break;
    } else {
      auto it = std::upper_bound(ordinals_.begin(), ordinals_.end(), from);
      for (; it != ordinals_.begin() && limit > 0; --limit) to.push_back(*--it);
      if (chunk-- == 0) break;
    }
  }
  return {};
}

Status StoredPostings::for_each(const std::function<Status(std::uint32_t)>& visit) {
  std::uint64_t least = 0;
  for (std::uint64_t chunk = 0; chunk < chunk_count(); ++chunk) {
    if (begin_ != 0) STELE_TRY(load(chunk));
    if (ordinals_.empty() || ordinals_.front() < least) return corrupt();
    for (const std::uint32_t ordinal : ordinals_) STELE_TRY(visit(ordinal));
    least = ordinals_.back() + 1ULL;
  }
  return {};
}

}  // namespace stele

#include "engine/snapshots/snapshot_file.h"

#include <cstdio>
#include <cstring>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/table/varint.h"

namespace stele {
namespace {

constexpr PageFileKind kKind{"STELESNP", 1};
constexpr std::size_t kNumberDigits = 16;
constexpr std::uint64_t kNumberMax = 9'000'000'000'000'000;  // later numbers still have kNumberDigits
constexpr std::string_view kStatesSuffix = ".snap";
constexpr std::string_view kDeletionsSuffix = ".del.snap";
constexpr std::string_view kTemporarySuffix = ".tmp";

static_assert(1 + 2 * kSnapshotIdBytesMax <= kTableKeyBytesMax);
constexpr std::size_t kStateEntryBytesMax = 4 * kVarintBytesMax + sizeof(Digest) + 2 * sizeof(std::uint64_t);
static_assert(kSnapshotKeepMax * kStateEntryBytesMax <= kTableValueBytesMax);

std::uint64_t filter_seed(const Uuid& store_id) { return xxh3(as_bytes(store_id)); }

bool take_number(std::string_view& text, std::uint64_t& value) {
  if (text.size() < kNumberDigits) return false;
  value = 0;
  for (const char c : text.substr(0, kNumberDigits)) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  text.remove_prefix(kNumberDigits);
  return true;
}

}  // namespace

std::string SnapshotFileName::text() const {
  char digits[64];
  std::snprintf(digits, sizeof digits, "%016llu-%016llu", static_cast<unsigned long long>(low),
                static_cast<unsigned long long>(high));
  return std::string(digits).append(deletions ? kDeletionsSuffix : kStatesSuffix);
}

std::string SnapshotFileName::temporary() const {
  return SnapshotFileName{low, high, false}.text().append(kTemporarySuffix);
}

std::optional<SnapshotFileName> SnapshotFileName::parse(std::string_view text) {
  SnapshotFileName name;
  if (!take_number(text, name.low) || !text.starts_with('-')) return std::nullopt;
  text.remove_prefix(1);
  if (!take_number(text, name.high) || name.low == 0 || name.low > name.high || name.high > kNumberMax) {
    return std::nullopt;
  }
  name.deletions = text == kDeletionsSuffix;
  if (!name.deletions && text != kStatesSuffix) return std::nullopt;
  return name;
}

std::string deletion_key(std::string_view aggregate_id) {
  std::string key(1, static_cast<char>(aggregate_id.size()));
  return key.append(aggregate_id);
}

std::string states_key(std::string_view aggregate_id, std::string_view name) {
  return deletion_key(aggregate_id).append(name);
}

std::optional<SplitSnapshotKey> split_key(std::string_view key) {
  if (key.empty()) return std::nullopt;
  const std::size_t id_bytes = static_cast<unsigned char>(key[0]);
  if (id_bytes == 0 || key.size() < 1 + id_bytes || key.size() > 1 + id_bytes + kSnapshotIdBytesMax)
    return std::nullopt;
  return SplitSnapshotKey{key.substr(0, 1 + id_bytes), key.substr(1 + id_bytes)};
}

std::string encode_states(const StoredStates& states) {
  std::string value;
  for (const StoredState& state : states) {
    put_varint(value, state.sequence.value());
    value.append(as_bytes(state.fingerprint));
    put<std::int64_t>(value, state.time.micros);
    put_varint(value, state.keep);
    put_varint(value, state.offset);
    put_varint(value, state.bytes);
    put<std::uint64_t>(value, state.checksum);
  }
  return value;
}

std::optional<StoredStates> decode_states(std::string_view value) {
  StoredStates states;
  while (!value.empty()) {
    StoredState state;
    std::uint64_t sequence = 0, keep = 0;
    if (!take_varint(value, sequence)) return std::nullopt;
    ByteReader fixed(value);
    const std::string_view fingerprint = fixed.take_bytes(state.fingerprint.size());
    state.time.micros = fixed.take<std::int64_t>();
    if (!fixed.ok()) return std::nullopt;
    std::memcpy(state.fingerprint.data(), fingerprint.data(), fingerprint.size());
    value.remove_prefix(value.size() - fixed.left());
    if (!take_varint(value, keep) || !take_varint(value, state.offset) || !take_varint(value, state.bytes) ||
        value.size() < sizeof(std::uint64_t)) {
      return std::nullopt;
    }
    state.checksum = get_at<std::uint64_t>(value.data());
    value.remove_prefix(sizeof(std::uint64_t));
    state.sequence = SequenceNumber{sequence};
    state.keep = static_cast<std::uint32_t>(keep);
    if (sequence == 0 || keep == 0 || keep > kSnapshotKeepMax || states.size() == kSnapshotKeepMax) return std::nullopt;
    if (!states.empty() && states.back().sequence <= state.sequence) return std::nullopt;
    states.push_back(state);
  }
  if (states.empty()) return std::nullopt;
  return states;
}

SnapshotFileWriter::SnapshotFileWriter(std::unique_ptr<PageFileWriter> pages, SnapshotFileName name,
                                       const Uuid& store_id, std::uint64_t keys_max)
    : pages_(std::move(pages)), name_(name), store_id_(store_id), table_(*pages_, filter_seed(store_id), keys_max) {}

Result<std::unique_ptr<SnapshotFileWriter>> SnapshotFileWriter::create(FileSystem& file_system,
                                                                       const std::string& folder, SnapshotFileName name,
                                                                       const Uuid& store_id, std::uint64_t keys_max,
                                                                       RateLimiter* limiter) {
  STELE_ASSIGN(auto pages, PageFileWriter::create(file_system, folder + "/" + name.temporary(), limiter));
  return std::unique_ptr<SnapshotFileWriter>(new SnapshotFileWriter(std::move(pages), name, store_id, keys_max));
}

Status SnapshotFileWriter::append(std::string_view bytes) { return pages_->append(bytes); }

Status SnapshotFileWriter::add_deletion(std::string_view key) {
  ++deletions_;
  return table_.add(key, {});
}

Status SnapshotFileWriter::add_states(std::string_view key, const StoredStates& states) {
  return table_.add(key, encode_states(states));
}

Result<SnapshotFileName> SnapshotFileWriter::finish() {
  STELE_ASSIGN(const TableRoot root, table_.finish());
  std::string directory;
  put_varint(directory, name_.low);
  put_varint(directory, name_.high);
  put_varint(directory, deletions_);
  root.encode(directory);
  STELE_TRY(pages_->finish(kKind, store_id_, directory));
  name_.deletions = deletions_ > 0;
  return name_;
}

Result<std::shared_ptr<SnapshotFile>> SnapshotFile::open(FileSystem& file_system, const std::string& path,
                                                         SnapshotFileName name, const Uuid& store_id) {
  STELE_ASSIGN(auto pages, PageFile::open(file_system, path, kKind, store_id));
  std::string_view directory = pages->directory();
  std::uint64_t low = 0, high = 0, deletions = 0;
  TableRoot root;
  const bool whole = take_varint(directory, low) && take_varint(directory, high) && take_varint(directory, deletions) &&
                     TableRoot::decode(directory, root) && directory.empty();
  if (!whole) {
    return Error{
        .kind = ErrorKind::Corrupt, .message = "the directory of a snapshot file makes no sense", .file = path};
  }
  if (SnapshotFileName{low, high, deletions > 0} != name) {
    return Error{.kind = ErrorKind::Foreign, .message = "a snapshot file has the name of another", .file = path};
  }
  std::shared_ptr<SnapshotFile> file(new SnapshotFile);
  file->name_ = name;
  file->pages_ = std::move(pages);
  file->table_ = Table(*file->pages_, std::move(root), filter_seed(store_id));
  return file;
}

std::shared_ptr<SnapshotFile> SnapshotFile::unreadable(SnapshotFileName name) {
  std::shared_ptr<SnapshotFile> file(new SnapshotFile);
  file->name_ = name;
  return file;
}

Error SnapshotFile::corrupt(const char* what) const {
  mark_damaged();
  return Error{.kind = ErrorKind::Corrupt, .message = what, .file = pages_->path()};
}

Result<StoredStates> SnapshotFile::decode(std::string_view value) const {
  std::optional<StoredStates> states = decode_states(value);
  if (!states) return corrupt("an entry of a snapshot file makes no sense");
  for (const StoredState& state : *states) {
    if (state.offset < kPageBytes || state.offset > pages_->body_end() ||
        state.bytes > pages_->body_end() - state.offset) {
      return corrupt("a state of a snapshot file lies outside of it");
    }
  }
  return std::move(*states);
}

Result<StoredStates> SnapshotFile::find(std::string_view key) const {
  STELE_ASSIGN(const std::optional<std::string> value, table_.find(key));
  if (!value) return StoredStates{};
  return decode(*value);
}

Result<bool> SnapshotFile::deletes(std::string_view key) const {
  if (!name_.deletions) return false;
  STELE_ASSIGN(const std::optional<std::string> value, table_.find(key));
  return value.has_value();
}

Status SnapshotFile::read_part(const StoredState& state, std::uint64_t from, std::span<char> to) const {
  return pages_->read(state.offset + from, to);
}

Status SnapshotFile::read(const StoredState& state, std::string& to) const {
  to.resize(state.bytes);
  STELE_TRY(pages_->read(state.offset, to));
  if (xxh3(to) != state.checksum) return corrupt("the checksum of a state does not hold");
  return {};
}

std::size_t untrusted_count(const SnapshotFiles& files) {
  for (std::size_t i = files.size(); i-- > 0;) {
    if (files[i]->name().deletions && !files[i]->usable()) return i + 1;
  }
  return 0;
}

}  // namespace stele

#include "engine/audit/checkpoint_folder.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/numbered_file.h"

namespace stele {

namespace {

constexpr std::string_view kCheckpointMagic = "STELECKP";
constexpr std::uint32_t kCheckpointVersion = 1;
constexpr std::size_t kCheckpointHeaderBytes = 48;
constexpr std::size_t kCheckpointFrameBytes = 24;
constexpr std::string_view kCheckpointSuffix = ".checkpoints";
constexpr std::string_view kUnfinished = ".unfinished";
constexpr std::uint32_t kWitnessed = 1;
constexpr std::uint64_t kFileBytesMax = 64U << 20;
/// Thinned files are merged until they have so much.
constexpr std::uint64_t kThinnedBytesMax = 4U << 20;
constexpr std::size_t kThinnedFilesMax = 26;  // that one call merges
constexpr std::int64_t kHourMicros = 3'600'000'000;

std::string checkpoint_header(const Uuid& store, std::uint64_t number) {
  std::string header(kCheckpointMagic);
  put<std::uint32_t>(header, kCheckpointVersion);
  put<std::uint32_t>(header, 0);
  header += as_bytes(store);
  put<std::uint64_t>(header, number);
  put<std::uint64_t>(header, xxh3(header));
  return header;
}

std::string frame_of(const KeptCheckpoint& kept) {
  const std::string payload = format_note(kept.note);
  std::string frame;
  put<std::uint32_t>(frame, static_cast<std::uint32_t>(payload.size()));
  put<std::uint32_t>(frame, kept.witnessed ? kWitnessed : 0);
  put<std::int64_t>(frame, kept.time.micros);
  put<std::uint64_t>(frame, xxh3(frame, payload));
  return frame + payload;
}

/// None where the whole ones end, or at what is no checkpoint.
std::optional<KeptCheckpoint> take_frame(std::string_view& bytes) {
  if (bytes.size() < kCheckpointFrameBytes) return std::nullopt;
  const std::size_t length = get_at<std::uint32_t>(bytes.data());
  if (length > kNoteBytesMax || bytes.size() - kCheckpointFrameBytes < length) return std::nullopt;
  const std::string_view payload = bytes.substr(kCheckpointFrameBytes, length);
  if (get_at<std::uint64_t>(bytes.data() + 16) != xxh3(bytes.substr(0, 16), payload)) return std::nullopt;
  auto note = parse_note(payload);
  if (!note) return std::nullopt;
  auto checkpoint = parse_checkpoint(note->text);
  if (!checkpoint) return std::nullopt;
  KeptCheckpoint kept{.time = Timestamp{get_at<std::int64_t>(bytes.data() + 8)},
                      .witnessed = (get_at<std::uint32_t>(bytes.data() + 4) & kWitnessed) != 0,
                      .checkpoint = std::move(*checkpoint),
                      .note = std::move(*note)};
  bytes.remove_prefix(kCheckpointFrameBytes + length);
  return kept;
}

/// By size, then text.
using Merged = std::map<std::pair<std::uint64_t, std::string>, KeptCheckpoint>;

void merge_into(Merged& all, KeptCheckpoint kept) {
  const auto [at, is_new] = all.try_emplace({kept.checkpoint.size, kept.note.text}, kept);
  if (is_new) return;
  KeptCheckpoint& known = at->second;
  known.witnessed = known.witnessed || kept.witnessed;
  known.time = std::min(known.time, kept.time);
  for (NoteSignature& signature : kept.note.signatures) {
    auto& there = known.note.signatures;
    if (std::find(there.begin(), there.end(), signature) == there.end()) there.push_back(std::move(signature));
  }
}

bool is_zero_byte(char byte) { return byte == '\0'; }

/// What stands behind the last whole frame is what a crash leaves of a frame: its end is missing, or a sector of it,
/// which is zeros then. A note has none.
bool may_be_torn(std::string_view bytes) {
  if (bytes.size() < kCheckpointFrameBytes) return true;
  const std::size_t length = get_at<std::uint32_t>(bytes.data());
  if (length == 0 || bytes.size() - kCheckpointFrameBytes < length) return true;
  const std::string_view payload = bytes.substr(kCheckpointFrameBytes, length);
  return std::any_of(payload.begin(), payload.end(), is_zero_byte);
}

/// Whether it is worth hashing: most places are no frame.
bool may_begin_frame(std::string_view bytes) {
  if (bytes.size() <= kCheckpointFrameBytes) return false;
  const std::size_t length = get_at<std::uint32_t>(bytes.data());
  if (length == 0 || length > kNoteBytesMax || bytes.size() - kCheckpointFrameBytes < length) return false;
  return get_at<std::uint32_t>(bytes.data() + 4) <= kWitnessed && bytes[kCheckpointFrameBytes + length - 1] == '\n';
}

/// The next whole frame somewhere behind; `bytes` then ends with it taken.
std::optional<KeptCheckpoint> find_frame(std::string_view& bytes) {
  for (std::string_view rest = bytes; !rest.empty();) {
    rest.remove_prefix(1);
    if (!may_begin_frame(rest)) continue;
    if (auto kept = take_frame(rest)) {
      bytes = rest;
      return kept;
    }
  }
  return std::nullopt;
}

/// NotFound: it is gone. What is not whole is told, and what is whole behind it is read.
Status read_file(FileSystem& files, const std::string& path, const Uuid& store_id, std::uint64_t number, Merged& to,
                 KeptCheckpoints& told) {
  STELE_ASSIGN(const auto file, files.open(path, OpenMode::Read));
  STELE_ASSIGN(const std::uint64_t size, file->size());
  std::string bytes(std::min(size, kFileBytesMax), '\0');
  STELE_TRY(file->read_at(ByteOffset{0}, bytes));
  const std::string_view header = std::string_view(bytes).substr(0, kCheckpointHeaderBytes);
  if (header.size() < kCheckpointHeaderBytes || std::all_of(header.begin(), header.end(), is_zero_byte)) {
    told.notes.push_back(path + " has no header yet");
    return {};
  }
  if (header != checkpoint_header(store_id, number)) {
    told.damage.push_back({"the header is damaged, or of another store's checkpoints: none of the file counts", path});
    return {};
  }
  std::string_view rest = std::string_view(bytes).substr(kCheckpointHeaderBytes);
  while (!rest.empty()) {
    if (auto kept = take_frame(rest)) {
      merge_into(to, std::move(*kept));
      continue;
    }
    const std::string_view bad = rest;
    const std::uint64_t offset = bytes.size() - bad.size();
    auto next = find_frame(rest);
    if (!next && may_be_torn(bad)) {
      told.notes.push_back(path + " has " + std::to_string(bad.size()) + " bytes behind its last whole checkpoint");
      break;
    }
    told.damage.push_back({"a kept checkpoint is damaged", path, offset});
    if (!next) break;
    merge_into(to, std::move(*next));
  }
  if (size > kFileBytesMax)
    told.damage.push_back({"the file of checkpoints is longer than any that is written", path, kFileBytesMax});
  return {};
}

Result<std::vector<std::uint64_t>> numbers_in(FileSystem& files, const std::string& folder) {
  std::vector<std::uint64_t> numbers;
  STELE_ASSIGN(const bool exists, files.exists(folder));
  if (!exists) return numbers;
  STELE_ASSIGN(const std::vector<std::string> names, files.list(folder));
  for (const std::string& name : names) {
    if (const auto number = parse_numbered_file_name(name, kCheckpointSuffix)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

bool is_later(const KeptCheckpoint& one, const std::optional<KeptCheckpoint>& other) {
  return !other || one.checkpoint.size >= other->checkpoint.size;
}

/// Leaves of all that were signed in one hour only the last one, and those that were witnessed.
void thin_out(Merged& all) {
  std::map<std::int64_t, std::uint64_t> last_of_hour;
  for (const auto& [key, kept] : all) last_of_hour[kept.time.micros / kHourMicros] = key.first;
  std::erase_if(all, [&](const auto& entry) {
    const KeptCheckpoint& kept = entry.second;
    return !kept.witnessed && last_of_hour[kept.time.micros / kHourMicros] != entry.first.first;
  });
}

std::uint64_t bytes_of(const Merged& all) {
  std::uint64_t bytes = 0;
  for (const auto& [key, kept] : all) bytes += frame_of(kept).size();
  return bytes;
}

Error checkpoints_closed() {
  return Error{.kind = ErrorKind::Closed, .message = "the folder of checkpoints is closed"};
}

}  // namespace

Result<KeptCheckpoints> read_checkpoints(FileSystem& files, const std::string& folder, const Uuid& store_id) {
  KeptCheckpoints found;
  Merged all;
  STELE_ASSIGN(const auto numbers, numbers_in(files, folder));
  for (const std::uint64_t number : numbers) {
    const std::string path = folder + "/" + numbered_file_name(number, kCheckpointSuffix);
    const Status read = read_file(files, path, store_id, number, all, found);
    // Merged with another one since the folder was listed, which has all of it.
    if (!read && read.error().kind != ErrorKind::NotFound) return read.error();
  }
  for (auto& [key, kept] : all) found.all.push_back(std::move(kept));
  return found;
}

Result<std::unique_ptr<CheckpointFolder>> CheckpointFolder::open(CheckpointFolderOptions options) {
  std::unique_ptr<CheckpointFolder> opened(new CheckpointFolder(std::move(options)));
  const CheckpointFolderOptions& with = opened->options_;
  STELE_ASSIGN(auto numbers, numbers_in(*with.file_system, with.folder));
  const MutexLock lock(opened->mutex_);
  if (!numbers.empty()) opened->last_number_ = numbers.back();
  // From the newest file on down: sizes never decrease from file to file.
  for (std::reverse(numbers.begin(), numbers.end()); const std::uint64_t number : numbers) {
    Merged all;
    KeptCheckpoints told;
    STELE_TRY(read_file(*with.file_system, opened->path_of(number), with.store_id, number, all, told));
    for (const CheckpointDamage& damage : told.damage) {
      opened->notes_.push_back(damage.file + ", offset " + std::to_string(damage.offset) + ": " + damage.text);
    }
    std::move(told.notes.begin(), told.notes.end(), std::back_inserter(opened->notes_));
    if (all.empty()) continue;
    opened->newest_ = std::prev(all.end())->second;
    break;
  }
  return opened;
}

CheckpointFolder::~CheckpointFolder() = default;

std::string CheckpointFolder::path_of(std::uint64_t number) const {
  return options_.folder + "/" + numbered_file_name(number, kCheckpointSuffix);
}

std::optional<KeptCheckpoint> CheckpointFolder::newest() const {
  const MutexLock lock(mutex_);
  return newest_;
}

void CheckpointFolder::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  file_.reset();
}

Status CheckpointFolder::begin_file(Timestamp time) {
  FileSystem& files = *options_.file_system;
  if (options_.in_place) STELE_TRY(options_.in_place());
  STELE_TRY(files.create_folders(options_.folder));
  const std::uint64_t number = last_number_ + 1;
  STELE_ASSIGN(auto file, files.open(path_of(number), OpenMode::CreateNew));
  last_number_ = number;  // whatever becomes of it: a name is not used twice
  // The newest one again: what is added next may be the signature of an older one, and the newest is looked for here.
  std::string begin = checkpoint_header(options_.store_id, number);
  if (newest_) begin += frame_of(*newest_);
  STELE_TRY(file->write_at(ByteOffset{0}, begin));
  STELE_TRY(file->sync_data());
  STELE_TRY(files.sync_directory(options_.folder));
  file_ = std::move(file);
  file_hour_ = time.micros / kHourMicros;
  file_end_ = begin.size();
  return {};
}

Status CheckpointFolder::add(const SignedNote& note, Timestamp time, bool witnessed) {
  STELE_ASSIGN(Checkpoint checkpoint, parse_checkpoint(note.text));
  KeptCheckpoint kept{.time = time, .witnessed = witnessed, .checkpoint = std::move(checkpoint), .note = note};
  const MutexLock lock(mutex_);
  if (closed_) return checkpoints_closed();
  if (newest_ && newest_->note.text == note.text) {
    Merged both;
    merge_into(both, *newest_);
    merge_into(both, std::move(kept));
    kept = std::move(both.begin()->second);
  }
  if (!file_ || file_hour_ != time.micros / kHourMicros) {
    file_.reset();
    STELE_TRY(begin_file(time));
  }
  const std::string frame = frame_of(kept);
  Status written = file_->write_at(ByteOffset{file_end_}, frame);
  if (written) written = file_->sync_data();
  if (!written) {
    file_.reset();  // in doubt: the next one goes to another file
    return written;
  }
  file_end_ += frame.size();
  if (is_later(kept, newest_)) newest_ = std::move(kept);
  return {};
}

Status CheckpointFolder::thin(Timestamp now) {
  FileSystem& files = *options_.file_system;
  const MutexLock lock(mutex_);
  if (closed_) return checkpoints_closed();
  STELE_ASSIGN(auto numbers, numbers_in(files, options_.folder));
  if (file_ && !numbers.empty()) numbers.pop_back();
  Merged all;
  std::vector<std::uint64_t> merged;
  bool is_too_much = false;
  for (std::reverse(numbers.begin(), numbers.end()); const std::uint64_t number : numbers) {
    Merged one;
    KeptCheckpoints told;
    STELE_TRY(read_file(files, path_of(number), options_.store_id, number, one, told));
    // What is not whole is left for whoever looks into it.
    if (!told.damage.empty() || !told.notes.empty() || one.empty()) continue;
    const auto is_young = [&](const auto& entry) { return now.micros - entry.second.time.micros < 24 * kHourMicros; };
    if (std::any_of(one.begin(), one.end(), is_young)) continue;
    const std::size_t before = one.size();
    thin_out(one);
    const bool is_thinned = one.size() == before;
    if (is_thinned && bytes_of(one) > kThinnedBytesMax) break;  // so are all before it
    is_too_much = is_too_much || !is_thinned || !merged.empty();
    merged.push_back(number);
    for (auto& [key, kept] : one) merge_into(all, std::move(kept));
    if (merged.size() == kThinnedFilesMax) break;
  }
  if (!is_too_much) return {};
  if (options_.in_place) STELE_TRY(options_.in_place());
  // The greatest number, so that sizes still do not decrease from file to file.
  const std::uint64_t into = merged.front();
  const std::string path = path_of(into);
  const std::string fresh = path + std::string(kUnfinished);
  STELE_ASSIGN(const bool left_over, files.exists(fresh));
  if (left_over) STELE_TRY(files.remove(fresh));
  {
    STELE_ASSIGN(const auto file, files.open(fresh, OpenMode::CreateNew));
    std::string bytes = checkpoint_header(options_.store_id, into);
    for (const auto& [key, kept] : all) bytes += frame_of(kept);
    STELE_TRY(file->write_at(ByteOffset{0}, bytes));
    STELE_TRY(file->sync_data());
    STELE_TRY(file->close());
  }
  STELE_TRY(files.rename(fresh, path));
  STELE_TRY(files.sync_directory(options_.folder));
  for (const std::uint64_t number : merged) {
    if (number != into) STELE_TRY(files.remove(path_of(number)));
  }
  return {};
}

}  // namespace stele

#include "engine/audit/witness.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "engine/audit/merkle_proof.h"
#include "engine/base/digest.h"

namespace stele {

namespace {

using AnswerKind = WitnessAnswer::Kind;

constexpr std::string_view kStateLine = "stele/witness/v1\n";
constexpr std::size_t kChecksumLineBytes = 17;  // 16 hexadecimal digits and a newline
constexpr std::string_view kLockFile = "lock";

std::string checksum_line(std::string_view note) { return fmt::format("{:016x}\n", xxh3(note)); }

Error no_state(const char* message, const std::string& path) {
  return Error{.kind = ErrorKind::Corrupt,
               .message = fmt::format("{}: without it this witness could be led into cosigning a fork", message),
               .file = path};
}

WitnessAnswer refused(AnswerKind kind, std::string detail, std::uint64_t size = 0) {
  return {.kind = kind, .size = size, .cosignatures = {}, .detail = std::move(detail)};
}

/// Why it does not continue the last one cosigned (null = there is none).
std::optional<WitnessAnswer> objection_to(const Checkpoint& checkpoint, const WitnessRequest& request,
                                          const Checkpoint* last) {
  const std::uint64_t size = last == nullptr ? 0 : last->size;
  if (request.old_size != size)
    return refused(AnswerKind::OtherSize, "the last checkpoint cosigned has another size", size);
  const bool same_size = last != nullptr && size == checkpoint.size;
  if (same_size && last->root != checkpoint.root) {
    return refused(AnswerKind::OtherRoot, "another root was cosigned of a checkpoint of this size", size);
  }
  if (size == 0 || same_size) {
    if (request.path.empty()) return std::nullopt;
    return refused(AnswerKind::Inconsistent, "there is nothing that the proof could be about");
  }
  const Status holds = verify_consistency(size, checkpoint.size, request.path, last->root, checkpoint.root);
  if (!holds) return refused(AnswerKind::Inconsistent, holds.error().message);
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Witness>> Witness::open(WitnessOptions options) {
  std::unique_ptr<Witness> opened(new Witness(std::move(options)));
  const WitnessOptions& with = opened->options_;
  STELE_TRY(with.file_system->create_folders(with.folder));
  STELE_ASSIGN(opened->lock_, with.file_system->lock(with.folder + "/" + std::string(kLockFile)));
  const MutexLock lock(opened->mutex_);
  for (const NoteVerifier& log : with.logs) STELE_TRY(opened->read_state(log.name()));
  return opened;
}

std::string Witness::path_of(std::string_view origin) const {
  // An origin may be no name for a file.
  std::string name;
  for (const std::uint8_t byte : sha256({origin})) name += fmt::format("{:02x}", byte);
  return options_.folder + "/" + name + ".cosigned";
}

Status Witness::read_state(const std::string& origin) {
  const std::string path = path_of(origin);
  STELE_ASSIGN(const bool exists, options_.file_system->exists(path));
  if (!exists) return {};
  STELE_ASSIGN(const auto file, options_.file_system->open(path, OpenMode::Read));
  STELE_ASSIGN(const std::uint64_t size, file->size());
  if (size > kStateLine.size() + kChecksumLineBytes + kNoteBytesMax) return no_state("the state is too long", path);
  std::string bytes(size, '\0');
  STELE_TRY(file->read_at(ByteOffset{0}, bytes));
  std::string_view rest = bytes;
  if (!rest.starts_with(kStateLine)) return no_state("this is no state of a witness", path);
  rest.remove_prefix(kStateLine.size());
  const std::string_view checksum = rest.substr(0, kChecksumLineBytes);
  rest.remove_prefix(checksum.size());
  if (checksum != checksum_line(rest)) return no_state("the state is damaged", path);
  const auto note = parse_note(rest);
  auto checkpoint = note ? parse_checkpoint(note->text) : Result<Checkpoint>(note.error());
  if (!checkpoint || checkpoint->origin != origin) return no_state("the state is not of this log", path);
  cosigned_.insert_or_assign(origin, *std::move(checkpoint));
  return {};
}

Status Witness::write_state(const Checkpoint& checkpoint, const SignedNote& note) {
  FileSystem& files = *options_.file_system;
  const std::string path = path_of(checkpoint.origin);
  const std::string fresh = path + ".new";
  STELE_ASSIGN(const bool left_over, files.exists(fresh));
  if (left_over) STELE_TRY(files.remove(fresh));
  {
    const std::string bytes = format_note(note);
    STELE_ASSIGN(const auto file, files.open(fresh, OpenMode::CreateNew));
    STELE_TRY(file->write_at(ByteOffset{0}, std::string(kStateLine) + checksum_line(bytes) + bytes));
    STELE_TRY(file->sync_data());
    STELE_TRY(file->close());
  }
  STELE_TRY(files.rename(fresh, path));
  return files.sync_directory(options_.folder);
}

WitnessAnswer Witness::add_checkpoint(std::string_view bytes) {
  auto request = parse_witness_request(bytes);
  if (!request) return refused(AnswerKind::Malformed, request.error().message);
  const auto checkpoint = parse_checkpoint(request->note.text);
  if (!checkpoint) return refused(AnswerKind::Malformed, checkpoint.error().message);
  std::vector<NoteVerifier> keys;
  std::copy_if(options_.logs.begin(), options_.logs.end(), std::back_inserter(keys),
               [&](const NoteVerifier& key) { return key.name() == checkpoint->origin; });
  if (keys.empty()) return refused(AnswerKind::UnknownLog, "this witness does not know the log");
  const auto by = verified_by(request->note, keys);
  if (!by) return refused(AnswerKind::UnsignedByLog, by.error().message);
  if (by->empty()) return refused(AnswerKind::UnsignedByLog, "no key of the log that this witness knows has signed");
  if (request->old_size > checkpoint->size) {
    return refused(AnswerKind::SizesReversed, "the old size is beyond the checkpoint's");
  }

  const MutexLock lock(mutex_);
  const auto at = cosigned_.find(checkpoint->origin);
  const Checkpoint* const last = at == cosigned_.end() ? nullptr : &at->second;
  if (auto objection = objection_to(*checkpoint, *request, last)) return *std::move(objection);

  // What others have put on the note is not taken over.
  SignedNote note{.text = request->note.text, .signatures = {}};
  for (const NoteSignature& signature : request->note.signatures) {
    const auto is_known = [&](std::size_t i) {
      return keys[i].name() == signature.key_name && keys[i].id() == signature.key_id;
    };
    if (std::any_of(by->begin(), by->end(), is_known)) note.signatures.push_back(signature);
  }
  sign_note(note, options_.signer, options_.clock->now());
  if (last == nullptr || last->size != checkpoint->size) {
    if (const Status kept = write_state(*checkpoint, note); !kept)
      return refused(AnswerKind::Failed, kept.error().describe());
    cosigned_.insert_or_assign(checkpoint->origin, *checkpoint);
  }
  return {.kind = AnswerKind::Cosigned,
          .size = checkpoint->size,
          .cosignatures = format_signatures(std::span(note.signatures).last(1)),
          .detail = {}};
}

std::vector<Checkpoint> Witness::cosigned() const {
  const MutexLock lock(mutex_);
  std::vector<Checkpoint> all;
  for (const auto& [origin, checkpoint] : cosigned_) all.push_back(checkpoint);
  return all;
}

}  // namespace stele

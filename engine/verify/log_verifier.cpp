#include "engine/verify/log_verifier.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "engine/audit/checkpoint.h"
#include "engine/audit/checkpoint_folder.h"
#include "engine/base/digest.h"
#include "engine/commit/genesis.h"
#include "engine/verify/checkpoint_check.h"
#include "engine/verify/log_walk.h"
#include "engine/verify/piece_crew.h"
#include "engine/verify/sequence_table.h"
#include "engine/verify/tile_check.h"

namespace stele {

namespace {

/// What comes meanwhile may be redacted meanwhile.
constexpr int kExtensionsMax = 3;

class LogVerifier {
 public:
  LogVerifier(const LogVerifierOptions& options, LogWalk& walk, CheckpointCheck& checkpoints, TileCheck& tiles,
              std::size_t threads)
      : options_(options), walk_(walk), checkpoints_(checkpoints), tiles_(tiles), threads_(threads) {}

  Status run() {
    PieceCrew crew(threads_);
    for (bool is_read = false;;) {
      while (!is_read) {
        std::unique_ptr<PieceWork> work = crew.room();
        if (!work) break;
        STELE_ASSIGN(const bool has_more, walk_.next(work->piece));
        is_read = !has_more;
        if (has_more) {
          crew.begin(std::move(work));
        } else {
          crew.give_back(std::move(work));
        }
      }
      std::unique_ptr<PieceWork> work = crew.take();
      if (!work) return {};
      take(*work);
      crew.give_back(std::move(work));
      if (options_.on_progress) options_.on_progress(next_.value(), walk_.bytes_read(), walk_.bytes_total());
    }
  }

  /// Something was redacted, and nothing that was read says so: it may be said behind.
  [[nodiscard]] bool has_unexplained() const {
    return std::any_of(redacted_.begin(), redacted_.end(),
                       [&](const RedactedRecord& record) { return !options_.notices->explains(record); });
  }

  LogVerification finish() {
    seen_.store_id = walk_.store_id();
    seen_.size = walk_.end().next.value();
    seen_.segments = walk_.segments();
    seen_.bytes = walk_.bytes_total();
    if (!checkpoints_.is_broken() && seen_.supposed == 0) seen_.root = checkpoints_.tree().root();
    seen_.notes.insert(seen_.notes.end(), walk_.notes().begin(), walk_.notes().end());
    seen_.redacted = redacted_.size();
    for (const RedactedRecord& record : redacted_) {
      if (options_.notices->explains(record)) continue;
      seen_.findings.add({.verdict = Verdict::RedactedWithoutRecord,
                          .text = "members of the record were taken out, and the log does not say by whom and why",
                          .position = record.position});
    }
    seen_.signatures_judged = options_.notices->has_keys();
    const auto outcome = checkpoints_.finish({.origin = seen_.origin,
                                              .end = walk_.end().next,
                                              .was_cut = walk_.was_cut(),
                                              .notices = *options_.notices,
                                              .threads = threads_},
                                             seen_.findings);
    seen_.checkpoints = outcome.checkpoints;
    seen_.agreeing_checkpoints = outcome.agreeing;
    seen_.witnessed_checkpoints = outcome.witnessed;
    seen_.proven = outcome.proven;
    if (outcome.unjudged > 0) {
      seen_.notes.push_back(std::to_string(outcome.unjudged) +
                            " checkpoints could not be compared, because leaves before them cannot be had");
    }
    return std::move(seen_);
  }

 private:
  void take(PieceWork& work) {
    const LogPiece& piece = work.piece;
    for (const Finding& finding : piece.findings) seen_.findings.add(finding);
    for (const Finding& finding : work.checked.findings) seen_.findings.add(finding);
    if (piece.missing > 0) miss(piece.missing);
    if (piece.segment != segment_) {
      segment_ = piece.segment;
      offsets_hash_ = std::make_unique<Xxh3>();
    }
    offsets_.clear();
    for (const CheckedRecord& record : work.checked.records) {
      offsets_.push_back(record.offset);
      take(piece, record);
    }
    if (!offsets_.empty()) {
      offsets_hash_->add({reinterpret_cast<const char*>(offsets_.data()), offsets_.size() * sizeof offsets_[0]});
    }
    for (const std::string& bytes : work.checked.notices) take_notice(piece, bytes);
    if (piece.footer && piece.footer->offsets_hash != offsets_hash_->value()) {
      seen_.findings.add({.verdict = Verdict::Damaged,
                          .text = "the footer's offsets do not agree with the records",
                          .file = piece.path,
                          .offset = piece.footer->offset.value()});
    }
  }

  void take(const LogPiece& piece, const CheckedRecord& record) {
    const auto complain = [&](std::string text) {
      seen_.findings.add({.verdict = Verdict::Rewritten,
                          .text = std::move(text),
                          .position = next_,
                          .file = piece.path,
                          .offset = record.offset});
    };
    if (!record.is_whole) return miss(1);
    if (record.time < last_time_) complain("the record is older than the one before it");
    if (!sequences_.take(record.aggregate, record.sequence.value())) {
      complain("the record is number " + std::to_string(record.sequence.value()) +
               " of its aggregate, which does not follow the one before");
    }
    if (!record.redacted.empty()) redacted_.push_back(RedactedRecord{next_, record.aggregate, record.redacted});
    last_time_ = record.time;
    checkpoints_.append(record.leaf, [&](unsigned level, std::uint64_t index, const Digest& hash) {
      if (!tiles_.differs(level, index, hash)) return;
      seen_.findings.add({.verdict = Verdict::Damaged,
                          .text = level == 0 ? "the leaf that the tiles have of the record is not that of its bytes"
                                             : "the tiles of level " + std::to_string(level) +
                                                   " have another hash than follows from the log",
                          .position = next_,
                          .file = options_.folder + "/tiles"});
    });
    next_ = next_.next();
  }

  void miss(std::uint64_t records) {
    seen_.unreadable += records;
    sequences_.gap();
    for (std::uint64_t i = 0; i < records && !checkpoints_.is_broken(); ++i) {
      if (const auto leaf = tiles_.stored(0, next_.value() + i)) {
        checkpoints_.suppose(*leaf);
        ++seen_.supposed;
      } else {
        checkpoints_.skip();
      }
    }
    next_ = next_.plus(records);
  }

  void take_notice(const LogPiece& piece, std::string_view bytes) {
    std::copy(bytes.begin(), bytes.end(), notice_.prepare(bytes.size()).data());
    if (!notice_.decode()) return;  // it was decoded before
    options_.notices->take(notice_);
    if (notice_.header().kind != RecordKind::Genesis) return;
    const auto genesis = decode_genesis(notice_.header());
    const bool is_first = notice_.header().position == Position{0} && piece.segment == SegmentId{1};
    if (genesis && is_first && genesis->store_id == walk_.store_id()) {
      seen_.origin = genesis->origin;
      return;
    }
    seen_.findings.add({.verdict = Verdict::Rewritten,
                        .text = genesis && is_first ? "the genesis record names another store than the segments"
                                                    : "a genesis record that is none, or not the first record",
                        .position = notice_.header().position,
                        .file = piece.path});
  }

  const LogVerifierOptions& options_;
  LogWalk& walk_;
  CheckpointCheck& checkpoints_;
  TileCheck& tiles_;
  const std::size_t threads_;
  LogVerification seen_;
  Position next_;
  Timestamp last_time_{INT64_MIN};
  SequenceTable sequences_;
  SegmentId segment_;
  std::unique_ptr<Xxh3> offsets_hash_ = std::make_unique<Xxh3>();
  std::vector<std::uint32_t> offsets_;
  std::vector<RedactedRecord> redacted_;
  Record notice_;
};

}  // namespace

Result<LogVerification> verify_log(LogVerifierOptions options) {
  STELE_CHECK(options.notices != nullptr);
  if (options.file_system == nullptr) options.file_system = &posix_file_system();
  FileSystem& files = *options.file_system;
  const std::string lock_path = options.folder + "/lock";
  const std::string state_path = options.folder + "/state";
  STELE_ASSIGN(const bool beside_owner, files.is_locked(lock_path));
  LogWalk::Options walking{.file_system = &files, .folder = options.folder + "/log", .state = {}};
  // Which store it is has to be known for the checkpoints, which are read before the state: they say nothing of what is
  // not durable.
  STELE_ASSIGN(const auto first_look, LogWalk::open(walking));
  STELE_ASSIGN(KeptCheckpoints kept, read_checkpoints(files, options.folder + "/checkpoints", first_look->store_id()));
  const std::chrono::milliseconds patience = beside_owner ? kPublicationPatience : std::chrono::milliseconds{};
  walking.state = read_state(files, state_path, patience);
  walking.beside_owner = beside_owner;
  if (beside_owner && (!walking.state || walking.state->store_id != first_look->store_id())) {
    return Error{.kind = ErrorKind::Locked,
                 .message = "a server has the folder but does not tell yet what is durable; try again",
                 .file = state_path};
  }
  Checkpoint held;
  if (options.since) {
    STELE_ASSIGN(held, parse_checkpoint(options.since->text));
  }
  STELE_ASSIGN(const auto walk, LogWalk::open(walking));
  CheckpointCheck checkpoints(std::move(kept.all), options.since, std::move(held));
  const std::size_t threads =
      options.threads != 0 ? options.threads : std::max<std::size_t>(1, std::thread::hardware_concurrency());
  TileCheck tiles(files, options.folder + "/tiles", walk->store_id());
  LogVerifier verifier(options, *walk, checkpoints, tiles, threads);
  STELE_TRY(verifier.run());
  // The server may have redacted what was read, after it had said so behind the end of what was to be read.
  for (int left = kExtensionsMax; left > 0 && beside_owner && verifier.has_unexplained(); --left) {
    if (const auto now = read_state(files, state_path, patience)) STELE_TRY(walk->extend(*now));
    STELE_TRY(verifier.run());
  }
  LogVerification seen = verifier.finish();
  for (const Finding& finding : tiles.findings()) seen.findings.add(finding);
  for (CheckpointDamage& damage : kept.damage) {
    seen.findings.add({.verdict = Verdict::Damaged,
                       .text = std::move(damage.text),
                       .file = std::move(damage.file),
                       .offset = damage.offset});
  }
  seen.beside_server = beside_owner;
  seen.tile_hashes = tiles.compared();
  seen.notes.insert(seen.notes.end(), tiles.notes().begin(), tiles.notes().end());
  // A crash may leave one that is not whole.
  seen.notes.insert(seen.notes.end(), kept.notes.begin(), kept.notes.end());
  if (!beside_owner && seen.findings.verdict() != Verdict::Ok) {
    STELE_ASSIGN(const bool has_owner, files.is_locked(lock_path));
    if (has_owner) {
      return Error{.kind = ErrorKind::Locked,
                   .message = "a server was started while the folder was read; verify it again",
                   .file = options.folder};
    }
  }
  return seen;
}

}  // namespace stele

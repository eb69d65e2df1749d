// A log verified from its bytes: what was done to it is found, and told apart.

#include "engine/verify/log_verifier.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "engine/audit/checkpoint_folder.h"
#include "engine/audit/merkle_frontier.h"
#include "engine/audit/merkle_tree.h"
#include "engine/base/bytes.h"
#include "engine/log/frame.h"
#include "engine/log/log_folder.h"
#include "engine/store/store.h"
#include "tests/support/log_editor.h"
#include "tests/support/rewritten_segment.h"
#include "tests/support/sample_store.h"

using namespace stele;
using namespace stele::test;

namespace {

constexpr std::uint64_t kVerifiedEvents = 900;

NoteSigner make_signer(const std::string& name = "stele") {
  return NoteSigner::generate(name, NoteKeyKind::Ed25519).value();
}

SignedNote sign_tree(const MerkleFrontier& tree, const NoteSigner& signer, const std::string& origin = "stele") {
  SignedNote note{.text = format_checkpoint({.origin = origin, .size = tree.size(), .root = tree.root()}),
                  .signatures = {}};
  sign_note(note, signer);
  return note;
}

/// The tree over the first records of a log.
MerkleFrontier tree_of(const FileContents& files, std::uint64_t size) {
  LogEditor log(files);
  MerkleFrontier tree;
  Record record;
  for (const std::string* const bytes : log.records()) {
    if (tree.size() == size) break;
    std::copy(bytes->begin(), bytes->end(), record.prepare(bytes->size()).data());
    REQUIRE(record.decode());
    tree.append(record.leaf());
  }
  REQUIRE(tree.size() == size);
  return tree;
}

/// A closed store with some checkpoints kept in it, made once.
struct SignedStore {
  FileContents files;
  FileContents older;  ///< the same folder before its last events
  NoteSigner signer = make_signer();
  Digest root{};

  SignedStore() {
    SimulatedFileSystem disk(1);
    for (const std::uint64_t events : {kVerifiedEvents - 300, std::uint64_t{300}}) {
      auto store = Store::open(sample_options(disk)).value();
      append_sample(*store, events);
      root = store->head().root;
      REQUIRE(store->tree().root(store->head().size).value() == root);  // whoever asks has the tiles written
      REQUIRE(store->close());
      FileContents now;
      read_folder(disk, "/store", now);
      keep(disk, now, store->store_id());
      older = std::exchange(files, {});
      read_folder(disk, "/store", files);
    }
    REQUIRE(LogEditor(files).parts.size() > 3);
  }

  [[nodiscard]] SignedNote checkpoint(std::uint64_t size) const { return sign_tree(tree_of(files, size), signer); }

 private:
  void keep(SimulatedFileSystem& disk, const FileContents& now, const Uuid& store) {
    auto folder = CheckpointFolder::open(
        {.file_system = &disk, .folder = "/store/checkpoints", .store_id = store, .in_place = {}});
    REQUIRE(folder);
    const std::uint64_t end = LogEditor(now).records().size();
    for (const std::uint64_t size : {end - 200, end - 100, end - 1}) {
      REQUIRE((*folder)->add(sign_tree(tree_of(now, size), signer), Timestamp{1'000'000}, false));
    }
  }
};

const SignedStore& signed_store() {
  static const SignedStore store;
  return store;
}

/// One key for all of the log, or none.
class OneKey final : public LogNotices {
 public:
  explicit OneKey(std::optional<NoteVerifier> key, Position redacted = {})
      : key_(std::move(key)), redacted_(redacted) {}
  void take(const Record& record) override { taken.push_back(record.header().position.value()); }
  [[nodiscard]] std::vector<NoteVerifier> keys_at(std::uint64_t) const override {
    return key_ ? std::vector{*key_} : std::vector<NoteVerifier>{};
  }
  [[nodiscard]] bool has_keys() const override { return key_.has_value(); }
  [[nodiscard]] bool explains(const RedactedRecord& record) const override { return record.position == redacted_; }

  std::vector<std::uint64_t> taken;

 private:
  const std::optional<NoteVerifier> key_;
  const Position redacted_;
};

struct Verifying {
  std::optional<SignedNote> since;
  std::optional<NoteVerifier> key = signed_store().signer.verifier();
  Position redacted{};  ///< that the log tells of
};

LogVerification verify(const FileContents& files, Verifying how = {}) {
  SimulatedFileSystem disk(7);
  write_files(disk, files);
  LogVerifierOptions options;
  options.folder = "/store";
  options.file_system = &disk;
  OneKey notices(how.key, how.redacted);
  options.notices = &notices;
  options.since = how.since;
  options.threads = 2;
  auto seen = verify_log(options);
  REQUIRE_MESSAGE(seen, (seen ? "" : seen.error().describe()));
  return std::move(*seen);
}

std::string described(const LogVerification& seen) {
  std::string text(verdict_name(seen.findings.verdict()));
  for (const Finding& finding : seen.findings.list()) {
    text += "\n" + std::string(verdict_name(finding.verdict)) + ": " + finding.text + " " + finding.file + ":" +
            std::to_string(finding.offset.value_or(0));
  }
  return text;
}

#define CHECK_VERDICT(seen, expected) CHECK_MESSAGE((seen).findings.verdict() == Verdict::expected, described(seen))

std::string segment_path(std::uint64_t number) { return "/store/log/" + segment_name(SegmentId{number}); }

std::string checkpoints_path(int number) {
  return "/store/checkpoints/000000000000000" + std::to_string(number) + ".checkpoints";
}

/// Where the frames of a file of checkpoints begin; the last one is its end.
std::vector<std::size_t> frames_of(const std::string& checkpoints) {
  std::vector<std::size_t> all;
  std::size_t at = 48;
  for (; at < checkpoints.size(); at += 24 + get_at<std::uint32_t>(checkpoints.data() + at)) all.push_back(at);
  all.push_back(at);
  return all;
}

/// The files with the log put together anew.
FileContents with_log(FileContents files, LogEditor& log) {
  for (auto& [path, bytes] : log.files()) files[path] = std::move(bytes);
  return files;
}

/// Where the record of a position stands in its file.
struct Place {
  std::string path;
  std::size_t offset = 0;
  std::size_t length = 0;
};
Place place_of(const FileContents& files, std::uint64_t position) {
  for (const auto& [path, bytes] : files) {
    if (!path.ends_with(".seg")) continue;
    const SegmentHeader segment = decode_segment_header(bytes.substr(0, kSegmentHeaderBytes)).value();
    for (std::size_t at = kSegmentHeaderBytes; at + kFrameBytes <= bytes.size();) {
      const auto frame = parse_frame_header(std::string_view(bytes).substr(at), segment.store_id, segment.segment);
      if (!frame || frame->kind == FrameKind::Footer) break;
      std::size_t inside = at + kFrameBytes;
      for (std::uint32_t i = 0; i < frame->record_count; ++i) {
        const std::uint32_t length = record_length(std::string_view(bytes).substr(inside)).value();
        if (frame->first.value() + i == position) return {path, inside, length};
        inside += length;
      }
      at += frame->total_bytes();
    }
  }
  FAIL("no such record");
  return {};
}

}  // namespace

TEST_CASE("LogVerifier.AWholeLogIsProvenUpToItsLastCheckpoint") {
  const SignedStore& store = signed_store();
  const LogVerification seen = verify(store.files, {.since = store.checkpoint(200)});
  CHECK_VERDICT(seen, Ok);
  CHECK(seen.findings.list().empty());
  CHECK(seen.size == kVerifiedEvents + 1);
  CHECK(seen.root == store.root);
  CHECK(seen.origin == "stele");
  CHECK(seen.checkpoints == 7);
  CHECK(seen.agreeing_checkpoints == 7);
  CHECK(seen.proven == kVerifiedEvents);
  CHECK(seen.signatures_judged);
  CHECK(seen.unreadable == 0);
  CHECK_FALSE(seen.beside_server);
}

TEST_CASE("LogVerifier.ChangesNothingAndLocksNothing") {
  SimulatedFileSystem disk(3);
  write_files(disk, signed_store().files);
  const auto changing_calls = [&] {
    std::uint64_t calls = 0;
    for (const SimulatedCall call : {SimulatedCall::Write, SimulatedCall::Sync, SimulatedCall::Allocate,
                                     SimulatedCall::Truncate, SimulatedCall::CreateFolders, SimulatedCall::Rename,
                                     SimulatedCall::Remove, SimulatedCall::SyncDirectory, SimulatedCall::Lock}) {
      calls += disk.calls(call);
    }
    return calls;
  };
  const std::uint64_t before = changing_calls();
  LogVerifierOptions options;
  options.folder = "/store";
  options.file_system = &disk;
  OneKey notices(std::nullopt);
  options.notices = &notices;
  REQUIRE(verify_log(options));
  CHECK(notices.taken == std::vector<std::uint64_t>{0});  // the genesis record
  CHECK(changing_calls() == before);
}

TEST_CASE("LogVerifier.AnyByteOfAnEventThatChangesIsDamage") {
  const SignedStore& store = signed_store();
  // In the first segment, in the middle, and in the last group of a segment and of the log.
  for (const std::uint64_t position : {std::uint64_t{5}, kVerifiedEvents / 2, kVerifiedEvents}) {
    const Place place = place_of(store.files, position);
    const std::size_t stride = position == 5 ? 1 : 23;
    for (std::size_t i = 0; i < place.length; i += stride) {
      FileContents files = store.files;
      files[place.path][place.offset + i] ^= 0x10;
      const LogVerification seen = verify(files, {.since = store.checkpoint(100)});
      CAPTURE(position);
      CAPTURE(i);
      CHECK_VERDICT(seen, Damaged);
    }
  }
}

TEST_CASE("LogVerifier.DamageIsNamedAndTheRestIsStillRead") {
  const SignedStore& store = signed_store();
  FileContents files = store.files;
  const Place first = place_of(files, 50);
  const Place second = place_of(files, 700);
  REQUIRE(first.path != second.path);
  files[first.path][first.offset + first.length - 1] ^= 1;
  files[second.path][second.offset + second.length - 1] ^= 1;
  const LogVerification seen = verify(files);
  CHECK_VERDICT(seen, Damaged);
  CHECK(seen.unreadable == 2);
  CHECK(seen.size == kVerifiedEvents + 1);
  // The tiles have the leaves of these, and the checkpoints prove all others.
  CHECK(seen.supposed == 2);
  CHECK(seen.agreeing_checkpoints == 6);
  CHECK(seen.proven == kVerifiedEvents);
  CHECK_FALSE(seen.root);
  std::vector<std::uint64_t> records;
  for (const Finding& finding : seen.findings.list()) {
    CHECK((finding.file == first.path || finding.file == second.path));
    if (finding.offset == first.offset || finding.offset == second.offset) {
      records.push_back(finding.position->value());
    }
  }
  CHECK(records == std::vector<std::uint64_t>{50, 700});
}

TEST_CASE("LogVerifier.DamagedFramesHeadersAndFootersAreDamage") {
  const SignedStore& store = signed_store();
  for (const std::uint64_t number : {1, 2}) {
    const std::string& whole = store.files.at(segment_path(number));
    const std::size_t footer =
        decode_trailer(std::string_view(whole).substr(whole.size() - kFooterTrailerBytes))->value();
    for (const std::size_t offset :
         {std::size_t{0}, std::size_t{20}, std::size_t{48}, kSegmentHeaderBytes + 1, kSegmentHeaderBytes + 5,
          kSegmentHeaderBytes + 9, kSegmentHeaderBytes + 33, kSegmentHeaderBytes + 41, kSegmentHeaderBytes + 49,
          kSegmentHeaderBytes + 57, kSegmentHeaderBytes + 65, kSegmentHeaderBytes + 73, footer, footer + 5, footer + 65,
          footer + 90, footer + 110, whole.size() - 16, whole.size() - 1}) {
      CAPTURE(number);
      CAPTURE(offset);
      FileContents files = store.files;
      files[segment_path(number)][offset] ^= 0x20;
      CHECK_VERDICT(verify(files), Damaged);
    }
  }
}

TEST_CASE("LogVerifier.MissingFilesAndGroupsAreDamage") {
  const SignedStore& store = signed_store();
  SUBCASE("a segment in the middle") {
    FileContents files = store.files;
    files.erase(segment_path(2));
    CHECK_VERDICT(verify(files), Damaged);
  }
  SUBCASE("the first segment") {
    FileContents files = store.files;
    files.erase(segment_path(1));
    CHECK_VERDICT(verify(files), Damaged);
  }
  SUBCASE("a segment is cut in the middle") {
    FileContents files = store.files;
    files[segment_path(2)].resize(files[segment_path(2)].size() / 2);
    CHECK_VERDICT(verify(files), Damaged);
  }
  SUBCASE("a group is taken out") {
    FileContents files = store.files;
    const Place place = place_of(files, 40);
    const Place next = place_of(files, 41);
    REQUIRE(place.path == next.path);
    files[place.path].erase(place.offset - kFrameBytes, place.length + kFrameBytes);
    CHECK_VERDICT(verify(files), Damaged);
  }
  SUBCASE("two segments are exchanged") {
    FileContents files = store.files;
    std::swap(files[segment_path(1)], files[segment_path(2)]);
    CHECK_VERDICT(verify(files), Damaged);
  }
  SUBCASE("the end is cut off, and the folder knows of more") {
    FileContents files = store.files;
    LogEditor log(files);
    log.parts.back().groups.resize(log.parts.back().groups.size() / 2);
    const LogVerification seen = verify(with_log(files, log));
    CHECK_VERDICT(seen, Damaged);
  }
}

TEST_CASE("LogVerifier.ARepairedLogIsNotTheOneThatWasSigned") {
  const SignedStore& store = signed_store();
  LogEditor log(store.files);
  CHECK(with_log(store.files, log).at(segment_path(2)) == store.files.at(segment_path(2)));
  const auto records = log.records();
  const std::uint64_t position = 333;
  SUBCASE("a byte of an event") {
    records[position]->back() ^= 1;
    const LogVerification seen = verify(with_log(store.files, log), {.since = store.checkpoint(900)});
    CHECK_VERDICT(seen, Rewritten);
    const Finding finding = seen.findings.list().front();
    CHECK(finding.position == Position{0});
    CHECK(finding.text.find("before position 401 are not those that were signed") != std::string::npos);
    // The tiles, which nobody has put right, say which record it is.
    const auto found = seen.findings.list();
    CHECK(std::any_of(found.begin(), found.end(), [&](const Finding& one) {
      return one.verdict == Verdict::Damaged && one.position == Position{position};
    }));
  }
  SUBCASE("a byte of an event behind a checkpoint that still holds") {
    records[650]->back() ^= 1;
    const LogVerification seen = verify(with_log(store.files, log));
    CHECK_VERDICT(seen, Rewritten);
    CHECK(seen.proven == 600);
    CHECK(seen.findings.list().front().position == Position{600});
  }
  SUBCASE("a body of zeros") {
    std::string& record = *records[position];
    std::fill(record.end() - 10, record.end(), '\0');
    CHECK_VERDICT(verify(with_log(store.files, log)), Rewritten);
  }
  SUBCASE("the last event of an aggregate is dropped") {
    // Nothing but the tree can tell: no number of its aggregate is missing.
    const std::string gone = *records[kVerifiedEvents - 3];
    for (auto& part : log.parts) {
      for (auto& group : part.groups) std::erase(group, gone);
    }
    CHECK_VERDICT(verify(with_log(store.files, log), {.since = store.checkpoint(kVerifiedEvents - 2)}), Rewritten);
  }
  SUBCASE("an event in the middle is dropped") {
    const std::string gone = *records[position];
    for (auto& part : log.parts) {
      for (auto& group : part.groups) std::erase(group, gone);
    }
    CHECK_VERDICT(verify(with_log(store.files, log)), Rewritten);
  }
  SUBCASE("two events are exchanged") {
    std::string& one = *records[position];
    std::string& other = *records[position + 1];
    const auto time = get_at<std::int64_t>(one.data() + kTimeInRecord);
    const auto other_time = get_at<std::int64_t>(other.data() + kTimeInRecord);
    std::swap(one, other);
    put_at(one.data() + kTimeInRecord, time);
    put_at(other.data() + kTimeInRecord, other_time);
    CHECK_VERDICT(verify(with_log(store.files, log)), Rewritten);
  }
  SUBCASE("the numbers of an aggregate do not follow, and nothing was ever signed") {
    std::string& record = *records[position];
    put_at<std::uint64_t>(record.data() + kSequenceInRecord, 1'000);
    FileContents files = with_log(store.files, log);
    std::erase_if(files, [](const auto& file) { return file.first.starts_with("/store/checkpoints/"); });
    CHECK_VERDICT(verify(files), Rewritten);
  }
  SUBCASE("all of it is signed anew by whoever has the key, and an old checkpoint is held") {
    records[position]->back() ^= 1;
    FileContents files = with_log(store.files, log);
    std::erase_if(files, [](const auto& file) {
      return file.first.starts_with("/store/checkpoints/") || file.first.starts_with("/store/tiles/");
    });
    SimulatedFileSystem disk(5);
    write_files(disk, files);
    const Uuid id = decode_segment_header(files.at(segment_path(1)).substr(0, kSegmentHeaderBytes))->store_id;
    auto folder =
        CheckpointFolder::open({.file_system = &disk, .folder = "/store/checkpoints", .store_id = id, .in_place = {}});
    REQUIRE((*folder)->add(sign_tree(tree_of(files, 900), store.signer), Timestamp{1}, false));
    FileContents signed_anew;
    read_folder(disk, "/store", signed_anew);
    CHECK_VERDICT(verify(signed_anew), Ok);  // nobody can tell from the folder
    const LogVerification seen = verify(signed_anew, {.since = store.checkpoint(800)});
    CHECK_VERDICT(seen, Rewritten);
    CHECK(seen.findings.list().front().text.find("has signed both") != std::string::npos);
  }
}

TEST_CASE("LogVerifier.AnOlderCopyIsFoundByACheckpointThatIsHeld") {
  const SignedStore& store = signed_store();
  CHECK_VERDICT(verify(store.older), Ok);
  CHECK_VERDICT(verify(store.older, {.since = store.checkpoint(400)}), Ok);
  const LogVerification seen = verify(store.older, {.since = store.checkpoint(800)});
  CHECK_VERDICT(seen, RolledBack);
  CHECK(seen.findings.list().front().position == Position{601});
  SUBCASE("so is a log that ends early in a folder that has forgotten it") {
    FileContents files = store.files;
    LogEditor log(files);
    log.parts.back().groups.resize(log.parts.back().groups.size() / 2);
    files = with_log(files, log);
    files.erase("/store/state");
    CHECK_VERDICT(verify(files), RolledBack);
  }
}

TEST_CASE("LogVerifier.CheckpointsThatNoKeyHasSignedAreForged") {
  const SignedStore& store = signed_store();
  SUBCASE("the one that is held, by its signature") {
    SignedNote note = store.checkpoint(500);
    note.signatures[0].signature[5] ^= 1;
    CHECK_VERDICT(verify(store.files, {.since = note}), Forged);
  }
  SUBCASE("the one that is held, by its text") {
    SignedNote note = store.checkpoint(500);
    note.text.replace(note.text.find("500"), 3, "501");
    CHECK_VERDICT(verify(store.files, {.since = note}), Forged);
  }
  SUBCASE("by another key of the same name") {
    CHECK_VERDICT(verify(store.files, {.since = sign_tree(tree_of(store.files, 901), make_signer())}), Forged);
    // An earlier key may have signed it: it is a tree that the trusted one has signed as well.
    CHECK_VERDICT(verify(store.files, {.since = sign_tree(tree_of(store.files, 500), make_signer())}), Ok);
    MerkleFrontier other = tree_of(store.files, 500);
    other.append(Digest{});
    CHECK_VERDICT(verify(store.files, {.since = sign_tree(other, make_signer())}), Forged);
    CHECK_VERDICT(verify(store.files, {.key = make_signer().verifier()}), Forged);
  }
  SUBCASE("of another log") {
    CHECK_VERDICT(verify(store.files, {.since = sign_tree(tree_of(store.files, 500), store.signer, "other")}), Forged);
  }
  SUBCASE("kept ones, that contradict others that are signed") {
    SimulatedFileSystem disk(5);
    write_files(disk, store.files);
    const Uuid id = decode_segment_header(store.files.at(segment_path(1)).substr(0, kSegmentHeaderBytes))->store_id;
    auto folder =
        CheckpointFolder::open({.file_system = &disk, .folder = "/store/checkpoints", .store_id = id, .in_place = {}});
    MerkleFrontier other = tree_of(store.files, 300);
    other.append(Digest{});
    REQUIRE((*folder)->add(sign_tree(other, store.signer), Timestamp{1}, false));
    FileContents files;
    read_folder(disk, "/store", files);
    const LogVerification seen = verify(files);
    CHECK_VERDICT(seen, Forged);
    CHECK(seen.agreeing_checkpoints == 6);
  }
  SUBCASE("without a key nothing is said of signatures") {
    const LogVerification seen = verify(store.files, {.key = std::nullopt});
    CHECK_VERDICT(seen, Ok);
    CHECK_FALSE(seen.signatures_judged);
  }
}

TEST_CASE("LogVerifier.ABodyThatWasTakenOutByHandIsFound") {
  const SignedStore& store = signed_store();
  FileContents files = store.files;
  files[segment_path(2)] = rewritten(files[segment_path(2)], 7, Link::Kept);
  const LogVerification seen = verify(files, {.since = store.checkpoint(900)});
  CHECK_VERDICT(seen, RedactedWithoutRecord);
  CHECK(seen.redacted == 1);
  CHECK(seen.findings.count() == 1);
  CHECK(seen.root == store.root);
  CHECK(seen.proven == kVerifiedEvents);
  const LogVerification told = verify(files, {.redacted = *seen.findings.list().front().position});
  CHECK_VERDICT(told, Ok);
  CHECK(told.redacted == 1);
}

TEST_CASE("LogVerifier.WhatACrashLeavesIsNoFault") {
  const SignedStore& store = signed_store();
  FileContents files = store.files;
  files.erase("/store/state");
  const Place last = place_of(files, kVerifiedEvents);
  std::string& segment = files[last.path];
  REQUIRE(last.offset + last.length + 200 < segment.size());
  segment.replace(last.offset + last.length, 150, segment.substr(last.offset - kFrameBytes, 150));
  const LogVerification seen = verify(files);
  CHECK_VERDICT(seen, Ok);
  CHECK(seen.notes.size() == 1);
  CHECK(seen.size == kVerifiedEvents + 1);
}

TEST_CASE("LogVerifier.ManyFindingsAreCountedAndAFewAreListed") {
  const SignedStore& store = signed_store();
  FileContents files = store.files;
  for (std::uint64_t position = 10; position < 160; position += 3) {
    const Place place = place_of(files, position);
    files[place.path][place.offset + place.length - 1] ^= 1;
  }
  const LogVerification seen = verify(files);
  CHECK_VERDICT(seen, Damaged);
  CHECK(seen.unreadable == 50);
  CHECK(seen.findings.list().size() == Findings::kKeptOfEach);
  CHECK(seen.findings.left_out() >= 50 - Findings::kKeptOfEach);
}

TEST_CASE("LogVerifier.TilesAreComparedWithTheLog") {
  const SignedStore& store = signed_store();
  REQUIRE(verify(store.files).tile_hashes == kVerifiedEvents + 1 + (kVerifiedEvents + 1) / 256);
  const std::string leaves = "/store/tiles/0.tiles";
  const auto hash_at = [](std::uint64_t index) { return 64 + 32 * index; };
  SUBCASE("a hash that is another one is damage") {
    FileContents files = store.files;
    files[leaves][hash_at(77) + 5] ^= 1;
    const LogVerification seen = verify(files);
    CHECK_VERDICT(seen, Damaged);
    CHECK(seen.findings.list().front().position == Position{77});
    CHECK(seen.proven == kVerifiedEvents);
  }
  SUBCASE("so it is on a higher level") {
    FileContents files = store.files;
    files["/store/tiles/1.tiles"][hash_at(1)] ^= 1;
    CHECK_VERDICT(verify(files), Damaged);
  }
  SUBCASE("what was never written is none") {
    FileContents files = store.files;
    std::fill_n(files[leaves].begin() + static_cast<std::ptrdiff_t>(hash_at(800)), 64, '\0');
    files[leaves].resize(hash_at(880) + 3);
    CHECK_VERDICT(verify(files), Ok);
    std::erase_if(files, [](const auto& file) { return file.first.starts_with("/store/tiles/"); });
    const LogVerification seen = verify(files);
    CHECK_VERDICT(seen, Ok);
    CHECK(seen.tile_hashes == 0);
  }
  SUBCASE("a wrong one in place of a record that cannot be read proves nothing") {
    FileContents files = store.files;
    const Place place = place_of(files, 650);
    files[place.path][place.offset + place.length - 1] ^= 1;
    files[leaves][hash_at(650)] ^= 1;
    const LogVerification seen = verify(files);
    CHECK_VERDICT(seen, Damaged);
    CHECK(seen.supposed == 1);
    CHECK(seen.proven == 600);
  }
}

TEST_CASE("LogVerifier.ADamagedCheckpointIsDamageAndThoseBehindItCount") {
  const SignedStore& store = signed_store();
  const std::string first = checkpoints_path(1);
  const std::string second = checkpoints_path(2);
  const auto frames = frames_of(store.files.at(first));
  const auto last_frames = frames_of(store.files.at(second));
  REQUIRE(frames.size() == 4);
  REQUIRE(last_frames.size() == 5);  // it repeats the newest one of the first file
  REQUIRE(verify(store.files).checkpoints == 6);
  struct Case {
    std::string file;
    std::size_t frame;
    std::size_t offset;  ///< in the frame
    std::uint64_t left;
  };
  for (const Case& one : std::vector<Case>{{first, frames[0], 40, 5},
                                           {first, frames[0], 0, 5},
                                           {first, frames[0], 2, 5},
                                           {first, frames[0], 4, 5},
                                           {first, frames[1], 9, 5},
                                           {first, frames[2], 60, 6},
                                           {second, last_frames[0], 20, 6},
                                           {second, last_frames[2], 100, 5},
                                           {second, last_frames[3], 50, 5}}) {
    CAPTURE(one.file);
    CAPTURE(one.frame);
    CAPTURE(one.offset);
    FileContents files = store.files;
    files[one.file][one.frame + one.offset] ^= 1;  // no letter becomes the zero that a crash leaves
    const LogVerification seen = verify(files);
    CHECK_VERDICT(seen, Damaged);
    CHECK(seen.checkpoints == one.left);
    CHECK(seen.agreeing_checkpoints == one.left);
    REQUIRE(seen.findings.count() == 1);
    CHECK(seen.findings.list().front().file == one.file);
    CHECK(seen.findings.list().front().offset == one.frame);
  }
  SUBCASE("of a file with a damaged header none counts") {
    for (const std::size_t offset : {0, 8, 12, 20, 33, 47}) {
      FileContents files = store.files;
      files[first][offset] ^= 1;
      const LogVerification seen = verify(files);
      CHECK_VERDICT(seen, Damaged);
      CHECK(seen.checkpoints == 4);
      CHECK(seen.findings.list().front().file == first);
    }
  }
  SUBCASE("what a crash leaves of the last one is none, also when the server went on with another file") {
    for (const std::string& file : {first, second}) {
      const std::size_t last = file == first ? frames[2] : last_frames[3];
      const std::uint64_t left = file == first ? 6 : 5;
      FileContents cut = store.files;
      cut[file].resize(cut[file].size() - 10);
      FileContents zeros = store.files;
      std::fill(zeros[file].begin() + static_cast<std::ptrdiff_t>(last) + 90, zeros[file].end(), '\0');
      FileContents nothing = store.files;
      std::fill(nothing[file].begin() + static_cast<std::ptrdiff_t>(last), nothing[file].end(), '\0');
      for (const FileContents& files : {cut, zeros, nothing}) {
        const LogVerification seen = verify(files);
        CHECK_VERDICT(seen, Ok);
        CHECK(seen.checkpoints == left);
        CHECK(seen.notes.size() == 1);
      }
    }
    FileContents begun = store.files;
    begun[checkpoints_path(3)] = "STELE";
    CHECK_VERDICT(verify(begun), Ok);
    begun[checkpoints_path(3)] = std::string(200, '\0');
    CHECK_VERDICT(verify(begun), Ok);
  }
}

TEST_CASE("LogVerifier.ATileFileThatIsNotOfThisStoreIsDamage") {
  const SignedStore& store = signed_store();
  for (const std::string path : {"/store/tiles/0.tiles", "/store/tiles/1.tiles"}) {
    for (const std::size_t offset : {0, 8, 12, 17, 40, 60}) {
      CAPTURE(path);
      CAPTURE(offset);
      FileContents files = store.files;
      files[path][offset] ^= 1;
      const LogVerification seen = verify(files);
      CHECK_VERDICT(seen, Damaged);
      REQUIRE(seen.findings.count() == 1);
      CHECK(seen.findings.list().front().file == path);
    }
    FileContents files = store.files;
    std::fill_n(files[path].begin(), 64, '\0');  // a power cut before the first sync
    CHECK_VERDICT(verify(files), Ok);
  }
}

TEST_CASE("LogVerifier.AReadThatFailsIsNotTakenForAWholeLog") {
  const SignedStore& store = signed_store();
  std::uint64_t reads = 1;
  std::uint64_t of_tiles = 0;
  std::uint64_t of_state = 0;  // which need not be there
  for (std::uint64_t call = 0; call <= reads; ++call) {
    CAPTURE(call);
    SimulatedFileSystem disk(7);
    write_files(disk, store.files);
    const std::uint64_t before = disk.calls(SimulatedCall::Read);
    OneKey notices(store.signer.verifier());
    LogVerifierOptions options;
    options.folder = "/store";
    options.file_system = &disk;
    options.notices = &notices;
    options.threads = 1;
    if (call > 0) disk.fail_call(SimulatedCall::Read, call, SimulatedFailure::Io);
    const auto seen = verify_log(options);
    if (call == 0) {
      reads = disk.calls(SimulatedCall::Read) - before;
      continue;
    }
    if (!seen) continue;
    if (seen->findings.verdict() == Verdict::Ok) {
      ++of_state;
      continue;
    }
    CHECK_VERDICT(*seen, Damaged);
    const auto found = seen->findings.list();
    of_tiles += static_cast<std::uint64_t>(std::any_of(found.begin(), found.end(), [](const Finding& one) {
      return one.file.starts_with("/store/tiles") && one.text.find("cannot be read") != std::string::npos;
    }));
  }
  CHECK(of_tiles >= 2);
  CHECK(of_state <= 1);
}

TEST_CASE("LogVerifier.WithAnOldCheckpointInHandEachTamperingHasItsVerdict") {
  const SignedStore& store = signed_store();
  constexpr std::uint64_t kTampered = 333;
  // All that the folder could say against it is taken out of it as well.
  const auto forgetful = [](FileContents files) {
    std::erase_if(files, [](const auto& file) {
      return file.first.starts_with("/store/checkpoints/") || file.first.starts_with("/store/tiles/");
    });
    return files;
  };
  const auto without_state = [&](FileContents files) {
    files.erase("/store/state");
    return forgetful(std::move(files));
  };
  // With all checksums made anew.
  const auto edited = [&](const std::function<void(LogEditor&)>& edit) {
    LogEditor log(store.files);
    edit(log);
    return forgetful(with_log(store.files, log));
  };
  const SignedNote held = store.checkpoint(kVerifiedEvents);
  SignedNote forged = held;
  forged.signatures[0].signature[9] ^= 1;
  const Place place = place_of(store.files, kTampered);
  FileContents flipped = forgetful(store.files);
  flipped[place.path][place.offset + place.length - 2] ^= 1;
  FileContents zeroed = forgetful(store.files);
  std::fill_n(zeroed[place.path].begin() + static_cast<std::ptrdiff_t>(place.offset + place.length) - 10, 10, '\0');
  FileContents taken_out = forgetful(store.files);
  taken_out[segment_path(2)] = rewritten(taken_out[segment_path(2)], 7, Link::Kept);
  const auto drop_last_groups = [](LogEditor& log) {
    log.parts.back().groups.resize(log.parts.back().groups.size() / 2);
  };
  struct Tampering {
    const char* what;
    FileContents files;
    Verdict verdict;
    SignedNote since;
  };
  for (const Tampering& one : std::vector<Tampering>{
           {"nothing", forgetful(store.files), Verdict::Ok, held},
           {"a byte", flipped, Verdict::Damaged, held},
           {"a byte, and its checksums", edited([](LogEditor& log) { log.records()[kTampered]->back() ^= 1; }),
            Verdict::Rewritten, held},
           {"an event is dropped", edited([](LogEditor& log) {
              const std::string gone = *log.records()[kTampered];
              for (auto& part : log.parts) {
                for (auto& group : part.groups) std::erase(group, gone);
              }
            }),
            Verdict::Rewritten, held},
           {"two are exchanged",
            edited([](LogEditor& log) { std::swap(*log.records()[kTampered], *log.records()[kTampered + 1]); }),
            Verdict::Rewritten, held},
           {"the end is cut off", edited(drop_last_groups), Verdict::Damaged, held},
           {"the end is cut off, and what says how far it was", without_state(edited(drop_last_groups)),
            Verdict::RolledBack, held},
           {"an older copy", forgetful(store.older), Verdict::RolledBack, held},
           {"the checkpoint is forged", forgetful(store.files), Verdict::Forged, forged},
           {"zeros in a body", zeroed, Verdict::Damaged, held},
           {"zeros in a body, and its checksums", edited([](LogEditor& log) {
              std::string& record = *log.records()[kTampered];
              std::fill(record.end() - 10, record.end(), '\0');
            }),
            Verdict::Rewritten, held},
           {"a body is taken out as a redaction does it", taken_out, Verdict::RedactedWithoutRecord, held},
       }) {
    CAPTURE(one.what);
    const LogVerification seen = verify(one.files, {.since = one.since});
    CHECK_MESSAGE(seen.findings.verdict() == one.verdict, described(seen));
  }
}

// A log verified from its bytes: what was done to it is found, and told apart.

#include "engine/verify/log_verifier.h"

#include <doctest/doctest.h>

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
    CHECK(seen.findings.list().back().position == Position{position});
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

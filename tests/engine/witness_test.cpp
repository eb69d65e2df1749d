#include "engine/audit/witness.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "engine/audit/merkle_frontier.h"
#include "engine/audit/merkle_proof.h"
#include "engine/base/digest.h"
#include "tests/support/fake_clock.h"
#include "tests/support/simulated_file_system.h"

namespace stele {
namespace {

using Kind = WitnessAnswer::Kind;

NoteSigner new_signer(std::string name, NoteKeyKind kind) {
  auto made = NoteSigner::generate(std::move(name), kind);
  REQUIRE(made);
  return std::move(*made);
}

/// A log of which only the leaves are known; two of the same name and key, and different `history`, are a fork.
struct SmallLog {
  explicit SmallLog(NoteSigner by, std::string history = "") : signer(std::move(by)), text(std::move(history)) {}

  void grow_to(std::uint64_t size) {
    while (leaves.size() < size) leaves.push_back(sha256({text, std::to_string(leaves.size())}));
  }
  [[nodiscard]] Digest root(std::uint64_t size) const {
    MerkleFrontier frontier;
    for (std::uint64_t i = 0; i < size; ++i) frontier.append(leaves[i]);
    return frontier.root();
  }
  [[nodiscard]] WitnessRequest request(std::uint64_t old_size) const {
    const std::uint64_t size = leaves.size();
    WitnessRequest made;
    made.old_size = old_size;
    made.note.text =
        format_checkpoint({.origin = signer.verifier().name(), .size = size, .root = root(size), .extensions = {}});
    sign_note(made.note, signer);
    if (old_size == 0 || old_size >= size) return made;
    const auto read = [&](unsigned level, std::uint64_t index) -> Result<Digest> {
      MerkleFrontier frontier;
      for (std::uint64_t i = index << level; i < (index + 1) << level; ++i) frontier.append(leaves[i]);
      return frontier.root();
    };
    made.path = *consistency_path(old_size, size, read);
    return made;
  }

  NoteSigner signer;
  std::string text;
  std::vector<Digest> leaves;
};

struct Watched {
  Watched() { open(); }
  void open() {
    witness.reset();
    auto opened = Witness::open(
        {.file_system = &files, .clock = &clock, .folder = "/w", .signer = key, .logs = {log.signer.verifier()}});
    REQUIRE_MESSAGE(opened, opened.error().describe());
    witness = std::move(*opened);
  }
  WitnessAnswer add(const WitnessRequest& request) { return witness->add_checkpoint(format_witness_request(request)); }

  SimulatedFileSystem files{7};
  test::FakeClock clock;
  NoteSigner key = new_signer("watcher", NoteKeyKind::Cosignature);
  SmallLog log{new_signer("log", NoteKeyKind::Ed25519)};
  std::unique_ptr<Witness> witness;
};

}  // namespace

TEST_CASE("Witness.CosignsWhatContinuesTheLastOneAndSaysWhen") {
  Watched one;
  const std::vector trusted{one.key.verifier()};
  std::uint64_t before = 0;
  for (const std::uint64_t size : {1, 2, 7, 7, 8, 1000}) {
    one.log.grow_to(size);
    one.clock.wall += 3'000'000;
    const WitnessRequest request = one.log.request(before);
    const WitnessAnswer answer = one.add(request);
    REQUIRE_MESSAGE(answer.kind == Kind::Cosigned, answer.detail);
    const auto signatures = parse_signatures(answer.cosignatures);
    REQUIRE(signatures);
    const SignedNote note{.text = request.note.text, .signatures = *signatures};
    CHECK(verified_by(note, trusted)->size() == 1);
    CHECK(cosignature_seconds(note.signatures.at(0).signature) ==
          static_cast<std::uint64_t>(one.clock.wall / 1'000'000));
    before = size;
  }
  CHECK(one.witness->cosigned().at(0).size == 1000);
}

TEST_CASE("Witness.RefusesWhatItCannotBelieve") {
  Watched one;
  one.log.grow_to(5);
  CHECK(one.witness->add_checkpoint("old 0\n").kind == Kind::Malformed);
  WitnessRequest stranger = SmallLog(new_signer("stranger", NoteKeyKind::Ed25519)).request(0);
  CHECK(one.add(stranger).kind == Kind::UnknownLog);
  SmallLog impostor(new_signer("log", NoteKeyKind::Ed25519));
  impostor.grow_to(5);
  CHECK(one.add(impostor.request(0)).kind == Kind::UnsignedByLog);
  WitnessRequest forged = one.log.request(0);
  forged.note.signatures[0].signature[3] = static_cast<char>(forged.note.signatures[0].signature[3] ^ 1);
  CHECK(one.add(forged).kind == Kind::UnsignedByLog);
  CHECK(one.add(one.log.request(6)).kind == Kind::SizesReversed);
  CHECK(one.add(one.log.request(4)).kind == Kind::OtherSize);
  WitnessRequest with_path = one.log.request(0);
  with_path.path.emplace_back();
  CHECK(one.add(with_path).kind == Kind::Inconsistent);
  CHECK(one.witness->cosigned().empty());
  REQUIRE(one.add(one.log.request(0)).kind == Kind::Cosigned);
  one.log.grow_to(9);
  const WitnessAnswer behind = one.add(one.log.request(4));
  CHECK(behind.kind == Kind::OtherSize);
  CHECK(behind.size == 5);
  WitnessRequest wrong = one.log.request(5);
  wrong.path.at(0)[0] ^= 1;
  CHECK(one.add(wrong).kind == Kind::Inconsistent);
  wrong.path.clear();
  CHECK(one.add(wrong).kind == Kind::Inconsistent);
  CHECK(one.witness->cosigned().at(0).size == 5);
}

TEST_CASE("Witness.NeverCosignsAForkNotEvenAfterItWasKilledOrLostPower") {
  Watched one;
  one.log.grow_to(6);
  REQUIRE(one.add(one.log.request(0)).kind == Kind::Cosigned);
  SmallLog fork(one.log.signer, "another history");
  const auto refuses = [&] {
    fork.leaves.clear();
    fork.grow_to(6);
    const WitnessAnswer same_size = one.add(fork.request(6));
    CHECK(same_size.kind == Kind::OtherRoot);
    CHECK(same_size.size == 6);
    fork.grow_to(11);
    CHECK(one.add(fork.request(6)).kind == Kind::Inconsistent);
    CHECK(one.add(fork.request(0)).kind == Kind::OtherSize);
  };
  refuses();
  one.witness.reset();
  one.files.crash();
  one.open();
  refuses();
  one.witness.reset();
  one.files.kill();
  one.open();
  refuses();
  one.log.grow_to(8);
  CHECK(one.add(one.log.request(6)).kind == Kind::Cosigned);
}

TEST_CASE("Witness.WhatItHasCosignedSurvivesPowerCutsAtEveryCall") {
  for (std::uint64_t at = 1; at < 40; ++at) {
    CAPTURE(at);
    Watched one;
    one.log.grow_to(3);
    REQUIRE(one.add(one.log.request(0)).kind == Kind::Cosigned);
    one.log.grow_to(4);
    one.files.cut_power_at_call(at);
    const bool is_cosigned = one.add(one.log.request(3)).kind == Kind::Cosigned;
    one.witness.reset();
    one.files.crash();
    one.open();
    const std::uint64_t size = one.witness->cosigned().at(0).size;
    CHECK((size == 4 || (size == 3 && !is_cosigned)));
  }
}

TEST_CASE("Witness.ADamagedStateIsNotForgotten") {
  Watched one;
  one.log.grow_to(3);
  REQUIRE(one.add(one.log.request(0)).kind == Kind::Cosigned);
  one.witness.reset();
  std::string state;
  const auto names = one.files.list("/w");
  REQUIRE(names);
  for (const std::string& name : *names) {
    if (name.ends_with(".cosigned")) state = "/w/" + name;
  }
  REQUIRE_FALSE(state.empty());
  const auto file = one.files.open(state, OpenMode::ReadWrite);
  REQUIRE(file);
  REQUIRE((*file)->write_at(ByteOffset{60}, "x"));
  const auto opened = Witness::open({.file_system = &one.files,
                                     .clock = &one.clock,
                                     .folder = "/w",
                                     .signer = one.key,
                                     .logs = {one.log.signer.verifier()}});
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == ErrorKind::Corrupt);
}

TEST_CASE("Witness.OfTwoAtOnceFromTheSameSizeOneIsCosigned") {
  Watched one;
  one.log.grow_to(3);
  REQUIRE(one.add(one.log.request(0)).kind == Kind::Cosigned);
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t size = one.log.leaves.size();
    SmallLog fork = one.log;
    fork.text = "fork " + std::to_string(round);
    fork.grow_to(size + 1);
    one.log.grow_to(size + 1);
    const WitnessRequest ours = one.log.request(size), theirs = fork.request(size);
    Kind first{}, second{};
    std::thread beside([&] { first = one.add(ours).kind; });
    second = one.add(theirs).kind;
    beside.join();
    CHECK((first == Kind::Cosigned) != (second == Kind::Cosigned));
    if (second == Kind::Cosigned) one.log.leaves = fork.leaves;
  }
}

TEST_CASE("Witness.AStateIsOfOneProcessAtATime") {
  Watched one;
  const auto second = Witness::open({.file_system = &one.files,
                                     .clock = &one.clock,
                                     .folder = "/w",
                                     .signer = one.key,
                                     .logs = {one.log.signer.verifier()}});
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == ErrorKind::Locked);
}

TEST_CASE("WitnessRequest.ComesBackAsItWasWritten") {
  SmallLog log(new_signer("log", NoteKeyKind::Ed25519));
  log.grow_to(100);
  const WitnessRequest request = log.request(37);
  const std::string bytes = format_witness_request(request);
  const auto again = parse_witness_request(bytes);
  REQUIRE_MESSAGE(again, again.error().describe());
  CHECK(again->old_size == 37);
  CHECK(again->path == request.path);
  CHECK(again->note == request.note);
  CHECK(*parse_witnessed_size("37\n") == 37);
  for (const char* const size : {"", "37", "037\n", "-1\n", "37\n\n", "99999999999999999999\n", " 37\n"}) {
    CAPTURE(size);
    CHECK_FALSE(parse_witnessed_size(size));
  }
  for (const std::string& bad :
       {"new 37" + bytes.substr(6), "old 037" + bytes.substr(6), "old " + bytes.substr(6), bytes.substr(0, 80),
        "old 37\nAAAA\n\n" + format_note(request.note), bytes + "x", std::string("old 1\n\n\n\n")}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_witness_request(bad));
  }
  WitnessRequest long_path = request;
  long_path.path.resize(kWitnessPathMax);
  CHECK(parse_witness_request(format_witness_request(long_path)));
  long_path.path.emplace_back();
  CHECK_FALSE(parse_witness_request(format_witness_request(long_path)));
}

}  // namespace stele

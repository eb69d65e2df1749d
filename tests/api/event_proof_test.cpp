// Proofs of single records, read and verified as whoever gets one does it.

#include "api/audit/event_proof.h"

#include <doctest/doctest.h>

#include "engine/audit/merkle_frontier.h"
#include "engine/audit/merkle_proof.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"
#include "tests/support/sample_proposal.h"

using namespace stele;
using namespace stele::api;

namespace {

constexpr std::uint64_t kProofLogSize = 21;

/// A log of records with all kinds of members; the one at position 9 has data and metadata.
struct ProofLog {
  NoteSigner signer = NoteSigner::generate("a/log", NoteKeyKind::Ed25519).value();
  std::vector<std::string> headers;
  std::vector<RecordDraft> drafts;
  std::vector<Digest> leaves;

  ProofLog() {
    const Proposal sample = stele::test::sample_proposal();
    for (std::uint64_t i = 0; i < kProofLogSize; ++i) {
      RecordDraft draft = i % 3 == 0 ? sample.events[0] : i % 3 == 1 ? sample.events[1] : sample.attached[0];
      draft.seed[0] = static_cast<std::uint8_t>(i);
      draft.body_digest = body_digest(draft.seed, draft.body());
      RecordHeader header = draft.header();
      header.position = Position{i};
      header.sequence = SequenceNumber{i + 1};
      std::string bytes;
      const EncodedRecord at = append_record(bytes, header, draft.seed, draft.body());
      headers.push_back(bytes.substr(at.header_offset, at.header_length));
      leaves.push_back(leaf_hash(headers.back(), draft.body_digest));
      drafts.push_back(std::move(draft));
    }
  }

  [[nodiscard]] Result<Digest> node(unsigned level, std::uint64_t index) const {
    MerkleFrontier tree;
    for (std::uint64_t i = index << level; i < (index + 1) << level; ++i) tree.append(leaves[i]);
    return tree.root();
  }
  [[nodiscard]] std::vector<Digest> path(std::uint64_t index, std::uint64_t size) const {
    return inclusion_path(index, size, [&](unsigned level, std::uint64_t at) { return node(level, at); }).value();
  }
  [[nodiscard]] std::string note(std::uint64_t size, const NoteSigner* by = nullptr) const {
    const auto root = merkle_root(size, [&](unsigned level, std::uint64_t at) { return node(level, at); });
    SignedNote made{.text = format_checkpoint({.origin = "a/log", .size = size, .root = *root}), .signatures = {}};
    sign_note(made, by != nullptr ? *by : signer);
    return format_note(made);
  }
  [[nodiscard]] std::string preimage(std::uint64_t index) const {
    return headers[index] + std::string(as_bytes(drafts[index].body_digest));
  }
  [[nodiscard]] std::string file(std::uint64_t index, std::uint64_t size) const {
    std::string text = "c2sp.org/tlog-proof@v1\nindex " + std::to_string(index) + "\n";
    for (const Digest& hash : path(index, size)) text += base64_encode(as_bytes(hash)) + "\n";
    return text + "\n" + note(size);
  }
  [[nodiscard]] std::string member(std::uint64_t index, BodyMember which, std::string_view bytes) const {
    const auto salt = member_salt(drafts[index].seed, which);
    return R"({"salt":")" + base64_encode({reinterpret_cast<const char*>(salt.data()), salt.size()}) +
           R"(","bytes":")" + base64_encode(bytes) + R"("})";
  }
  /// As GET /v1/events/{eventId}/proof gives it.
  [[nodiscard]] std::string json(std::uint64_t index, std::uint64_t size) const {
    std::string hashes;
    for (const Digest& hash : path(index, size)) {
      hashes += (hashes.empty() ? "\"" : ",\"") + base64_encode(as_bytes(hash)) + "\"";
    }
    std::string escaped = note(size);
    for (auto at = escaped.find('\n'); at != std::string::npos; at = escaped.find('\n', at))
      escaped.replace(at, 1, "\\n");
    const RecordBody body = drafts[index].body();
    std::string members;
    if (body.data) members += R"("data":)" + member(index, BodyMember::Data, *body.data);
    if (body.metadata) {
      members +=
          (members.empty() ? "" : ",") + (R"("metadata":)" + member(index, BodyMember::Metadata, *body.metadata));
    }
    if (body.private_fields) {
      const auto salt = member_salt(drafts[index].seed, BodyMember::Private);
      members += R"("private":{"digest":")" +
                 base64_encode(as_bytes(
                     sha256({{reinterpret_cast<const char*>(salt.data()), salt.size()}, *body.private_fields}))) +
                 R"("})";
    }
    return R"({"eventId":")" + to_string(drafts[index].event_id) + R"(","index":)" + std::to_string(index) +
           R"(,"treeSize":)" + std::to_string(size) + R"(,"hashes":[)" + hashes + R"(],"checkpoint":")" + escaped +
           R"(","leaf":{"preimage":")" + base64_encode(preimage(index)) + R"(","members":{)" + members + "}}}";
  }
  [[nodiscard]] std::vector<NoteVerifier> keys() const { return {signer.verifier()}; }
};

std::string with_replaced(std::string text, std::string_view what, std::string_view by) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

/// Empty if it holds, else why it does not.
std::string verified(const ProofLog& log, const Result<EventProof>& proof) {
  REQUIRE_MESSAGE(proof, (proof ? "" : proof.error().message));
  REQUIRE(proof->leaf);
  Record record;
  const Status status = verify_event_proof(*proof, *proof->leaf, log.keys(), record);
  if (status) CHECK(record.header().position == Position{proof->index});
  return status ? "" : status.error().message;
}

}  // namespace

TEST_CASE("EventProof.HoldsForEveryRecordAndEverySize") {
  const ProofLog log;
  Record record;
  for (std::uint64_t size = 1; size <= kProofLogSize; ++size) {
    for (std::uint64_t index = 0; index < size; ++index) {
      CAPTURE(size);
      CAPTURE(index);
      CHECK(verified(log, read_event_proof(log.json(index, size))) == "");
      const auto file = read_event_proof(log.file(index, size));
      REQUIRE(file);
      CHECK_FALSE(file->leaf);
      const auto entry = read_proven_leaf(log.preimage(index));
      REQUIRE(entry);
      CHECK(verify_event_proof(*file, *entry, log.keys(), record));
      CHECK(record.header().event_type == log.drafts[index].event_type);
      // Another record's entry.
      const auto other = read_proven_leaf(log.preimage((index + 1) % kProofLogSize));
      CHECK_FALSE(verify_event_proof(*file, *other, log.keys(), record));
    }
  }
}

TEST_CASE("EventProof.WhatWasChangedDoesNotHold") {
  const ProofLog log;
  const std::string whole = log.json(9, 17);
  CHECK(verified(log, read_event_proof(whole)) == "");
  const auto refuses = [&](const std::string& text, std::string_view why) {
    const std::string reason = verified(log, read_event_proof(text));
    CAPTURE(reason);
    CHECK(reason.find(why) != std::string::npos);
  };
  refuses(with_replaced(whole, R"("index":9)", R"("index":12)"), "is the one at position 9");
  refuses(with_replaced(whole, base64_encode(*log.drafts[9].data), base64_encode("[1,2.51,null]")), "members shown");
  refuses(with_replaced(whole, base64_encode(*log.drafts[9].data), base64_encode("[]")), "not as many");
  refuses(with_replaced(whole, R"("metadata":)", R"("other":)"), "knows the member metadata");
  refuses(with_replaced(whole, base64_encode(as_bytes(log.path(9, 17)[0])), base64_encode(as_bytes(Digest{}))), "");
  // Signed by another key, and by none that is known.
  const NoteSigner other = NoteSigner::generate("a/log", NoteKeyKind::Ed25519).value();
  const auto proof = read_event_proof(whole);
  Record record;
  const std::vector<NoteVerifier> others{other.verifier()};
  CHECK_FALSE(verify_event_proof(*proof, *proof->leaf, others, record));
  CHECK_FALSE(verify_event_proof(*proof, *proof->leaf, {}, record));
  EventProof forged = *proof;
  forged.note.text += "more\n";
  CHECK_FALSE(verify_event_proof(forged, *forged.leaf, log.keys(), record));
  EventProof shorter = *proof;
  shorter.path.pop_back();
  CHECK_FALSE(verify_event_proof(shorter, *shorter.leaf, log.keys(), record));
  // A bit of each byte of the preimage.
  for (std::size_t i = 0; i < proof->leaf->preimage.size(); ++i) {
    ProvenLeaf leaf = *proof->leaf;
    leaf.preimage[i] ^= 4;
    CHECK_FALSE(verify_event_proof(*proof, leaf, log.keys(), record));
  }
}

TEST_CASE("EventProof.TheCheckpointMustBeOfTheKeysOwnLog") {
  const ProofLog log;
  const NoteSigner witness = NoteSigner::generate("b/log", NoteKeyKind::Ed25519).value();
  auto proof = read_event_proof(log.json(3, 9));
  REQUIRE(proof);
  proof->note.signatures.clear();
  sign_note(proof->note, witness);
  Record record;
  const std::vector<NoteVerifier> keys{witness.verifier()};
  const Status status = verify_event_proof(*proof, *proof->leaf, keys, record);
  REQUIRE_FALSE(status);
  CHECK(status.error().message.find("not that of its log") != std::string::npos);
}

TEST_CASE("EventProof.TextsThatAreNoProofAreRefusedInWords") {
  const ProofLog log;
  const std::string file = log.file(9, 17);
  const std::string json = log.json(9, 17);
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("{}"),
        with_replaced(file, "index 9", "index 09"), with_replaced(file, "index 9", "index x"),
        with_replaced(file, "index 9", "indices 9"), file.substr(0, file.find("\n\n")),
        with_replaced(file, "\n\n", "\nAAAA\n\n"), with_replaced(file, "index 9", "extra ?\nindex 9"),
        with_replaced(json, R"("index":9)", R"("index":-9)"),
        with_replaced(json, R"("treeSize":17)", R"("treeSize":18)"), with_replaced(json, R"("hashes")", R"("no")"),
        with_replaced(json, R"("salt":")", R"("salt":"?)"), with_replaced(json, R"("preimage":")", R"("preimage":"=)"),
        with_replaced(json, "checkpoint", "point")}) {
    CAPTURE(text);
    const auto proof = read_event_proof(text);
    REQUIRE_FALSE(proof);
    CHECK(proof.error().kind == ErrorKind::InvalidArgument);
    CHECK_FALSE(proof.error().message.empty());
  }
  CHECK(read_event_proof(with_replaced(file, "index 9", "extra aGk=\nindex 9")));
}

TEST_CASE("EventProof.ConsistencyProofsAreReadInBothForms") {
  const ProofLog log;
  const auto path =
      consistency_path(7, 18, [&](unsigned level, std::uint64_t at) { return log.node(level, at); }).value();
  std::string lines, list;
  for (const Digest& hash : path) {
    lines += base64_encode(as_bytes(hash)) + "\n";
    list += (list.empty() ? "\"" : ",\"") + base64_encode(as_bytes(hash)) + "\"";
  }
  CHECK(read_consistency_proof(lines).value() == path);
  CHECK(read_consistency_proof(R"({"from":7,"to":18,"hashes":[)" + list + "]}").value() == path);
  CHECK(read_consistency_proof("").value().empty());
  for (const char* const text : {"x", "x\n", "{", "{}", R"({"hashes":[1]})", R"({"hashes":["AAAA"]})"}) {
    CHECK_FALSE(read_consistency_proof(text));
  }
}

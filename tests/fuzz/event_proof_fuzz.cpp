// Proofs and entries as strangers hand them over.

#include "api/audit/event_proof.h"

#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

constexpr std::string_view kNote =
    "a/log\n2\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\xE2\x80\x94 a/log "
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

std::string proven_preimage() {
  const RecordBody body{.data = "{}", .metadata = {}, .private_fields = {}};
  RecordHeader header;
  header.aggregate_id = "a";
  header.event_type = "T";
  header.data_length = 2;
  std::string bytes;
  const EncodedRecord at = append_record(bytes, header, Seed{}, body);
  return bytes.substr(at.header_offset, at.header_length) + std::string(as_bytes(body_digest(Seed{}, body)));
}

std::string json_proof() {
  const auto salt = member_salt(Seed{}, BodyMember::Data);
  std::string note(kNote);
  for (auto at = note.find('\n'); at != std::string::npos; at = note.find('\n', at)) note.replace(at, 1, "\\n");
  return R"({"index":0,"treeSize":2,"hashes":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],"checkpoint":")" + note +
         R"(","leaf":{"preimage":")" + base64_encode(proven_preimage()) + R"(","members":{"data":{"salt":")" +
         base64_encode({reinterpret_cast<const char*>(salt.data()), salt.size()}) + R"(","bytes":"e30="}}}})";
}

std::vector<std::string> seeds() {
  return {"c2sp.org/tlog-proof@v1\nextra aGk=\nindex 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n" +
              std::string(kNote),
          json_proof(), proven_preimage(), R"({"hashes":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]})"};
}

}  // namespace

FUZZ_TARGET(event_proof, seeds) {
  const fuzz::Exact exact(input);
  static const std::vector<NoteVerifier> keys{NoteVerifier("a/log", NoteKeyKind::Ed25519, {})};
  Record record;
  if (const auto leaf = read_proven_leaf(exact.view())) {
    if (const auto hash = leaf_of(*leaf, record)) {
      STELE_CHECK(*hash == sha256({std::string_view("\0", 1), leaf->preimage}));
      STELE_CHECK(leaf->preimage.starts_with(record.header_bytes()));
    }
  }
  if (const auto proof = read_event_proof(exact.view())) {
    STELE_CHECK(proof->path.size() <= 65 && proof->checkpoint.origin.size() <= kNoteBytesMax);
    // Nobody has the key of zeros.
    STELE_CHECK(!verify_event_proof(*proof, proof->leaf.value_or(ProvenLeaf{}), keys, record));
  }
  if (const auto path = read_consistency_proof(exact.view())) STELE_CHECK(path->size() <= 65);
}

}  // namespace stele::api

// Proofs, entries and bundles as strangers hand them over.

#include "api/audit/event_proof.h"

#include "api/audit/event_bundle.h"
#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

constexpr std::string_view kNote =
    "a/log\n2\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\xE2\x80\x94 a/log "
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

/// RFC 8032, 7.1, test 1. No input is signed by it.
constexpr NoteVerifier::PublicKey kPublicKey{0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
                                             0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
                                             0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};

NoteVerifier proof_key() { return {"a/log", NoteKeyKind::Ed25519, kPublicKey}; }

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
          json_proof(), proven_preimage(), R"({"hashes":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]})",
          bundle_head_line({.origin = "a/log", .aggregate_id = "a", .vkeys = {proof_key().vkey()}}) + "\n" +
              json_proof() + "\n" + bundle_end_line(1) + "\n"};
}

}  // namespace

FUZZ_TARGET(event_proof, seeds) {
  const fuzz::Exact exact(input);
  static const std::vector<NoteVerifier> keys{proof_key()};
  Record record;
  if (const auto leaf = read_proven_leaf(exact.view())) {
    if (const auto hash = leaf_of(*leaf, record)) {
      STELE_CHECK(*hash == sha256({std::string_view("\0", 1), leaf->preimage}));
      STELE_CHECK(leaf->preimage.starts_with(record.header_bytes()));
    }
  }
  if (const auto proof = read_event_proof(exact.view())) {
    STELE_CHECK(proof->path.size() <= 65 && proof->checkpoint.origin.size() <= kNoteBytesMax);
    STELE_CHECK(!verify_event_proof(*proof, proof->leaf.value_or(ProvenLeaf{}), keys, record));
  }
  // Lines of a bundle, as they are and behind a head.
  for (const std::string& head : {std::string(), bundle_head_line({.origin = "a/log", .vkeys = {keys[0].vkey()}})}) {
    BundleVerifier bundle(keys);
    Status status = head.empty() ? Status{} : bundle.take(head);
    for (std::string_view rest = exact.view(); status && !rest.empty();) {
      const auto end = std::min(rest.find('\n'), rest.size() - 1);
      status = bundle.take(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
    STELE_CHECK(bundle.events() == 0 && bundle.complete_to() == 0);
  }
  if (const auto path = read_consistency_proof(exact.view())) STELE_CHECK(path->size() <= 65);
}

}  // namespace stele::api

#include "api/audit/event_proof.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "engine/audit/merkle_proof.h"
#include "engine/base/base64.h"
#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::string_view kProofLine = "c2sp.org/tlog-proof@v1\n";
constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHeaderBytesMin = 80;
constexpr std::array<const char*, 3> kProofMembers{"data", "metadata", "private"};

Error no_proof(std::string what) { return Error{.kind = ErrorKind::InvalidArgument, .message = std::move(what)}; }
Error does_not_hold(std::string what) { return Error{.kind = ErrorKind::Corrupt, .message = std::move(what)}; }

Result<Digest> read_digest(std::string_view text) {
  const auto bytes = base64_decode(text);
  if (!bytes || bytes->size() != kDigestBytes) return no_proof("a hash of the proof is not 32 bytes of base64");
  Digest digest{};
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  return digest;
}

Result<std::string> read_bytes(const simdjson::dom::element& object, const char* name) {
  std::string_view text;
  if (object[name].get(text) != simdjson::SUCCESS) return no_proof(std::string("there is no text \"") + name + "\"");
  auto bytes = base64_decode(text);
  if (!bytes) return no_proof(std::string("\"") + name + "\" is no base64");
  return std::move(*bytes);
}

Result<std::vector<Digest>> read_hashes(const simdjson::dom::element& object) {
  simdjson::dom::array hashes;
  if (object["hashes"].get(hashes) != simdjson::SUCCESS) return no_proof("there is no list \"hashes\"");
  std::vector<Digest> path;
  for (const simdjson::dom::element hash : hashes) {
    std::string_view text;
    if (path.size() == kMerklePathMax || hash.get(text) != simdjson::SUCCESS) {
      return no_proof("\"hashes\" is too long, or holds what is no text");
    }
    STELE_ASSIGN(const Digest digest, read_digest(text));
    path.push_back(digest);
  }
  return path;
}

Result<ProvenLeaf> read_leaf(const simdjson::dom::element& object) {
  ProvenLeaf leaf;
  STELE_ASSIGN(leaf.preimage, read_bytes(object, "preimage"));
  std::string_view said;
  if (object["leafHash"].get(said) == simdjson::SUCCESS) {
    STELE_ASSIGN(leaf.hash, read_digest(said));
  }
  if (object["bodyDigest"].get(said) == simdjson::SUCCESS) {
    STELE_ASSIGN(leaf.body_digest, read_digest(said));
  }
  simdjson::dom::object members;
  if (object["members"].get(members) != simdjson::SUCCESS) return leaf;
  for (std::size_t i = 0; i < kProofMembers.size(); ++i) {
    simdjson::dom::element shown;
    if (members[kProofMembers[i]].get(shown) != simdjson::SUCCESS) continue;
    ProvenMember& member = leaf.members[i].emplace();
    std::string_view digest;
    if (shown["digest"].get(digest) == simdjson::SUCCESS) {
      STELE_ASSIGN(member.digest, read_digest(digest));
      continue;
    }
    STELE_ASSIGN(member.salt, read_bytes(shown, "salt"));
    STELE_ASSIGN(member.bytes, read_bytes(shown, "bytes"));
    if (member.salt.size() != kSaltBytes) return no_proof("a salt is not 16 bytes");
  }
  return leaf;
}

Status read_note(std::string_view text, EventProof& proof) {
  STELE_ASSIGN(proof.note, parse_note(text));
  STELE_ASSIGN(proof.checkpoint, parse_checkpoint(proof.note.text));
  return {};
}

Result<EventProof> read_json_proof(const simdjson::dom::element& object) {
  EventProof proof;
  std::string_view note;
  if (object["index"].get(proof.index) != simdjson::SUCCESS || object["checkpoint"].get(note) != simdjson::SUCCESS) {
    return no_proof("there is no number \"index\", or no text \"checkpoint\"");
  }
  STELE_ASSIGN(proof.path, read_hashes(object));
  STELE_TRY(read_note(note, proof));
  std::uint64_t size = 0;
  if (object["treeSize"].get(size) == simdjson::SUCCESS && size != proof.checkpoint.size) {
    return no_proof("\"treeSize\" is not the size that the checkpoint gives");
  }
  std::string_view event_id;
  if (object["eventId"].get(event_id) == simdjson::SUCCESS) proof.event_id = event_id;
  simdjson::dom::element leaf;
  if (object["leaf"].get(leaf) == simdjson::SUCCESS) {
    STELE_ASSIGN(proof.leaf, read_leaf(leaf));
  }
  return proof;
}

/// The next line, without its end; none if no line ends there.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

Result<EventProof> read_tlog_proof(std::string_view rest) {
  rest.remove_prefix(kProofLine.size());
  EventProof proof;
  auto line = take_line(rest);
  if (line && line->starts_with("extra ")) {
    if (!base64_decode(line->substr(6))) return no_proof("the extra data of the proof is no base64");
    line = take_line(rest);
  }
  constexpr std::string_view kIndex = "index ";
  if (!line || !line->starts_with(kIndex)) return no_proof("the proof has no line \"index <number>\"");
  const std::string_view digits = line->substr(kIndex.size());
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), proof.index);
  if (error != std::errc{} || end != digits.data() + digits.size() || (digits.size() > 1 && digits[0] == '0')) {
    return no_proof("the index of the proof is no number");
  }
  while ((line = take_line(rest)) && !line->empty()) {
    if (proof.path.size() == kMerklePathMax) return no_proof("the proof has too many hashes");
    STELE_ASSIGN(const Digest digest, read_digest(*line));
    proof.path.push_back(digest);
  }
  if (!line) return no_proof("the proof ends before the checkpoint");
  STELE_TRY(read_note(rest, proof));
  return proof;
}

bool looks_like_json(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

}  // namespace

Result<EventProof> read_event_proof(std::string_view text) {
  if (text.size() > kProofBytesMax) return Error{.kind = ErrorKind::TooLarge, .message = "the proof is too long"};
  if (text.starts_with(kProofLine)) return read_tlog_proof(text);
  if (!looks_like_json(text)) return no_proof("this is neither a JSON object nor a tlog-proof");
  simdjson::dom::parser parser;
  simdjson::dom::element object;
  if (parser.parse(simdjson::padded_string(text)).get(object) != simdjson::SUCCESS) return no_proof("this is no JSON");
  return read_json_proof(object);
}

Result<ProvenLeaf> read_proven_leaf(std::string_view bytes) {
  if (bytes.size() > kProofBytesMax) return Error{.kind = ErrorKind::TooLarge, .message = "the entry is too long"};
  // A header begins with its version, so that it is never taken for JSON.
  if (!looks_like_json(bytes)) return ProvenLeaf{.preimage = std::string(bytes), .members = {}};
  simdjson::dom::parser parser;
  simdjson::dom::element object;
  if (parser.parse(simdjson::padded_string(bytes)).get(object) != simdjson::SUCCESS) return no_proof("this is no JSON");
  simdjson::dom::element leaf;
  return read_leaf(object["leaf"].get(leaf) == simdjson::SUCCESS ? leaf : object);
}

Result<std::vector<Digest>> read_consistency_proof(std::string_view text) {
  if (text.size() > kProofBytesMax) return Error{.kind = ErrorKind::TooLarge, .message = "the proof is too long"};
  if (looks_like_json(text)) {
    simdjson::dom::parser parser;
    simdjson::dom::element object;
    if (parser.parse(simdjson::padded_string(text)).get(object) != simdjson::SUCCESS) {
      return no_proof("this is no JSON");
    }
    return read_hashes(object);
  }
  std::vector<Digest> path;
  while (!text.empty()) {
    const auto line = take_line(text);
    if (!line || path.size() == kMerklePathMax) return no_proof("the proof has too many lines, or one without its end");
    STELE_ASSIGN(const Digest digest, read_digest(*line));
    path.push_back(digest);
  }
  return path;
}

Result<Digest> leaf_of(const ProvenLeaf& leaf, Record& record) {
  const std::string_view preimage = leaf.preimage;
  if (preimage.size() < kHeaderBytesMin + kDigestBytes || preimage.size() > kHeaderBytesMax + kDigestBytes) {
    return does_not_hold("the preimage of the leaf is no header and digest of a record");
  }
  const std::string_view header = preimage.substr(0, preimage.size() - kDigestBytes);
  // As it would be stored with all of its members redacted: what decodes records checks the header.
  const auto present = static_cast<std::uint8_t>(get_at<std::uint16_t>(header.data() + 2) & 0x07U);
  const std::size_t members = ((present & 1U) != 0) + ((present & 2U) != 0) + ((present & 4U) != 0);
  std::string bytes;
  put<std::uint32_t>(bytes, static_cast<std::uint32_t>(kRecordFrameBytes + header.size() + kDigestBytes * members));
  put<std::uint8_t>(bytes, present);
  bytes.append(3, '\0');
  const std::string content = std::string(header) + std::string(kDigestBytes * members, '\0');
  put<std::uint64_t>(bytes, xxh3(bytes, content));
  bytes += content;
  std::copy(bytes.begin(), bytes.end(), record.prepare(bytes.size()).data());
  if (const Status decoded = record.decode(); !decoded) {
    return does_not_hold("the header of the record is none: " + decoded.error().message);
  }

  const bool shows_members =
      std::any_of(leaf.members.begin(), leaf.members.end(), [](const auto& member) { return member.has_value(); });
  if (shows_members || present == 0) {
    const std::array<std::optional<std::uint32_t>, 3> lengths{
        record.header().data_length, record.header().metadata_length, record.header().private_length};
    std::array<Digest, 3> digests{};
    for (std::size_t i = 0; i < digests.size(); ++i) {
      const auto& shown = leaf.members[i];
      if (shown.has_value() != lengths[i].has_value()) {
        return does_not_hold(std::string("the header of the record ") + (shown ? "does not know" : "knows") +
                             " the member " + kProofMembers[i] + ", and the proof " +
                             (shown ? "shows it" : "does not"));
      }
      if (!shown) continue;
      if (!shown->digest && shown->bytes.size() != *lengths[i]) {
        return does_not_hold(std::string("the bytes of the member ") + kProofMembers[i] +
                             " are not as many as the header of the record says");
      }
      digests[i] = shown->digest ? *shown->digest : sha256({shown->salt, shown->bytes});
    }
    const Digest body = sha256({as_bytes(digests[0]), as_bytes(digests[1]), as_bytes(digests[2])});
    if (as_bytes(body) != preimage.substr(header.size())) {
      return does_not_hold("the members shown are not those that the leaf was made of");
    }
  }
  if (leaf.body_digest && as_bytes(*leaf.body_digest) != preimage.substr(header.size())) {
    return does_not_hold("the body digest shown is not the one that the leaf was made of");
  }
  const Digest hash = sha256({std::string_view("\0", 1), preimage});
  if (leaf.hash && *leaf.hash != hash) return does_not_hold("the hash shown is not that of the leaf");
  return hash;
}

Status verify_checkpoint_note(const SignedNote& note, const Checkpoint& checkpoint,
                              std::span<const NoteVerifier> keys) {
  const auto signers = verified_by(note, keys);
  if (!signers) return signers.error();
  if (signers->empty()) return does_not_hold("no key that was given has signed the checkpoint");
  const bool is_of_its_log = std::any_of(signers->begin(), signers->end(), [&](std::size_t signer) {
    return keys[signer].kind() == NoteKeyKind::Ed25519 && keys[signer].name() == checkpoint.origin;
  });
  if (!is_of_its_log) return does_not_hold("the key that has signed the checkpoint is not that of its log");
  return {};
}

Status verify_event_proof(const EventProof& proof, const ProvenLeaf& leaf, std::span<const NoteVerifier> keys,
                          Record& record) {
  STELE_TRY(verify_checkpoint_note(proof.note, proof.checkpoint, keys));
  STELE_ASSIGN(const Digest hash, leaf_of(leaf, record));
  if (record.header().position.value() != proof.index) {
    return does_not_hold("the record is the one at position " + std::to_string(record.header().position.value()) +
                         ", and the proof is of " + std::to_string(proof.index));
  }
  if (proof.event_id && *proof.event_id != to_string(record.header().event_id)) {
    return does_not_hold("the record is the event " + to_string(record.header().event_id) +
                         ", and the proof says that it is another one");
  }
  if (Status included = verify_inclusion(hash, proof.index, proof.checkpoint.size, proof.path, proof.checkpoint.root);
      !included) {
    return does_not_hold(included.error().message);
  }
  return {};
}

}  // namespace stele::api

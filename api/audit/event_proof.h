#pragma once
// Proofs of single records as they come from a server or a stranger: a JSON object (GET /v1/events/{eventId}/proof) or
// a C2SP tlog-proof file. Read and verified without a server: everything in them is hostile until it is verified.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/audit/checkpoint.h"
#include "engine/audit/note_key.h"
#include "engine/audit/signed_note.h"
#include "engine/log/record.h"

namespace stele::api {

/// A member of the body: its bytes and their salt, or the digest of both.
struct ProvenMember {
  std::string salt;
  std::string bytes;
  std::optional<Digest> digest;  ///< instead of the others
};

/// What a leaf is the hash of.
struct ProvenLeaf {
  std::string preimage;  ///< hashed header ‖ body digest
  /// Data, metadata, private fields; none = the proof does not show it. Without any of them the body is not looked at.
  std::array<std::optional<ProvenMember>, 3> members;
  // What the proof says of it besides, which follows from the above; none = it says nothing.
  std::optional<Digest> hash{};
  std::optional<Digest> body_digest{};
};

struct EventProof {
  std::uint64_t index = 0;
  std::vector<Digest> path;
  SignedNote note;
  Checkpoint checkpoint;                  ///< what the note says
  std::optional<ProvenLeaf> leaf;         ///< none in a tlog-proof file
  std::optional<std::string> event_id{};  ///< whose proof it says to be; none in a tlog-proof file
};

inline constexpr std::size_t kProofBytesMax = 64U << 20;

/// InvalidArgument says what is wrong with the text of a proof of either form, TooLarge.
[[nodiscard]] Result<EventProof> read_event_proof(std::string_view text);
/// The leaf of a JSON proof, or the bytes of an entry as they stand in an entry bundle: hashed header ‖ body digest.
[[nodiscard]] Result<ProvenLeaf> read_proven_leaf(std::string_view bytes);

/// The hashes of a consistency proof, as GET /v1/audit/consistency gives them, or as lines of base64.
[[nodiscard]] Result<std::vector<Digest>> read_consistency_proof(std::string_view text);

/// Computes the leaf's hash and decodes its header into `record`, whose members all count as redacted. Corrupt: the
/// preimage is no header and digest, the members shown do not give that digest, or what is said of it is not so.
[[nodiscard]] Result<Digest> leaf_of(const ProvenLeaf& leaf, Record& record);

/// Corrupt: no key has signed the note, a signature is false, or the checkpoint is of a log of another name than its
/// key.
[[nodiscard]] Status verify_checkpoint_note(const SignedNote& note, const Checkpoint& checkpoint,
                                            std::span<const NoteVerifier> keys);

/// All of it: the note, the way from the leaf to its root, and that the record is the one at that index and of that id.
/// `record` then has the header. InvalidArgument without a leaf; Corrupt says what does not hold.
[[nodiscard]] Status verify_event_proof(const EventProof& proof, const ProvenLeaf& leaf,
                                        std::span<const NoteVerifier> keys, Record& record);

}  // namespace stele::api

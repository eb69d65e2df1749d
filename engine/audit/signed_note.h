#pragma once
// A text and signatures over it (C2SP signed-note): what checkpoints and the announcements of keys are. No I/O.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/audit/note_key.h"
#include "engine/base/result.h"

namespace stele {

struct NoteSignature {
  std::string key_name;
  std::uint32_t key_id = 0;
  std::string signature;  ///< raw bytes, without the key id
  bool operator==(const NoteSignature&) const = default;
};

struct SignedNote {
  std::string text;  ///< ends in a newline; this is what is signed
  std::vector<NoteSignature> signatures;
  bool operator==(const SignedNote&) const = default;
};

inline constexpr std::size_t kNoteBytesMax = 64U << 10;
inline constexpr std::size_t kNoteSignaturesMax = 64;

/// InvalidArgument: bytes that are no note, or one beyond the bounds above.
[[nodiscard]] Result<SignedNote> parse_note(std::string_view bytes);
[[nodiscard]] std::string format_note(const SignedNote& note);
/// The lines behind the empty one, which travel alone as well. InvalidArgument as above; there is at least one.
[[nodiscard]] Result<std::vector<NoteSignature>> parse_signatures(std::string_view lines);
[[nodiscard]] std::string format_signatures(std::span<const NoteSignature> signatures);

/// Puts the signer's signature over note.text, made at `time`, behind the others.
void sign_note(SignedNote& note, const NoteSigner& signer, Timestamp time = {});

/// The indices in `keys` of those that have signed the note, ascending; signatures of others are ignored. Corrupt: one
/// says it is by one of them, and is not.
[[nodiscard]] Result<std::vector<std::size_t>> verified_by(const SignedNote& note, std::span<const NoteVerifier> keys);

}  // namespace stele

#include "engine/audit/signed_note.h"

#include <algorithm>

#include "engine/base/base64.h"

namespace stele {

namespace {

constexpr std::string_view kDash = "\xE2\x80\x94 ";  // U+2014 and a space
constexpr std::size_t kKeyIdBytes = 4;

Error no_note(const char* message) { return Error{.kind = ErrorKind::InvalidArgument, .message = message}; }

Result<NoteSignature> parse_signature(std::string_view line) {
  if (!line.starts_with(kDash)) return no_note("a signature line of the note does not begin with a dash");
  line.remove_prefix(kDash.size());
  const auto space = line.find(' ');
  if (space == std::string_view::npos || !is_note_key_name(line.substr(0, space))) {
    return no_note("a signature line of the note is not <name> <signature>");
  }
  const auto bytes = base64_decode(line.substr(space + 1));
  if (!bytes || bytes->size() <= kKeyIdBytes) return no_note("a signature of the note is no base64 of enough bytes");
  NoteSignature signature;
  signature.key_name = line.substr(0, space);
  for (std::size_t i = 0; i < kKeyIdBytes; ++i) {
    signature.key_id = (signature.key_id << 8) | static_cast<unsigned char>((*bytes)[i]);
  }
  signature.signature = bytes->substr(kKeyIdBytes);
  return signature;
}

}  // namespace

Result<SignedNote> parse_note(std::string_view bytes) {
  if (bytes.size() > kNoteBytesMax) return no_note("the note is too long");
  const bool has_controls =
      std::any_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; });
  if (has_controls) return no_note("the note has control characters");
  const auto gap = bytes.rfind("\n\n");
  if (gap == std::string_view::npos || gap == 0)
    return no_note("the note has no text, or no signatures behind an empty line");
  STELE_ASSIGN(auto signatures, parse_signatures(bytes.substr(gap + 2)));
  return SignedNote{.text = std::string(bytes.substr(0, gap + 1)), .signatures = std::move(signatures)};
}

std::string format_note(const SignedNote& note) { return note.text + "\n" + format_signatures(note.signatures); }

Result<std::vector<NoteSignature>> parse_signatures(std::string_view lines) {
  if (lines.empty() || !lines.ends_with('\n')) {
    return no_note("the note has no signature, or its last line does not end");
  }
  std::vector<NoteSignature> signatures;
  while (!lines.empty()) {
    if (signatures.size() == kNoteSignaturesMax) return no_note("the note has too many signatures");
    const auto end = lines.find('\n');
    STELE_ASSIGN(NoteSignature signature, parse_signature(lines.substr(0, end)));
    signatures.push_back(std::move(signature));
    lines.remove_prefix(end + 1);
  }
  return signatures;
}

std::string format_signatures(std::span<const NoteSignature> signatures) {
  std::string lines;
  for (const NoteSignature& signature : signatures) {
    std::string with_id;
    for (int shift = 24; shift >= 0; shift -= 8) with_id += static_cast<char>(signature.key_id >> shift);
    with_id += signature.signature;
    lines.append(kDash).append(signature.key_name).append(" ").append(base64_encode(with_id)).append("\n");
  }
  return lines;
}

void sign_note(SignedNote& note, const NoteSigner& signer, Timestamp time) {
  note.signatures.push_back(NoteSignature{.key_name = signer.verifier().name(),
                                          .key_id = signer.verifier().id(),
                                          .signature = signer.sign(note.text, time)});
}

Result<std::vector<std::size_t>> verified_by(const SignedNote& note, std::span<const NoteVerifier> keys) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    bool has_signed = false;
    for (const NoteSignature& signature : note.signatures) {
      if (signature.key_name != keys[i].name() || signature.key_id != keys[i].id()) continue;
      if (!keys[i].verifies(note.text, signature.signature)) {
        return Error{.kind = ErrorKind::Corrupt,
                     .message = "the signature that is said to be by the key " + keys[i].vkey() + " is not"};
      }
      has_signed = true;
    }
    if (has_signed) found.push_back(i);
  }
  return found;
}

}  // namespace stele

#pragma once
// Ed25519 keys (RFC 8032, OpenSSL) of C2SP signed notes: who signs checkpoints, and who verifies them. No I/O.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/ids.h"
#include "engine/base/result.h"

struct evp_pkey_st;

namespace stele {

/// What a signature is over; the type byte of a verifier key (C2SP signed-note, tlog-cosignature).
enum class NoteKeyKind : std::uint8_t {
  Ed25519 = 0x01,      ///< the text of the note
  Cosignature = 0x04,  ///< "cosignature/v1", a time and the text: what a witness signs
};

inline constexpr std::size_t kNoteKeyNameBytesMax = 255;
/// Not empty, UTF-8 without spaces, control characters and `+`, at most kNoteKeyNameBytesMax bytes.
[[nodiscard]] bool is_note_key_name(std::string_view name);

/// A public key and its name.
class NoteVerifier {
 public:
  using PublicKey = std::array<std::uint8_t, 32>;

  NoteVerifier(std::string name, NoteKeyKind kind, const PublicKey& key);
  /// `<name>+<key id in hex>+<base64 of kind and public key>`; InvalidArgument says what is wrong.
  [[nodiscard]] static Result<NoteVerifier> parse(std::string_view vkey);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] NoteKeyKind kind() const { return kind_; }
  [[nodiscard]] const PublicKey& key() const { return key_; }
  /// First 4 bytes of SHA-256(name ‖ 0x0A ‖ kind ‖ key), big-endian.
  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] std::string vkey() const;
  /// Whether `signature` (without the key id) is this key's over the text of a note.
  [[nodiscard]] bool verifies(std::string_view text, std::string_view signature) const;
  bool operator==(const NoteVerifier&) const = default;

 private:
  std::string name_;
  NoteKeyKind kind_;
  PublicKey key_;
  std::uint32_t id_;
};

/// A private key and its name. Thread-safe.
class NoteSigner {
 public:
  [[nodiscard]] static Result<NoteSigner> generate(std::string name, NoteKeyKind kind);
  /// PKCS #8 in PEM (RFC 8410), without a passphrase.
  [[nodiscard]] static Result<NoteSigner> from_pem(std::string name, NoteKeyKind kind, std::string_view pem);
  [[nodiscard]] std::string to_pem() const;

  [[nodiscard]] const NoteVerifier& verifier() const { return verifier_; }
  /// Without the key id. `time` is that of a cosignature, and not looked at for other keys.
  [[nodiscard]] std::string sign(std::string_view text, Timestamp time = {}) const;

 private:
  NoteSigner(NoteVerifier verifier, std::shared_ptr<evp_pkey_st> key)
      : verifier_(std::move(verifier)), key_(std::move(key)) {}

  NoteVerifier verifier_;
  std::shared_ptr<evp_pkey_st> key_;
};

/// When a cosignature says it was made; seconds. 0 if `signature` is not of a cosignature's length.
[[nodiscard]] std::uint64_t cosignature_seconds(std::string_view signature);

}  // namespace stele

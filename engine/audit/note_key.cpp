#include "engine/audit/note_key.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>

#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"

namespace stele {

namespace {

constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kTimeBytes = 8;
constexpr std::size_t kPemBytesMax = 16U << 10;
constexpr std::int64_t kMicrosASecond = 1'000'000;

using Key = std::shared_ptr<EVP_PKEY>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

const unsigned char* octets(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

std::string_view bytes_of(const NoteVerifier::PublicKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

std::uint32_t id_of(std::string_view name, NoteKeyKind kind, const NoteVerifier::PublicKey& key) {
  const char type = static_cast<char>(kind);
  const Digest digest = sha256({name, "\n", std::string_view(&type, 1), bytes_of(key)});
  return (std::uint32_t{digest[0]} << 24) | (std::uint32_t{digest[1]} << 16) | (std::uint32_t{digest[2]} << 8) |
         digest[3];
}

std::string big_endian(std::uint64_t value) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

/// What is signed.
std::string message_of(NoteKeyKind kind, std::string_view text, std::uint64_t seconds) {
  if (kind == NoteKeyKind::Ed25519) return std::string(text);
  return "cosignature/v1\ntime " + std::to_string(seconds) + "\n" + std::string(text);
}

std::string hex8(std::uint32_t id) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text += kDigits[(id >> shift) & 15];
  return text;
}

Error no_key(const char* message) { return Error{.kind = ErrorKind::InvalidArgument, .message = message}; }

Result<NoteVerifier::PublicKey> public_part(EVP_PKEY* key) {
  NoteVerifier::PublicKey bytes{};
  std::size_t length = bytes.size();
  if (EVP_PKEY_get_id(key) != EVP_PKEY_ED25519 || EVP_PKEY_get_raw_public_key(key, bytes.data(), &length) != 1 ||
      length != bytes.size()) {
    return no_key("the key is not an Ed25519 key");
  }
  return bytes;
}

/// A key with a passphrase is refused, not asked about on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

bool is_note_key_name(std::string_view name) {
  if (name.empty() || name.size() > kNoteKeyNameBytesMax) return false;
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == '+' || c == '\x7f'; });
}

NoteVerifier::NoteVerifier(std::string name, NoteKeyKind kind, const PublicKey& key)
    : name_(std::move(name)), kind_(kind), key_(key), id_(id_of(name_, kind_, key_)) {}

Result<NoteVerifier> NoteVerifier::parse(std::string_view vkey) {
  const auto first = vkey.find('+');
  const auto second = first == std::string_view::npos ? first : vkey.find('+', first + 1);
  if (second == std::string_view::npos) return no_key("a verifier key is <name>+<key id>+<key>");
  const std::string_view name = vkey.substr(0, first);
  const std::string_view id = vkey.substr(first + 1, second - first - 1);
  if (!is_note_key_name(name)) return no_key("the name in the verifier key is none");
  const auto bytes = base64_decode(vkey.substr(second + 1));
  if (!bytes || bytes->size() != 1 + PublicKey{}.size()) return no_key("the verifier key is not 33 bytes of base64");
  const auto kind = static_cast<NoteKeyKind>(bytes->front());
  if (kind != NoteKeyKind::Ed25519 && kind != NoteKeyKind::Cosignature) {
    return no_key("the verifier key is of a kind that is not known here");
  }
  PublicKey key{};
  std::copy(bytes->begin() + 1, bytes->end(), key.begin());
  NoteVerifier verifier(std::string(name), kind, key);
  if (hex8(verifier.id()) != id) return no_key("the id in the verifier key is not that of its name and key");
  return verifier;
}

std::string NoteVerifier::vkey() const {
  return name_ + "+" + hex8(id_) + "+" + base64_encode(static_cast<char>(kind_) + std::string(bytes_of(key_)));
}

bool NoteVerifier::verifies(std::string_view text, std::string_view signature) const {
  const std::uint64_t seconds = cosignature_seconds(signature);
  if (kind_ == NoteKeyKind::Cosignature) {
    if (signature.size() != kTimeBytes + kSignatureBytes) return false;
    signature.remove_prefix(kTimeBytes);
  }
  if (signature.size() != kSignatureBytes) return false;
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key_.data(), key_.size()), EVP_PKEY_free);
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!key || !context) return false;
  const std::string message = message_of(kind_, text, seconds);
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message), message.size()) == 1;
}

Result<NoteSigner> NoteSigner::generate(std::string name, NoteKeyKind kind) {
  if (!is_note_key_name(name)) return no_key("this can be no name of a key: it is empty, or has a space or a +");
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  if (!key) return no_key("the key could not be made");
  STELE_ASSIGN(const auto bytes, public_part(key.get()));
  return NoteSigner(NoteVerifier(std::move(name), kind, bytes), key);
}

Result<NoteSigner> NoteSigner::from_pem(std::string name, NoteKeyKind kind, std::string_view pem) {
  if (!is_note_key_name(name)) return no_key("this can be no name of a key: it is empty, or has a space or a +");
  if (pem.size() > kPemBytesMax) return no_key("the file is too long for a key");
  const Memory memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  if (!memory) return no_key("the key could not be read");
  const Key key(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_passphrase, nullptr), EVP_PKEY_free);
  if (!key) return no_key("this is no private key in PEM without a passphrase");
  STELE_ASSIGN(const auto bytes, public_part(key.get()));
  return NoteSigner(NoteVerifier(std::move(name), kind, bytes), key);
}

std::string NoteSigner::to_pem() const {
  const Memory memory(BIO_new(BIO_s_mem()), BIO_free);
  STELE_CHECK(memory &&
              PEM_write_bio_PKCS8PrivateKey(memory.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  char* data = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(length)};
}

std::string NoteSigner::sign(std::string_view text, Timestamp time) const {
  const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(time.micros, 0) / kMicrosASecond);
  const std::string message = message_of(verifier_.kind(), text, seconds);
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::string signature(kSignatureBytes, '\0');
  std::size_t length = signature.size();
  STELE_CHECK(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
  STELE_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length,
                             octets(message), message.size()) == 1);
  return verifier_.kind() == NoteKeyKind::Cosignature ? big_endian(seconds) + signature : signature;
}

std::uint64_t cosignature_seconds(std::string_view signature) {
  if (signature.size() != kTimeBytes + kSignatureBytes) return 0;
  std::uint64_t seconds = 0;
  for (const char c : signature.substr(0, kTimeBytes)) seconds = (seconds << 8) | static_cast<unsigned char>(c);
  return seconds;
}

}  // namespace stele

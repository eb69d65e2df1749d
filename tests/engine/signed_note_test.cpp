#include "engine/audit/signed_note.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "engine/audit/note_key.h"

namespace stele {
namespace {

// The example of the documentation of Go's golang.org/x/mod/sumdb/note: made by another implementation.
constexpr std::string_view kVkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr std::string_view kText =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
constexpr std::string_view kSignature =
    "\xE2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

std::string example() { return std::string(kText) + "\n" + std::string(kSignature); }

NoteSigner signer(std::string name, NoteKeyKind kind = NoteKeyKind::Ed25519) {
  auto made = NoteSigner::generate(std::move(name), kind);
  REQUIRE(made);
  return std::move(*made);
}

}  // namespace

TEST_CASE("SignedNote.WhatAnotherImplementationHasSignedIsVerified") {
  const auto verifier = NoteVerifier::parse(kVkey);
  REQUIRE_MESSAGE(verifier, verifier.error().describe());
  CHECK(verifier->vkey() == kVkey);
  CHECK(verifier->name() == "PeterNeumann");
  CHECK(verifier->id() == 0xc74f20a3);
  const auto note = parse_note(example());
  REQUIRE_MESSAGE(note, note.error().describe());
  CHECK(note->text == kText);
  CHECK(format_note(*note) == example());
  const std::array keys{*verifier};
  const auto by = verified_by(*note, keys);
  REQUIRE(by);
  CHECK(*by == std::vector<std::size_t>{0});
}

TEST_CASE("SignedNote.AByteOfTheTextOrOfTheSignatureChangedIsNoSignature") {
  const std::array keys{*NoteVerifier::parse(kVkey)};
  auto note = *parse_note(example());
  note.text[3] ^= 1;
  CHECK(verified_by(note, keys).error().kind == ErrorKind::Corrupt);
  note = *parse_note(example());
  note.signatures[0].signature[10] = static_cast<char>(note.signatures[0].signature[10] ^ 1);
  CHECK(verified_by(note, keys).error().kind == ErrorKind::Corrupt);
  // Another key's signature, as its name and id say, says nothing.
  note.signatures[0].key_id ^= 1;
  CHECK(verified_by(note, keys)->empty());
}

TEST_CASE("SignedNote.SeveralSignOneText") {
  const NoteSigner log = signer("stele.example/missions");
  const NoteSigner witness = signer("witness.example", NoteKeyKind::Cosignature);
  const NoteSigner other = signer("witness.example", NoteKeyKind::Cosignature);
  SignedNote note{.text = "stele.example/missions\n1\nroot\n", .signatures = {}};
  sign_note(note, log);
  sign_note(note, witness, Timestamp{1'700'000'000'000'000});
  const auto read = parse_note(format_note(note));
  REQUIRE(read);
  CHECK(*read == note);
  const std::array keys{other.verifier(), witness.verifier(), log.verifier()};
  CHECK(*verified_by(*read, keys) == std::vector<std::size_t>{1, 2});
  CHECK(cosignature_seconds(read->signatures[1].signature) == 1'700'000'000);
  CHECK(cosignature_seconds(read->signatures[0].signature) == 0);
  // The time is signed as well.
  auto later = *read;
  later.signatures[1].signature[7] = static_cast<char>(later.signatures[1].signature[7] ^ 1);
  CHECK_FALSE(verified_by(later, keys));
}

TEST_CASE("SignedNote.KeysAreKeptAsPem") {
  const NoteSigner made = signer("stele");
  const std::string pem = made.to_pem();
  CHECK(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
  const auto read = NoteSigner::from_pem("stele", NoteKeyKind::Ed25519, pem);
  REQUIRE(read);
  CHECK(read->verifier() == made.verifier());
  CHECK(made.verifier().verifies("text\n", read->sign("text\n")));
  CHECK_FALSE(NoteSigner::from_pem("stele", NoteKeyKind::Ed25519, "-----BEGIN PRIVATE KEY-----\nAAAA\n"));
  CHECK_FALSE(NoteSigner::from_pem("two words", NoteKeyKind::Ed25519, pem));
  CHECK_FALSE(NoteSigner::generate("a+b", NoteKeyKind::Ed25519));
  CHECK_FALSE(NoteSigner::generate("", NoteKeyKind::Ed25519));
}

TEST_CASE("SignedNote.VerifierKeysThatAreNone") {
  for (const std::string& bad : std::vector<std::string>{
           "", "PeterNeumann", "PeterNeumann+c74f20a3",
           "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
           "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
           "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
           "PeterNeumann+c74f20a3+Axpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "PeterNeumann+c74f20a3+ARpc2Qc"}) {
    CAPTURE(bad);
    CHECK_FALSE(NoteVerifier::parse(bad));
  }
}

TEST_CASE("SignedNote.BytesThatAreNoNote") {
  const std::string text(kText);
  const std::string signature(kSignature);
  std::string many = text + "\n";
  for (std::size_t i = 0; i <= kNoteSignaturesMax; ++i) many += signature;
  for (const std::string& bad : std::vector<std::string>{
           "", "\n", "\n\n", text, text + "\n", text + signature, "\n\n" + signature, text + "\n" + signature.substr(4),
           text + "\n" + signature.substr(0, signature.size() - 1), text + "\n" + signature + "\n",
           text + "\n\xE2\x80\x94 PeterNeumann \n", text + "\n\xE2\x80\x94 PeterNeumann x08g\n",
           text + "\n\xE2\x80\x94  x08go/ZJkuBS\n", "a\tb\n\n" + signature, many,
           std::string(kNoteBytesMax, 'a') + "\n\n" + signature}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_note(bad));
  }
}

}  // namespace stele

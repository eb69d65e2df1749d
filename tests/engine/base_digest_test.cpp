#include <doctest/doctest.h>

#include <string>

#include "engine/base/digest.h"
#include "tests/engine/digest_text.h"

namespace stele {
namespace {

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 131 + i / 251);
  return bytes;
}

TEST_CASE("Sha256.KnownAnswers") {
  CHECK(hex(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256({""})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256({"abc"})) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256({"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"})) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(
      hex(sha256({"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnop"
                  "qrstnopqrstu"})) == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK(hex(sha256({std::string(1'000'000, 'a')})) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("Sha256.PartsGiveTheDigestOfTheWhole") {
  const std::string bytes = pattern(300);
  const std::string_view whole = bytes;
  const Digest expected = sha256({whole});
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    REQUIRE(sha256({whole.substr(0, cut), whole.substr(cut)}) == expected);
    REQUIRE(sha256({whole.substr(0, cut / 2), whole.substr(cut / 2, cut - cut / 2), {}, whole.substr(cut)}) ==
            expected);
  }
}

TEST_CASE("Xxh3.KnownAnswers") {
  CHECK(xxh3("") == 0x2D06800538D394C2ULL);
  CHECK(xxh3("", "") == xxh3(""));
}

TEST_CASE("Xxh3.TwoPartsGiveTheChecksumOfTheWhole") {
  for (const std::size_t size : {1, 3, 4, 8, 16, 17, 128, 129, 240, 241, 1024, 1025, 2047, 2048, 2049, 5000}) {
    const std::string bytes = pattern(size);
    const std::string_view whole = bytes;
    const std::uint64_t expected = xxh3(whole);
    for (std::size_t cut = 0; cut <= size; cut += 1 + size / 97) {
      CAPTURE(size);
      CAPTURE(cut);
      REQUIRE(xxh3(whole.substr(0, cut), whole.substr(cut)) == expected);
    }
    CHECK(xxh3(whole, {}) == expected);
  }
}

TEST_CASE("Digest.AsBytesShowsAllOfIt") {
  const Digest digest = sha256({"abc"});
  CHECK(as_bytes(digest).size() == 32);
  CHECK(as_bytes(digest).data() == reinterpret_cast<const char*>(digest.data()));
}

}  // namespace
}  // namespace stele

#include <doctest/doctest.h>

#include <cctype>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/uuid.h"

namespace stele {
namespace {

class FixedClock final : public Clock {
 public:
  explicit FixedClock(std::int64_t micros) : micros_(micros) {}
  Timestamp now() const override { return Timestamp{micros_}; }
  std::int64_t monotonic_micros() const override { return micros_; }

 private:
  std::int64_t micros_;
};

const std::string kText = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";  // the version 7 example of RFC 9562, appendix A.6

TEST_CASE("Uuid.TextFormIsReadAndWritten") {
  const auto uuid = parse_uuid(kText);
  REQUIRE(uuid);
  CHECK(uuid->bytes[0] == 0x01);
  CHECK(uuid->bytes[6] == 0x7c);
  CHECK(uuid->bytes[15] == 0x8f);
  CHECK(to_string(*uuid) == kText);
  std::string framed = "<------------------------------------>";
  write_uuid(*uuid, framed.data() + 1);
  CHECK(framed == "<" + kText + ">");
}

TEST_CASE("Uuid.UpperCaseIsReadButNotCanonical") {
  std::string upper = kText;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  REQUIRE(parse_uuid(upper));
  CHECK(to_string(*parse_uuid(upper)) == kText);
  CHECK_FALSE(parse_canonical_uuid(upper));
  CHECK(parse_canonical_uuid(kText));
}

TEST_CASE("Uuid.EveryOtherTextIsRefused") {
  for (std::size_t i = 0; i < kText.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      std::string text = kText;
      text[i] = static_cast<char>(c);
      const bool dash_place = i == 8 || i == 13 || i == 18 || i == 23;
      const bool good = dash_place ? c == '-' : c < 0x80 && std::isxdigit(c) != 0;
      CAPTURE(text);
      CHECK(parse_uuid(text).has_value() == good);
      CHECK(parse_canonical_uuid(text).has_value() == (good && std::isupper(c) == 0));
      if (good && !dash_place) CHECK(to_string(*parse_uuid(text))[i] == static_cast<char>(std::tolower(c)));
    }
  }
  for (const std::string text : {"", "-", "017f22e279b07cc398c4dc0c0c07398f", "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
                                 "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_uuid(text));
    CHECK_FALSE(parse_canonical_uuid(text));
  }
}

TEST_CASE("Uuid.CanonicalTextsAreExactlyWhatToStringGives") {
  for (int i = 0; i < 1000; ++i) {
    Uuid uuid;
    random_bytes(uuid.bytes.data(), uuid.bytes.size());
    const std::string text = to_string(uuid);
    REQUIRE(parse_canonical_uuid(text));
    REQUIRE(parse_uuid(text) == uuid);
  }
}

TEST_CASE("Uuid.VersionSevenHoldsTheMillisecondsAndItsVersionBits") {
  const FixedClock clock(0x017f22e279b0LL * 1000 + 999);
  for (int i = 0; i < 100; ++i) {
    const std::string text = to_string(make_uuid_v7(clock));
    REQUIRE(text.substr(0, 15) == "017f22e2-79b0-7");
    REQUIRE(std::string("89ab").find(text[19]) != std::string::npos);
  }
  CHECK(to_string(make_uuid_v7(FixedClock(-5'000'000))).starts_with("00000000-0000-7"));
}

TEST_CASE("Uuid.ThreadsNeverDrawTheSame") {
  std::vector<std::vector<Uuid>> drawn(4);
  {
    std::vector<std::jthread> threads;
    for (auto& uuids : drawn) {
      threads.emplace_back([&uuids] {
        for (int i = 0; i < 2000; ++i) uuids.push_back(make_uuid_v7(system_clock()));
      });
    }
  }
  std::set<Uuid> all;
  for (const auto& uuids : drawn) all.insert(uuids.begin(), uuids.end());
  CHECK(all.size() == 8000);
}

TEST_CASE("RandomBytes.FillsAnySizeAndNothingBeside") {
  for (const std::size_t size : {0, 1, 16, 1000, 1024, 1025, 5000}) {
    std::vector<unsigned char> seen(size + 1);
    unsigned char guard = 0x5A;
    // Each byte is zero in all eight draws with probability 2^-64.
    for (int round = 0; round < 8; ++round) {
      std::vector<unsigned char> bytes(size + 1, 0x5A);
      random_bytes(bytes.data(), size);
      guard = static_cast<unsigned char>(guard & bytes[size]);
      for (std::size_t i = 0; i < size; ++i) seen[i] = static_cast<unsigned char>(seen[i] | bytes[i]);
    }
    CHECK(guard == 0x5A);
    std::size_t zeros = 0;
    for (std::size_t i = 0; i < size; ++i) zeros += seen[i] == 0;
    CHECK(zeros == 0);
  }
}

}  // namespace
}  // namespace stele

#include "api/json/timestamp.h"

#include <doctest/doctest.h>

#include <random>
#include <utility>

using namespace stele;
using namespace stele::api;

TEST_CASE("Timestamp.GoodTextsGiveMicroseconds") {
  const std::pair<const char*, const char*> cases[] = {
      {"2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000000Z"},
      {"2026-03-01t12:00:00z", "2026-03-01T12:00:00.000000Z"},
      {"2026-03-01T12:00:00.5+02:00", "2026-03-01T10:00:00.500000Z"},
      {"2026-03-01T00:30:00-05:30", "2026-03-01T06:00:00.000000Z"},
      {"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000000Z"},
      {"2026-03-01T12:00:00.123456Z", "2026-03-01T12:00:00.123456Z"},
      {"2026-03-01T12:00:00.1Z", "2026-03-01T12:00:00.100000Z"},
      {"2026-03-01T12:00:00-00:00", "2026-03-01T12:00:00.000000Z"},
      {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"},
      {"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
      {"0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"},
      {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
      {"2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z"},
      {"2016-12-31T23:59:60.7Z", "2016-12-31T23:59:59.999999Z"},
      {"2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59.999999Z"},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    for (const FinerTimes finer : {FinerTimes::Refuse, FinerTimes::RoundUp}) {
      const auto time = parse_timestamp(text, finer);
      REQUIRE(time);
      CHECK(format_timestamp(*time) == expected);
    }
  }
  CHECK(parse_timestamp("1970-01-01T00:00:01.000001Z", FinerTimes::Refuse)->micros == 1'000'001);
}

TEST_CASE("Timestamp.FinerTimesThanMicrosecondsAreRoundedUpOrRefusedAndNeverCut") {
  const std::pair<const char*, const char*> cases[] = {
      {"2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123457Z"},
      {"2026-03-01T12:00:00.1234561Z", "2026-03-01T12:00:00.123457Z"},
      {"2026-03-01T12:00:00.123456001Z", "2026-03-01T12:00:00.123457Z"},
      {"2026-03-01T12:00:00.123456000Z", "2026-03-01T12:00:00.123456Z"},
      {"2026-03-01T12:00:00.1234560+02:00", "2026-03-01T10:00:00.123456Z"},
      {"2026-12-31T23:59:59.999999999Z", "2027-01-01T00:00:00.000000Z"},
      {"2024-02-29T23:59:59.9999991-00:30", "2024-03-01T00:30:00.000000Z"},
      {"1969-12-31T23:59:59.9999995Z", "1970-01-01T00:00:00.000000Z"},
      {"1969-12-31T23:59:59.9999985Z", "1969-12-31T23:59:59.999999Z"},
      {"0000-01-01T00:00:00.0000001Z", "0000-01-01T00:00:00.000001Z"},
      {"2016-12-31T23:59:60.1234567Z", "2016-12-31T23:59:59.999999Z"},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    const auto time = parse_timestamp(text, FinerTimes::RoundUp);
    REQUIRE(time);
    CHECK(format_timestamp(*time) == expected);
    CHECK(!parse_timestamp(text, FinerTimes::Refuse));
  }
  // Behind everything that can be stored, so that a bound of it leaves nothing out.
  const auto last = parse_timestamp("9999-12-31T23:59:59.999999Z", FinerTimes::RoundUp);
  const auto behind = parse_timestamp("9999-12-31T23:59:59.9999991Z", FinerTimes::RoundUp);
  REQUIRE(last);
  REQUIRE(behind);
  CHECK(behind->micros == last->micros + 1);
}

TEST_CASE("Timestamp.OtherTextsAreRefused") {
  for (const char* text : {"",
                           "2026",
                           "2026-03-01",
                           "2026-03-01 12:00:00Z",
                           "2026-03-01T12:00Z",
                           "2026-03-01T12:00:00",
                           "2026-3-01T12:00:00Z",
                           "2026-13-01T12:00:00Z",
                           "2026-00-01T12:00:00Z",
                           "2026-02-29T12:00:00Z",
                           "2026-04-31T12:00:00Z",
                           "2026-03-00T12:00:00Z",
                           "2026-03-01T24:00:00Z",
                           "2026-03-01T12:60:00Z",
                           "2026-03-01T12:00:61Z",
                           "2026-03-01T12:00:60Z",
                           "2026-03-15T23:59:60Z",
                           "2016-12-31T23:59:60+01:00",
                           "2026-03-01T12:00:00.Z",
                           "2026-03-01T12:00:00.1234567890Z",
                           "2026-03-01T12:00:00+24:00",
                           "2026-03-01T12:00:00+02:60",
                           "2026-03-01T12:00:00+0200",
                           "2026-03-01T12:00:00+02",
                           "2026-03-01T12:00:00Zx",
                           "2026-03-01T12:00:00Z ",
                           " 2026-03-01T12:00:00Z",
                           "+2026-03-01T12:00:00Z",
                           "0000-01-01T00:00:00+00:01",
                           "9999-12-31T23:59:59-00:01",
                           "2026-03-01T12:00:00,5Z",
                           "2026-03-01T-1:00:00Z",
                           "99999-03-01T12:00:00Z"}) {
    CAPTURE(text);
    CHECK(!parse_timestamp(text, FinerTimes::Refuse));
    CHECK(!parse_timestamp(text, FinerTimes::RoundUp));
  }
}

TEST_CASE("Timestamp.FormatAndParseAreInverse") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::int64_t> micros(-62'167'219'200'000'000, 253'402'300'799'999'999);
  for (int i = 0; i < 20'000; ++i) {
    const Timestamp time{micros(random)};
    REQUIRE(parse_timestamp(format_timestamp(time), FinerTimes::Refuse) == time);
  }
}

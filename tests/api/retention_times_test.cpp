// How long bodies of actions are kept, as people write it.

#include <doctest/doctest.h>

#include "api/endpoint/retention_times.h"
#include "api/json/duration.h"

using namespace stele::api;
using std::chrono::hours;
using std::chrono::microseconds;

TEST_CASE("RetentionTimes.AreDurationsOfADayToACenturyOrForever") {
  CHECK(parse_retention_time("forever") == RetentionTimes::kForever);
  CHECK(parse_retention_time("1d") == hours{24});
  CHECK(parse_retention_time("24h") == hours{24});
  CHECK(parse_retention_time("36500d") == hours{24 * 36'500});
  for (const char* const bad : {"", "0", "23h", "36501d", "1y", "Forever", "-1d", "1e9d", "d", "1d ", "nan"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_retention_time(bad));
  }
  CHECK(format_retention_time(RetentionTimes::kForever) == "forever");
  CHECK(format_retention_time(hours{24 * 3650}) == "3650d");
  CHECK(format_retention_time(microseconds{0}) == "0");
}

TEST_CASE("RetentionTimes.TheLongerOfTwoCountsForEachClass") {
  RetentionTimes policy;
  policy.set(ActionClass::Read, hours{48});
  policy.set(ActionClass::Refusal, hours{48});
  RetentionTimes minimum = RetentionTimes::all(microseconds{0});
  minimum.set(ActionClass::Refusal, hours{72});
  const RetentionTimes effective = policy.longer(minimum);
  CHECK(effective.of(ActionClass::Read) == hours{48});
  CHECK(effective.of(ActionClass::Refusal) == hours{72});
  CHECK(effective.of(ActionClass::Delivery) == RetentionTimes::kForever);
}

TEST_CASE("Duration.IsWrittenInTheLargestUnitThatFits") {
  for (const char* const text : {"0", "1us", "250ms", "90s", "2min", "36h", "90d"}) {
    const auto duration = parse_duration(text);
    REQUIRE(duration);
    CHECK(format_duration(*duration) == text);
  }
  CHECK(format_duration(hours{48}) == "2d");
  CHECK_FALSE(parse_duration("3704d"));
  CHECK(parse_duration("3704d", hours{24 * 4'000}) == hours{24 * 3'704});
}

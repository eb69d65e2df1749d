// A server whose system clock jumps. The binary gets a clock that the test shifts (tests/preload/shifted_clock.cpp).

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "tests/support/build_paths.h"
#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kSeventyYears = 70 * 365 * kDaySeconds;
constexpr const char* kFirst =
    R"({"eventId":"01a207b1-c5f4-7ddc-ac17-39586db6ffe5","eventType":"T","aggregateId":"a","data":1})";
constexpr const char* kNext = R"({"eventType":"T","aggregateId":"a","data":2})";

class ShiftedServer {
 public:
  ServerProcess start(std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.end(), {"--segment-size", "1MiB"});
    return ServerProcess::start({.data = folder_.file("data"),
                                 .arguments = std::move(arguments),
                                 .environment = {{"LD_PRELOAD", shifted_clock()}, {"SHIFTED_CLOCK", path_}}});
  }
  /// From here on the server's clock is so much ahead of the right time.
  void shift(std::int64_t seconds) const {
    const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    REQUIRE(::pwrite(fd, &seconds, sizeof seconds, 0) == sizeof seconds);
    ::close(fd);
  }

 private:
  TempFolder folder_;
  std::string path_ = folder_.file("shift");
};

int year_of_newest(HttpClient& http) {
  const std::string body = http.get("/v1/events?order=desc&limit=1").body;
  constexpr std::string_view kTime = R"("timestamp":")";
  return std::stoi(body.substr(body.find(kTime) + kTime.size(), 4));
}

}  // namespace

TEST_CASE("ClockJump.StopsAppendsUntilTheClockIsBack") {
  const ShiftedServer shifted;
  shifted.shift(0);
  ServerProcess server = shifted.start();
  HttpClient http(server.port());
  REQUIRE(http.post("/v1/events", kFirst).status == 201);
  const int year = year_of_newest(http);

  shifted.shift(kSeventyYears);
  const HttpResponse ready = http.get("/readyz");
  CHECK(ready.status == 503);
  CHECK_MESSAGE(contains(ready.body, "the system clock jumped ahead by 255"), ready.body);
  const HttpResponse refused = http.post("/v1/events", kNext);
  CHECK(refused.status == 503);
  CHECK_MESSAGE(contains(refused.body, "/problems/clock-jump"), refused.body);
  CHECK(!refused.header("Retry-After").empty());
  const HttpResponse repeat = http.post("/v1/events", kFirst);
  CHECK(repeat.status == 200);
  CHECK(repeat.header("Idempotent-Replayed") == "true");
  CHECK(year_of_newest(http) == year);
  CHECK(contains(http.get("/problems/clock-jump").body, "clock"));

  shifted.shift(0);
  CHECK(http.get("/readyz").status == 200);
  CHECK(http.post("/v1/events", kNext).status == 201);
  CHECK(year_of_newest(http) - year <= 1);
  http.close();
  CHECK(server.stop() == 0);
}

TEST_CASE("ClockJump.IsAcceptedWhenItIsSaidSo") {
  const ShiftedServer shifted;
  shifted.shift(0);
  ServerProcess server = shifted.start({"--accept-clock-jump"});
  HttpClient http(server.port());
  REQUIRE(http.post("/v1/events", kFirst).status == 201);
  const int year = year_of_newest(http);
  shifted.shift(kSeventyYears);
  CHECK(http.post("/v1/events", kNext).status == 201);
  CHECK(year_of_newest(http) - year >= 69);
  const HttpResponse ready = http.get("/readyz");
  CHECK(ready.status == 200);
  CHECK_MESSAGE(contains(ready.body, "the system clock jumped ahead"), ready.body);
}

TEST_CASE("ClockJump.AYearSinceTheNewestEventIsAWarning") {
  const ShiftedServer shifted;
  shifted.shift(0);
  {
    ServerProcess server = shifted.start();
    HttpClient http(server.port());
    REQUIRE(http.post("/v1/events", kFirst).status == 201);
    http.close();
    CHECK(server.stop() == 0);
  }
  shifted.shift(400 * kDaySeconds);
  ServerProcess server = shifted.start();
  CHECK(!server.process().wait_for_stderr("days ahead of the newest record").empty());
  HttpClient http(server.port());
  const HttpResponse ready = http.get("/readyz");
  CHECK(ready.status == 200);
  CHECK_MESSAGE(contains(ready.body, "ahead of the newest record"), ready.body);
  CHECK(http.post("/v1/events", kNext).status == 201);
}

}  // namespace stele::tests

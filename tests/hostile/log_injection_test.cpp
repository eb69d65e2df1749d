// What clients choose cannot forge or break lines of the access log.

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "tests/hostile/target.h"

namespace stele::tests {

TEST_CASE("AccessLog.HasOneLineARequestWhateverClientsSend") {
  using namespace std::string_literals;
  test::TempFolder folder;
  const std::string file = folder.path() + "/access.log";
  Target target({"--access-log", file});
  const std::string forged = "2026-01-01T00:00:00.000000Z 10.0.0.1 DELETE /forged 200";
  const std::string close = "\r\nHost: localhost\r\nConnection: close\r\n";
  std::vector<std::string> requests;
  for (const std::string& path : {"/%0d%0a" + percent(forged), "/\xe2\x80\xa8" + percent(forged), "/\xc2\x85"s,
                                  "/\"forged\""s, "/<b>"s, "/%1b[2J"s, "/\xff\xfe"s, "/{}%s%n"s,
                                  "/" + std::string(5'000, 'a'), "/v1/events/%0aforged"s, "/v1/aggregates/%00"s}) {
    requests.push_back("GET " + path + " HTTP/1.1" + close + "\r\n");
  }
  for (const std::string& value :
       {"a\rforged"s, "a\nforged"s, "a\x1b[2Jforged"s, "a\0forged"s, "a\xe2\x80\xa8" + forged, "a\xc2\x85" + forged,
        "\xff\xfe"s, "a\" forged \""s, "a b c forged"s, std::string(300, 'a'), std::string(250, 'a')}) {
    requests.push_back("GET /v1/head HTTP/1.1" + close + "X-Correlation-Id: " + value + "\r\n\r\n");
    requests.push_back("GET /v1/head HTTP/1.1" + close + "User-Agent: " + value + "\r\nReferer: " + value + "\r\n\r\n");
  }
  for (const std::string& start : {"FORGED\x1b /v1/head HTTP/1.1"s, "forged\r\n\r\n"s,
                                   "\r\n\r\n"s + forged + "\r\n\r\n", "GET /v1/head " + forged}) {
    requests.push_back(start + close + "\r\n");
  }
  requests.push_back("POST /v1/events HTTP/1.1" + close +
                     "Content-Type: application/json\r\nContent-Length: 5\r\n\r\n\"\n\r\n\"");
  // The ids of events go into answers, and so might into logs.
  const std::string body = event_json("log", "T", "{}", ",\"userId\":\"forged \\u2028 " + forged + "\"");
  requests.push_back("POST /v1/events HTTP/1.1" + close + "Content-Type: application/json\r\nX-Correlation-Id: " +
                     forged + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  for (const std::string& request : requests) {
    INFO("request: ", request.substr(0, 200));
    CHECK(target.exchange(request).size() == 1);
  }
  CHECK(target.api().server().stop() == 0);

  std::ifstream log(file, std::ios::binary);
  std::size_t lines = 0;
  for (std::string line; std::getline(log, line); ++lines) {
    INFO("line: ", line);
    CHECK(std::all_of(line.begin(), line.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
    CHECK(line.find("Z 127.0.0.1 ") != std::string::npos);
    CHECK_FALSE(line.starts_with(forged));
    CHECK(line.size() < 2'000);
  }
  CHECK(lines == requests.size());
}

}  // namespace stele::tests

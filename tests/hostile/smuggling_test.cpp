// Requests about whose end two readers might disagree. Each is followed by a second request that a proxy would have
// taken for part of the first: it must never be executed, and the connection must end.

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/hostile/target.h"

namespace stele::tests {
namespace {

using namespace std::string_literals;

Target& smuggling_target() {
  static Target target({"--header-timeout", "2s", "--body-timeout", "2s"});
  return target;
}

const std::string kStart = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

/// One answer, a refusal, then the end; nothing stored.
void check_ambiguous(const std::string& bytes, int status = 400) {
  Target& target = smuggling_target();
  INFO("sent: ", bytes.substr(0, 300));
  const std::uint64_t size = target.event_count();
  const auto answers = target.exchange(bytes + post_event("smuggled"));
  REQUIRE(answers.size() == 1);
  check_problem(answers.front(), status);
  CHECK(answers.front().header("Connection") == "close");
  CHECK(target.event_count() == size);
}

void check_fields(const std::string& fields, std::string_view body = "") {
  check_ambiguous(kStart + fields + "\r\n\r\n" + std::string(body));
}

}  // namespace

TEST_CASE("Smuggling.ContentLengthIsOnePlainNumber") {
  for (const char* const fields : {"Content-Length: 5\r\nContent-Length: 5",
                                   "Content-Length: 5\r\nContent-Length: 6",
                                   "Content-Length: 0\r\nContent-Length: 5",
                                   "Content-Length: +5",
                                   "Content-Length: -5",
                                   "Content-Length: 5, 5",
                                   "Content-Length: 5,5",
                                   "Content-Length: 5 5",
                                   "Content-Length: 5;",
                                   "Content-Length: 0x5",
                                   "Content-Length: 5.0",
                                   "Content-Length: 5e0",
                                   "Content-Length: '5'",
                                   "Content-Length: \"5\"",
                                   "Content-Length:",
                                   "Content-Length: ,",
                                   "Content-Length: five",
                                   "Content-Length: 18446744073709551621",
                                   "Content-Length: 99999999999999999999999999",
                                   "Content-Length: 0000000000000000000000000000000000005",
                                   "Content-Length : 5",
                                   "Content-Length\t: 5",
                                   " Content-Length: 5",
                                   "Content-Length: 5\r\n\t5",
                                   "Content-Length: \r\n 5"}) {
    check_fields(fields, "12345");
  }
}

TEST_CASE("Smuggling.TheOnlyTransferEncodingIsChunked") {
  for (const char* const fields : {"Transfer-Encoding: gzip",
                                   "Transfer-Encoding: identity",
                                   "Transfer-Encoding: chunked, gzip",
                                   "Transfer-Encoding: gzip, chunked",
                                   "Transfer-Encoding: chunked, identity",
                                   "Transfer-Encoding: identity, chunked",
                                   "Transfer-Encoding: chunked, chunked",
                                   "Transfer-Encoding: xchunked",
                                   "Transfer-Encoding: chunkedx",
                                   "Transfer-Encoding: chunk",
                                   "Transfer-Encoding: \"chunked\"",
                                   "Transfer-Encoding: chunked;q=1",
                                   "Transfer-Encoding: chunked,",
                                   "Transfer-Encoding: ,chunked",
                                   "Transfer-Encoding:",
                                   "Transfer-Encoding: ,",
                                   "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                                   "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
                                   "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
                                   "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
                                   "Transfer-Encoding : chunked",
                                   "Transfer-Encoding\t: chunked",
                                   " Transfer-Encoding: chunked",
                                   "Transfer-Encoding: \x0b"
                                   "chunked",
                                   "Transfer-Encoding: chunked\x0b",
                                   "Transfer-Encoding: \xA0"
                                   "chunked",
                                   "Transfer-Encoding: chun\tked",
                                   "Transfer-Encoding: chunked\r\n ",
                                   "Transfer-Encoding:\r\n chunked",
                                   "X: y\r\n Transfer-Encoding: chunked",
                                   "Transfer-Encoding: chunked\r\nContent-Length: 5",
                                   "Content-Length: 5\r\nTransfer-Encoding: chunked",
                                   "Content-Length: 0\r\nTransfer-Encoding: chunked",
                                   "Content-Length: 5\r\nTransfer-Encoding: gzip",
                                   "Content-Length: 5\r\nTransfer-Encoding: identity",
                                   "Content-Length: 5\r\nTransfer-Encoding: xchunked",
                                   "Content-Length: 5\r\nTransfer-Encoding:"}) {
    check_fields(fields, "0\r\n\r\n");
  }
  check_ambiguous(
      "POST /v1/events HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n");
  check_ambiguous("GET /v1/head HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n");
}

TEST_CASE("Smuggling.ChunkedInAnyCaseAndWithWhiteSpaceAroundItEndsWhereItSays") {
  Target& target = smuggling_target();
  for (const char* const value : {"chunked", "Chunked", "CHUNKED", " chunked ", "\tchunked\t", "   chunked"}) {
    INFO("value: ", value);
    const std::uint64_t size = target.event_count();
    // What would be the next request is data of a chunk here.
    const std::string hidden = post_event("smuggled");
    const std::string length = [&] {
      static constexpr char kHex[] = "0123456789abcdef";
      std::string text;
      for (std::size_t left = hidden.size(); left > 0; left /= 16) text.insert(text.begin(), kHex[left % 16]);
      return text;
    }();
    const auto answers = target.exchange(kStart + "Connection: close\r\nTransfer-Encoding:" + value + "\r\n\r\n" +
                                         length + "\r\n" + hidden + "\r\n0\r\n\r\n" + post_event("smuggled"));
    REQUIRE(answers.size() == 1);
    check_problem(answers.front(), 400, "malformed-json");
    CHECK(target.event_count() == size);
  }
}

TEST_CASE("Smuggling.ChunksAreExact") {
  const std::string overlong(8'000, 'x');
  for (const std::string& body : std::vector<std::string>{"-1\r\n\r\n",
                                                          "+1\r\nx\r\n0\r\n\r\n",
                                                          "0x1\r\nx\r\n0\r\n\r\n",
                                                          " 1\r\nx\r\n0\r\n\r\n",
                                                          "1 \r\nx\r\n0\r\n\r\n",
                                                          "\r\n0\r\n\r\n",
                                                          "g\r\n\r\n",
                                                          "1g\r\nx\r\n0\r\n\r\n",
                                                          "1.0\r\nx\r\n0\r\n\r\n",
                                                          "1,1\r\nx\r\n0\r\n\r\n",
                                                          "10000000000000000\r\n0\r\n\r\n",
                                                          "ffffffffffffffff\r\nx\r\n0\r\n\r\n",
                                                          "fffffffffffffffffffff1\r\nx\r\n0\r\n\r\n",
                                                          "0000000000000000000001\r\nx\r\n0\r\n\r\n",
                                                          "1\nx\n0\n\n",
                                                          "1\r\nx\n0\r\n\r\n",
                                                          "1\nx\r\n0\r\n\r\n",
                                                          "1\rx\r\n0\r\n\r\n",
                                                          "1\r\nxy\r\n0\r\n\r\n",
                                                          "2\r\nx\r\n0\r\n\r\n",
                                                          "1\r\nx0\r\n\r\n",
                                                          "0\r\nX: y\r\n\r\n",
                                                          "0\r\nContent-Length: 5\r\n\r\n",
                                                          "0\r\n Transfer-Encoding: chunked\r\n\r\n",
                                                          "0\n\n",
                                                          "0\r\n\n",
                                                          "0\r\r\n\r\n",
                                                          "1;" + overlong + "\r\nx\r\n0\r\n\r\n",
                                                          "1;a\nb\r\nx\r\n0\r\n\r\n",
                                                          "1;\0\r\nx\r\n0\r\n\r\n"s,
                                                          "1\0\r\nx\r\n0\r\n\r\n"s}) {
    check_fields("Transfer-Encoding: chunked", body);
  }
}

TEST_CASE("Smuggling.LinesAndFieldsAreExact") {
  const std::string get = "GET /v1/head HTTP/1.1\r\n";
  for (const std::string& bytes : std::vector<std::string>{
           // line ends
           "GET /v1/head HTTP/1.1\nHost: a\n\n", "GET /v1/head HTTP/1.1\nHost: localhost\r\n\r\n",
           get + "Host: a\nX: y\r\n\r\n", get + "Host: localhost\r\nX: y\n\r\n\r\n", get + "Host: a\rX: y\r\n\r\n",
           get + "Host: localhost\r\nX: y\rZ: w\r\n\r\n", "GET /v1/head HTTP/1.1\rHost: localhost\r\n\r\n",
           get + "\rHost: localhost\r\n\r\n", "\nGET /v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n",
           "\r\r\nGET /v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n",
           // folding and white space
           get + "Host: localhost\r\nX: y\r\n z\r\n\r\n", get + "Host: localhost\r\nX: y\r\n\tz\r\n\r\n",
           get + " Host: localhost\r\n\r\n", get + "Host : a\r\n\r\n", get + "Host: localhost\r\nX : y\r\n\r\n",
           get + "Host: localhost\r\nX\t: y\r\n\r\n", get + "Host: localhost\r\nX y\r\n\r\n",
           get + "Host: localhost\r\n: y\r\n\r\n", get + "Host: localhost\r\nX\r\n\r\n",
           // control characters
           "GET /v1/head HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n"s,
           "GET /v1/head HTTP/1.1\r\nHost: localhost\r\nX\0: y\r\n\r\n"s,
           "GET /v1/\0head HTTP/1.1\r\nHost: localhost\r\n\r\n"s, get + "Host: localhost\r\nX: \x01\r\n\r\n",
           get + "Host: localhost\r\nX: \x7f\r\n\r\n",
           get + "Host: localhost\r\nX: a\x08"
                 "b\r\n\r\n",
           get + "Host: localhost\r\n\x1bX: y\r\n\r\n", get + "Host: localhost\r\nX\xc3\xa9: y\r\n\r\n",
           get + "Host: localhost\r\nX(y): z\r\n\r\n", get + "Host: localhost\r\n\"X\": z\r\n\r\n",
           // Host
           "GET /v1/head HTTP/1.1\r\n\r\n", "GET /v1/head HTTP/1.1\r\nX: y\r\n\r\n",
           get + "Host: localhost\r\nHost: localhost\r\n\r\n", get + "Host: localhost\r\nHost: b\r\n\r\n",
           get + "Host: localhost\r\nhost: b\r\n\r\n", get + "Host: a, b\r\n\r\n", get + "Host: a b\r\n\r\n",
           get + "Host: a/b\r\n\r\n", get + "Host: http://a\r\n\r\n", get + "Host: u@a\r\n\r\n",
           "GET /v1/head HTTP/1.0\r\nHost: localhost\r\nHost: b\r\n\r\n",
           // the request line
           "GET  /v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /v1/head  HTTP/1.1\r\nHost: localhost\r\n\r\n",
           "GET\t/v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /v1/head HTTP/1.1 \r\nHost: localhost\r\n\r\n",
           " GET /v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /v1/head\r\nHost: localhost\r\n\r\n",
           "GET /v1/head\r\n\r\n", "GET HTTP/1.1\r\nHost: localhost\r\n\r\n",
           "GET /v1/head http/1.1\r\nHost: localhost\r\n\r\n", "GET /v1/head HTTP/1\r\nHost: localhost\r\n\r\n",
           "GET /v1/head HTTP/1.11\r\nHost: localhost\r\n\r\n", "GET /v1/head HTTP/01.1\r\nHost: localhost\r\n\r\n",
           "GET /v1/head HTTPS/1.1\r\nHost: localhost\r\n\r\n", "G(T /v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n",
           "/v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n",
           // other forms of targets
           "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
           "GET v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
           "GET http:///v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n",
           "GET ftp://a/v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n",
           "GET http:/v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET ?x HTTP/1.1\r\nHost: localhost\r\n\r\n"}) {
    check_ambiguous(bytes);
  }
  for (const char* const version : {"HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"}) {
    check_ambiguous("GET /v1/head " + std::string(version) + "\r\nHost: localhost\r\n\r\n", 505);
  }
}

TEST_CASE("Smuggling.ABodyIsNeverTakenForARequest") {
  Target& target = smuggling_target();
  const std::string hidden = post_event("smuggled");
  for (const char* const method : {"GET", "HEAD", "OPTIONS", "DELETE", "TRACE", "PUT", "get", "MADEUP"}) {
    INFO("method: ", method);
    const std::uint64_t size = target.event_count();
    const auto answers = target.exchange(
        std::string(method) + " /v1/head HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Secret: mirror\r\n" +
        "Content-Length: " + std::to_string(hidden.size()) + "\r\n\r\n" + hidden + hidden);
    if (std::string_view(method) != "HEAD") {
      REQUIRE(answers.size() == 1);
      CHECK(answers.front().body.find("mirror") == std::string::npos);
    }
    CHECK(target.event_count() == size);
  }
}

TEST_CASE("Smuggling.TheAbsoluteFormIsForTheHostThatItNames") {
  Target& target = smuggling_target();
  const auto status_of = [&](const std::string& form, const std::string& host) {
    INFO("target: ", form);
    const auto answers =
        target.exchange("GET " + form + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
    REQUIRE(answers.size() == 1);
    return answers.front().status;
  };
  for (const char* const form :
       {"http://localhost/v1/head", "HTTP://LOCALHOST/v1/head", "https://b.localhost:1/v1/head",
        "http://127.0.0.1:80/v1/head", "http://[::1]:80/v1/head"}) {
    CHECK(status_of(form, "localhost") == 200);
    CHECK(status_of(form, "elsewhere") == 200);
  }
  for (const char* const form :
       {"http://a/v1/head", "HTTP://b/v1/head", "https://c:1/v1/head", "http://u:p@localhost/v1/head"}) {
    CHECK(status_of(form, "localhost") == 421);
  }
}

}  // namespace stele::tests

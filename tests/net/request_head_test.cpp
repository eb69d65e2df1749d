#include "net/http/request_head.h"

#include <doctest/doctest.h>

#include <string>

namespace stele::net {
namespace {

constexpr HeadLimits limits{16 * 1024, 100};

std::string slug_of(const std::string& bytes) {
  RequestHead head;
  std::size_t searched = 0;
  const std::size_t end = find_head_end(bytes, searched);
  if (end == 0) return "unfinished";
  const auto refusal = parse_head(std::string_view(bytes).substr(0, end), limits, head);
  return refusal ? std::string(refusal->slug) : "served";
}

struct Case {
  std::string what;
  std::string bytes;
  std::string slug;
};

}  // namespace

TEST_CASE("RequestHead.WhatTwoParsersCouldReadDifferentlyIsRefused") {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
  const Case cases[] = {
      {"plain", start + "\r\n", "served"},
      {"length", start + "Content-Length: 5\r\n\r\n", "served"},
      {"chunked", start + "Transfer-Encoding: chunked\r\n\r\n", "served"},
      {"chunked in capitals", start + "Transfer-Encoding: CHUNKED\r\n\r\n", "served"},
      {"length and chunked", start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed-request"},
      {"chunked and length", start + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "malformed-request"},
      {"gzip", start + "Transfer-Encoding: gzip\r\n\r\n", "malformed-request"},
      {"identity", start + "Transfer-Encoding: identity\r\n\r\n", "malformed-request"},
      {"gzip, chunked", start + "Transfer-Encoding: gzip, chunked\r\n\r\n", "malformed-request"},
      {"chunked, gzip", start + "Transfer-Encoding: chunked, gzip\r\n\r\n", "malformed-request"},
      {"chunked twice in one", start + "Transfer-Encoding: chunked, chunked\r\n\r\n", "malformed-request"},
      {"chunked twice in two", start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
       "malformed-request"},
      {"gzip with a length", start + "Transfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\n", "malformed-request"},
      {"empty encoding", start + "Transfer-Encoding:\r\n\r\n", "malformed-request"},
      {"parameter", start + "Transfer-Encoding: chunked;q=1\r\n\r\n", "malformed-request"},
      {"vertical tab",
       start + "Transfer-Encoding: \x0b"
               "chunked\r\n\r\n",
       "malformed-request"},
      {"space before the colon", start + "Transfer-Encoding : chunked\r\n\r\n", "malformed-request"},
      {"length before the colon", start + "Content-Length : 5\r\n\r\n", "malformed-request"},
      {"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed-request"},
      {"equal lengths", start + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "malformed-request"},
      {"different lengths", start + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "malformed-request"},
      {"length list", start + "Content-Length: 5, 5\r\n\r\n", "malformed-request"},
      {"signed length", start + "Content-Length: +5\r\n\r\n", "malformed-request"},
      {"negative length", start + "Content-Length: -5\r\n\r\n", "malformed-request"},
      {"hex length", start + "Content-Length: 0x5\r\n\r\n", "malformed-request"},
      {"empty length", start + "Content-Length:\r\n\r\n", "malformed-request"},
      {"huge length", start + "Content-Length: 99999999999999999999999\r\n\r\n", "malformed-request"},
      {"no host", "GET / HTTP/1.1\r\n\r\n", "malformed-request"},
      {"no host in 1.0", "GET / HTTP/1.0\r\n\r\n", "served"},
      {"two hosts", start + "Host: a\r\n\r\n", "malformed-request"},
      {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "malformed-request"},
      {"empty host in 1.0", "GET / HTTP/1.0\r\nHost: \r\n\r\n", "malformed-request"},
      {"port without a host", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "malformed-request"},
      {"two hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "malformed-request"},
      {"folded value", start + "X-A: b\r\n c\r\n\r\n", "malformed-request"},
      {"folded by a tab", start + "Transfer-Encoding:\r\n\tchunked\r\n\r\n", "malformed-request"},
      {"folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "malformed-request"},
      {"bare line feed", start + "X-A: b\nX-B: c\r\n\r\n", "malformed-request"},
      {"bare carriage return", start + "X-A: b\rX-B: c\r\n\r\n", "malformed-request"},
      {"zero byte in a value", start + std::string("X-A: b\0c\r\n\r\n", 12), "malformed-request"},
      {"zero byte in a name", start + std::string("X\0A: b\r\n\r\n", 10), "malformed-request"},
      {"no colon", start + "X-A\r\n\r\n", "malformed-request"},
      {"no name", start + ": b\r\n\r\n", "malformed-request"},
      {"control in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed-request"},
      {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "malformed-request"},
      {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", "malformed-request"},
      {"no version", "GET /\r\nHost: a\r\n\r\n", "malformed-request"},
      {"no slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed-request"},
      {"authority form", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed-request"},
      {"star of GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "malformed-request"},
      {"star of OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "served"},
      {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", "malformed-request"},
      {"version 2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "http-version-not-supported"},
      {"version 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "http-version-not-supported"},
      {"version 0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", "http-version-not-supported"},
      {"long version", "GET / HTTP/1.11\r\nHost: a\r\n\r\n", "malformed-request"},
      {"expectation", start + "Expect: 100-continue\r\n\r\n", "served"},
      {"other expectation", start + "Expect: wonders\r\n\r\n", "expectation-failed"},
      {"other expectation first", start + "Expect: wonders\r\nExpect: 100-continue\r\n\r\n", "expectation-failed"},
      {"unfinished", start, "unfinished"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    CHECK(slug_of(c.bytes) == c.slug);
  }
}

TEST_CASE("RequestHead.SplitsTheTarget") {
  struct Target {
    std::string target;
    std::string path;
    std::string query;
  };
  const Target targets[] = {
      {"/", "/", ""},
      {"/a%2Fb?x=1&y=2", "/a%2Fb", "x=1&y=2"},
      {"/a?b?c", "/a", "b?c"},
      {"/?", "/", ""},
      {"http://host:80/a?b", "/a", "b"},
      {"HTTP://host?b", "/", "b"},
      {"https://host", "/", ""},
  };
  for (const Target& t : targets) {
    CAPTURE(t.target);
    RequestHead head;
    const std::string bytes = "GET " + t.target + " HTTP/1.1\r\nHost: a\r\n\r\n";
    REQUIRE_FALSE(parse_head(bytes, limits, head));
    CHECK(head.path == t.path);
    CHECK(head.query == t.query);
  }
}

TEST_CASE("RequestHead.TheTargetSaysBetterThanHostWhomTheRequestIsFor") {
  const std::pair<std::string, std::string> cases[] = {
      {"GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", "a:80"},
      {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "[::1]:80"},
      {"GET http://b:81/x HTTP/1.1\r\nHost: a\r\n\r\n", "b:81"},
      {"GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "b"},
      {"GET https://b?q HTTP/1.1\r\nHost: a\r\n\r\n", "b"},
      {"GET http://user@b/ HTTP/1.1\r\nHost: a\r\n\r\n", "user@b"},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a"},
      {"GET / HTTP/1.0\r\n\r\n", ""},
  };
  for (const auto& [bytes, authority] : cases) {
    CAPTURE(bytes);
    RequestHead head;
    REQUIRE_FALSE(parse_head(bytes, limits, head));
    CHECK(head.authority == authority);
  }
}

TEST_CASE("RequestHead.TheOriginOfARefusedRequestIsFoundIfItHasArrived") {
  const auto origin_of = [](const std::string& bytes) {
    RequestHead head;
    salvage_origin(bytes, head);
    return head.fields.empty() ? "none" : std::string(head.fields.front().value);
  };
  const std::string line = "GET / HTTP/1.1\r\n";
  CHECK(origin_of(line + "Host: a\r\nORIGIN: \thttps://app.example \r\nX: y") == "https://app.example");
  CHECK(origin_of(line + "Origin:https://app.example\r\n\r\n") == "https://app.example");
  CHECK(origin_of(line + "Origin: https://app.exam") == "none");  // not whole yet
  CHECK(origin_of(line + "Origin:\r\n") == "none");
  CHECK(origin_of(line + "X-Origin: a\r\n") == "none");
  CHECK(origin_of("Origin: a") == "none");
  CHECK(origin_of("") == "none");
}

TEST_CASE("RequestHead.KnowsMethodsFieldsAndKeepAlive") {
  RequestHead head;
  REQUIRE_FALSE(parse_head("DELETE /x HTTP/1.1\r\nHost: a\r\nX-One: 1 \r\nContent-Length: 7\r\n\r\n", limits, head));
  CHECK(head.method == api::Method::Delete);
  CHECK(head.keep_alive);
  CHECK(head.content_length == 7);
  REQUIRE(head.fields.size() == 3);
  CHECK(head.fields[1].value == "1");
  REQUIRE_FALSE(parse_head("BREW /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", limits, head));
  CHECK(head.method == api::Method::Other);
  CHECK(head.method_name == "BREW");
  CHECK_FALSE(head.keep_alive);
  CHECK_FALSE(head.content_length);
  REQUIRE_FALSE(parse_head("GET /x HTTP/1.0\r\n\r\n", limits, head));
  CHECK_FALSE(head.keep_alive);
  REQUIRE_FALSE(parse_head("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", limits, head));
  CHECK(head.keep_alive);
}

TEST_CASE("RequestHead.CountsFieldsAndBytes") {
  RequestHead head;
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 99; ++i) bytes += "X-" + std::to_string(i) + ": v\r\n";
  CHECK_FALSE(parse_head(bytes + "\r\n", limits, head));
  CHECK(parse_head(bytes + "X-Last: v\r\n\r\n", limits, head)->slug == "header-too-large");
  CHECK(head_too_large("GET /aaaa", limits).slug == "uri-too-long");
  CHECK(head_too_large("GET / HTTP/1.1\r\nX: aaaa", limits).slug == "header-too-large");
  // However much of it is there: what counts is how long the line is.
  const std::string target(limits.bytes_max, 't');
  CHECK(parse_head("GET /" + target + " HTTP/1.1\r\nHost: a\r\n\r\n", limits, head)->slug == "uri-too-long");
  CHECK(head_too_large("GET /" + target, limits).slug == "uri-too-long");
  CHECK(head_too_large("GET /" + target + " HTTP/1.1\r\nHost: a", limits).slug == "uri-too-long");
  const std::string large = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(limits.bytes_max, 'x') + "\r\n\r\n";
  CHECK(parse_head(large, limits, head)->slug == "header-too-large");
}

TEST_CASE("RequestHead.EndIsFoundHoweverTheBytesArrive") {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
  std::size_t searched = 0;
  for (std::size_t size = 0; size < bytes.size() - 4; ++size) {
    CHECK(find_head_end(std::string_view(bytes).substr(0, size), searched) == 0);
  }
  CHECK(find_head_end(bytes, searched) == bytes.size() - 4);
}

TEST_CASE("RequestHead.OtherProtocolsAreKnownByTheirFirstBytes") {
  CHECK(may_be_head("GET / HT"));
  CHECK(may_be_head("G"));
  CHECK_FALSE(may_be_head("\x16\x03\x01"));
  CHECK_FALSE(may_be_head(" GET /"));
  CHECK_FALSE(may_be_head("\n"));
}

}  // namespace stele::net

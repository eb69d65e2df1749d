#include "net/webhook/callback_url.h"

#include <doctest/doctest.h>

#include <string>

#include "net/webhook/retry_after.h"
#include "tests/support/text.h"

namespace stele::tests {

using net::CallbackUrl;

TEST_CASE("CallbackUrl.IsTakenApart") {
  struct Case {
    const char* text;
    bool tls;
    const char* host;
    std::uint16_t port;
    const char* authority;
    const char* target;
    bool is_address = false;
  };
  for (const Case& c : {
           Case{"https://example.org", true, "example.org", 443, "example.org", "/"},
           Case{"https://Example.ORG:443/a/b?c=d%20e", true, "example.org", 443, "example.org", "/a/b?c=d%20e"},
           Case{"HTTP://example.org:8080?x", false, "example.org", 8080, "example.org:8080", "/?x"},
           Case{"http://example.org.:80/", false, "example.org.", 80, "example.org.", "/"},
           Case{"http://example.org:/", false, "example.org", 80, "example.org", "/"},
           Case{"https://a_b.internal/", true, "a_b.internal", 443, "a_b.internal", "/"},
           Case{"https://10.0.0.1/h", true, "10.0.0.1", 443, "10.0.0.1", "/h", true},
           Case{"http://[::1]:81/h", false, "::1", 81, "[::1]:81", "/h", true},
           Case{"http://[0:0::FFFF:1.2.3.4]/", false, "::ffff:1.2.3.4", 80, "[::ffff:1.2.3.4]", "/", true},
           Case{"https://1.example/", true, "1.example", 443, "1.example", "/"},
           Case{"https://0x7f.example/", true, "0x7f.example", 443, "0x7f.example", "/"},
           // only the whole host is an address
           Case{"http://127.0.0.1.Example.com:8080/x?y", false, "127.0.0.1.example.com", 8080,
                "127.0.0.1.example.com:8080", "/x?y"},
           Case{"https://10.0.0.1-a?b", true, "10.0.0.1-a", 443, "10.0.0.1-a", "/?b"},
           Case{"https://10.0.0.1x", true, "10.0.0.1x", 443, "10.0.0.1x", "/"},
       }) {
    CAPTURE(c.text);
    const auto url = CallbackUrl::parse(c.text);
    REQUIRE(url);
    CHECK(url->tls == c.tls);
    CHECK(url->host == c.host);
    CHECK(url->port == c.port);
    CHECK(url->authority == c.authority);
    CHECK(url->target == c.target);
    CHECK(url->address.has_value() == c.is_address);
  }
}

TEST_CASE("CallbackUrl.RefusesWhatCannotBeCalledOrHidesAnAddress") {
  for (const std::string& text : {
           std::string(),
           std::string("example.org"),
           std::string("/hook"),
           std::string("//example.org/"),
           std::string("ftp://example.org/"),
           std::string("file:///etc/passwd"),
           std::string("https:example.org"),
           std::string("https://"),
           std::string("https:///a"),
           std::string("https://:80/"),
           // user info and fragments
           std::string("https://u@example.org/"),
           std::string("https://u:p@example.org/"),
           std::string("https://@example.org/"),
           std::string("https://example.org/#f"),
           std::string("https://127.0.0.1#@example.org/"),
           // ports
           std::string("https://example.org:0/"),
           std::string("https://example.org:65536/"),
           std::string("https://example.org:99999999999999999999/"),
           std::string("https://example.org:8o/"),
           std::string("https://example.org:x"),
           std::string("https://example.org:+80/"),
           std::string("https://example.org:-1"),
           std::string("https://example.org:80+1/x"),
           std::string("https://example.org:80:80/"),
           std::string("https://example.org:%38/"),
           std::string("https://10.0.0.1:80x/"),
           std::string("https://10.0.0.1:80:/"),
           std::string("https://[::1]x:80/"),
           std::string("https://[::1]80/"),
           // spellings of 127.0.0.1
           std::string("http://2130706433/"),
           std::string("http://0x7f000001/"),
           std::string("http://0x7f.1/"),
           std::string("http://127.1/"),
           std::string("http://127.0.1/"),
           std::string("http://0177.0.0.1/"),
           std::string("http://017700000001/"),
           std::string("http://0X7F.0.0.0x1/"),
           std::string("http://127.0.0.1./"),
           std::string("http://127.0.0.01/"),
           std::string("http://127.0.0.1.1/"),
           std::string("http://127.0.0.1%2e/"),
           std::string("http://127.0.0.1%31/"),
           std::string("http://0/"),
           std::string("http://0x/"),
           std::string("http://256.1.1.1/"),
           std::string("http://%31%32%37.0.0.1/"),
           std::string("http://127%2e0.0.1/"),
           std::string("http://loc%61lhost/"),
           std::string("http://[fe80::1%25eth0]/"),
           std::string("http://[::ffff:127.1]/"),
           std::string("http://[v1.a]/"),
           std::string("http://[::1/"),
           std::string("http://::1/"),
           // names
           std::string("http://ex\xc3\xa4mple.org/"),
           std::string("http://a..b/"),
           std::string("http://.a/"),
           std::string("http://a!b/"),
           "http://" + std::string(254, 'a') + "/",
           // bytes
           std::string("http://example.org/a b"),
           std::string("http://example.org/\r\nX: y"),
           std::string("http://example.org/\0", 20),
           std::string("http://example.org\\@evil/"),
           "http://example.org/" + std::string(2048, 'a'),
       }) {
    CAPTURE(text);
    const auto url = CallbackUrl::parse(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().kind == ErrorKind::InvalidArgument);
  }
  const auto secret = CallbackUrl::parse("https://topsecret:hunter2@example.org/");
  REQUIRE_FALSE(secret);
  CHECK_FALSE(contains(secret.error().describe(), "hunter2"));
}

TEST_CASE("RetryAfter.IsSecondsOrADate") {
  constexpr std::int64_t now = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
  const auto seconds = [](const char* value) -> std::int64_t {
    const auto parsed = net::parse_retry_after(value, now);
    return parsed ? parsed->count() / 1000 : -1;
  };
  CHECK(seconds("0") == 0);
  CHECK(seconds("120") == 120);
  CHECK(seconds("0000000000000000000007") == 7);
  CHECK(seconds("604800") == 604800);
  CHECK(seconds("604801") == 604800);
  CHECK(seconds("99999999999999999999999999999999") == 604800);
  CHECK(seconds("Sun, 06 Nov 1994 08:50:07 GMT") == 30);
  CHECK(seconds("Sunday, 06-Nov-94 08:50:07 GMT") == 30);
  CHECK(seconds("Sun Nov  6 08:50:07 1994") == 30);
  CHECK(seconds("Sun, 06 Nov 1994 08:49:00 GMT") == 0);  // in the past
  CHECK(seconds("Fri, 31 Dec 9999 23:59:59 GMT") == 604800);
  for (const char* odd : {"", " ", "-1", "+1", "1.5", "1 s", "soon", "Sun, 06 Nov 1994 08:50:07", "06 Nov 1994",
                          "Sun, 06 Nov 1994 08:50:07 GMT, 3", "Sun, 99 Nov 1994 08:50:07 GMT",
                          "Sun, 06 Nov 1994 08:50:07 GMTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"}) {
    CAPTURE(odd);
    CHECK(seconds(odd) == -1);
  }
}

}  // namespace stele::tests

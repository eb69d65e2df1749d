#include "api/schemas/string_format.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "api/schemas/uri_reference.h"

using namespace stele::api;

namespace {

void check_format(std::string_view name, const std::vector<std::string>& good, const std::vector<std::string>& bad) {
  const FormatScanner scanner = find_format(name);
  REQUIRE_MESSAGE((scanner != nullptr), std::string(name));
  for (const std::string& text : good) CHECK_MESSAGE(scanner(text), std::string(name) << " should take " << text);
  for (const std::string& text : bad) CHECK_MESSAGE(!scanner(text), std::string(name) << " should not take " << text);
}

}  // namespace

TEST_CASE("StringFormat.DatesAndTimes") {
  check_format("date", {"2024-02-29", "0000-01-01", "9999-12-31"},
               {"", "2023-02-29", "2024-13-01", "2024-00-01", "2024-01-32", "24-01-01", "2024-1-01",
                "99999999999-01-01", "2024-01-01T", "2024/01/01", "２024-01-01"});
  check_format("time", {"00:00:00Z", "23:59:59.123456789012+23:59", "23:59:60z", "15:59:60-08:00", "00:29:60+00:30"},
               {"", "24:00:00Z", "00:60:00Z", "00:00:61Z", "22:59:60Z", "00:00:00", "00:00:00.Z", "00:00:00+24:00",
                "00:00:00+00:60", "00:00:00+0000", "00:00Z", "00:00:00 Z"});
  check_format("date-time", {"2024-02-29T12:00:00Z", "2024-02-29t12:00:00.1z", "1998-12-31T15:59:60.123-08:00"},
               {"2024-02-30T12:00:00Z", "2024-02-29 12:00:00Z", "2024-02-29T12:00:00", "99999999999-01-01T00:00:00Z",
                "2024-02-29T12:00:00ZZ", "2024-02-29", "1998-12-31T23:58:60Z"});
  check_format("duration", {"P1Y", "P1Y2M3DT4H5M6S", "PT36H", "P4W", "P3M4D", "PT1M30S", "P1YT1S", "P0D"},
               {"", "P", "PT", "P1YT", "P1", "1Y", "P2D1Y", "PT1D", "P1H", "P1W2D", "P1Y2W", "P1Y10D", "PT1H30S",
                "P-1Y", "P1.5Y", "p1y"});
}

TEST_CASE("StringFormat.NamesOfHostsAndMailboxes") {
  check_format(
      "hostname", {"a", "example.com", "xn--4gbwdl.xn--wgbh1c", "1.2", std::string(63, 'a') + ".b"},
      {"", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "a b", "ä.de", std::string(64, 'a'),
       std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(63, 'd')});
  check_format(
      "email",
      {"a@b", "joe.bloggs@example.com", "te~st+x@example.com", "\"joe bloggs\"@example.com", "a@[127.0.0.1]",
       "a@[IPv6:::1]"},
      {"", "a", "@b", "a@", ".a@b", "a.@b", "a..b@c", "a b@c", "a@b c", "a@[300.0.0.1]", "ä@b.de", "\"a\"b\"@c"});
  check_format("idn-email", {"실례@실례.테스트", "ä@b.de", "a@b"}, {"2962", "@ä"});
  check_format("ipv4", {"0.0.0.0", "255.255.255.255"},
               {"", "256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "1..2.3", "0x7f.0.0.1", "1.2.3.0004"});
  check_format(
      "ipv6",
      {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1::8", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7::"},
      {"", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "::g", "fe80::1%eth0",
       "1:2:3:4:5:6:7:8::", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "1:", ":1", "1.2.3.4", "::1:"});
}

TEST_CASE("StringFormat.Uris") {
  check_format(
      "uri", {"http://example.com:80/a?b#c", "urn:x", "mailto:a@b", "http://[::1]/", "a:", "http://a/%20", "file:///x"},
      {"", "/a", "a", "//b", "http://a b", "http://a/%2", "http://[::1", "http://ä", "1a:b", "http://a:x", "a:\\",
       "a:#b#c", "http://a/{b}"});
  check_format("uri-reference", {"", "a", "/a", "//b", "?x", "#y", "a/b:c"}, {"a b", "\\", "%", "1:b", "#a#b", "ä"});
  check_format("iri", {"http://ƒøø.ßår/?∂éœ=πîx#πîüx"}, {"ä", "http://a b"});
  check_format("iri-reference", {"ä", "#ƒrägmênt"}, {"\\\\ä", "#ƒräg\\mênt"});
  check_format("uri-template", {"", "http://a/{b}", "{+x,y:3,z*}", "{?a.b}", "{%41}", "it's"},
               {"{", "}", "{a", "{}", "{a:0}", "{a b}", "%4", "<"});
}

TEST_CASE("StringFormat.UuidsAndPointersAndPatterns") {
  check_format("uuid", {"2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380"},
               {"", "2eb8aa08aa9811eab4aa73b441d16380", "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
                "2eb8aa08-aa98-11ea-b4ga-73b441d16380"});
  check_format("json-pointer", {"", "/", "/a~0~1", "/ä/0"}, {"a", "/~", "/~2", "#", "#/a"});
  check_format("relative-json-pointer", {"0", "10/a", "2#"}, {"", "/a", "01/a", "-1", "1a", "1#a"});
  check_format("regex", {"", "^(?!a)\\1[^]$", "(?<n>a)\\k<n>", "\\p{Letter}{2,3}?"},
               {"(", "[", "*", "a**", "\\Z", "a{2,1}", "[b-a]", "(?i)a", ")"});
  CHECK((find_format("int32") == nullptr));
  CHECK((find_format("idn-hostname") == nullptr));
  CHECK((find_format("") == nullptr));
}

TEST_CASE("UriReference.ResolvesAsTheExamplesOfTheRfc") {
  const std::string base = "http://a/b/c/d;p?q";
  const std::vector<std::pair<std::string, std::string>> examples{{"g:h", "g:h"},
                                                                  {"g", "http://a/b/c/g"},
                                                                  {"./g", "http://a/b/c/g"},
                                                                  {"g/", "http://a/b/c/g/"},
                                                                  {"/g", "http://a/g"},
                                                                  {"//g", "http://g"},
                                                                  {"?y", "http://a/b/c/d;p?y"},
                                                                  {"g?y", "http://a/b/c/g?y"},
                                                                  {"#s", "http://a/b/c/d;p?q"},
                                                                  {"", "http://a/b/c/d;p?q"},
                                                                  {".", "http://a/b/c/"},
                                                                  {"..", "http://a/b/"},
                                                                  {"../g", "http://a/b/g"},
                                                                  {"../..", "http://a/"},
                                                                  {"../../g", "http://a/g"},
                                                                  {"../../../g", "http://a/g"},
                                                                  {"/./g", "http://a/g"},
                                                                  {"/../g", "http://a/g"},
                                                                  {"g.", "http://a/b/c/g."},
                                                                  {"..g", "http://a/b/c/..g"},
                                                                  {"./../g", "http://a/b/g"},
                                                                  {"g/./h", "http://a/b/c/g/h"},
                                                                  {"g/../h", "http://a/b/c/h"},
                                                                  {"g;x=1/../y", "http://a/b/c/y"}};
  for (const auto& [reference, resolved] : examples) CHECK_EQ(resolve_uri(base, reference), resolved);
  CHECK_EQ(resolve_uri("", "a/b.json#x"), "a/b.json");
  CHECK_EQ(resolve_uri("a/b.json", "c.json"), "a/c.json");
}

#include "api/http/percent.h"

#include <doctest/doctest.h>

#include <string>

using namespace stele;
using namespace stele::api;

TEST_CASE("Percent.DecodesOneRound") {
  CHECK(percent_decode("src%2Fserver.c", PlusMeans::Plus) == "src/server.c");
  CHECK(percent_decode("a%2fb%252F", PlusMeans::Plus) == "a/b%2F");
  CHECK(percent_decode("a+b", PlusMeans::Plus) == "a+b");
  CHECK(percent_decode("a+b%2B", PlusMeans::Space) == "a b+");
  CHECK(percent_decode("%C3%A4", PlusMeans::Plus) == "ä");
  CHECK(percent_decode("", PlusMeans::Plus) == "");
  for (const char* text : {"%", "%4", "a%4", "%zz", "%4g", "%-1", "%C3", "%ED%A0%80", "%FF", "%C0%80"}) {
    CAPTURE(text);
    CHECK(!percent_decode(text, PlusMeans::Plus));
  }
}

TEST_CASE("Percent.EncodingComesBack") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "äöü€😀";
  std::string text;
  append_percent_encoded(text, all);
  CHECK(text.find_first_of("/?#&=+ \"<>") == std::string::npos);
  CHECK(percent_decode(text, PlusMeans::Space) == all);
}

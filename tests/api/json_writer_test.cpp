#include "api/json/json_writer.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

using namespace stele;
using namespace stele::api;

TEST_CASE("JsonWriter.EscapesOnlyWhatJsonDemands") {
  const auto written = [](std::string_view text) {
    std::string to;
    append_json_string(to, text);
    return to;
  };
  CHECK(written("") == R"("")");
  CHECK(written("plain /ä€😀\x7f") == "\"plain /ä€😀\x7f\"");
  CHECK(written("a\"b\\c") == R"("a\"b\\c")");
  CHECK(written("\b\f\n\r\t") == R"("\b\f\n\r\t")");
  CHECK(written(std::string_view("\0\x01\x1f", 3)) == R"("\u0000\u0001\u001f")");
}

TEST_CASE("JsonWriter.FindsWhatMustBeEscapedAtEveryPlaceOfEveryLength") {
  const std::pair<const char*, const char*> cases[] = {{"\"", "\\\""}, {"\\", "\\\\"},   {"\x1f", "\\u001f"},
                                                       {"\n", "\\n"},  {"\x7f", "\x7f"}, {"ä", "ä"}};
  for (std::size_t length = 0; length < 50; ++length) {
    for (std::size_t place = 0; place <= length; ++place) {
      for (const auto& [special, escaped] : cases) {
        const std::string before(place, 'x'), behind(length - place, '~');
        std::string to = "[";
        append_json_string(to, before + special + behind);
        REQUIRE(to == "[\"" + before + escaped + behind + "\"");
      }
    }
  }
}

TEST_CASE("JsonWriter.PlacesCommas") {
  std::string to;
  JsonWriter json(to);
  json.begin_object().key("a").number(1).key("b").begin_array().end_array().key("c").begin_array();
  json.string("x").null().boolean(true).begin_object().end_object().raw("[ ]").end_array();
  json.key("d").number(std::uint64_t{18446744073709551615U}).end_object();
  CHECK(to == R"({"a":1,"b":[],"c":["x",null,true,{},[ ]],"d":18446744073709551615})");
}

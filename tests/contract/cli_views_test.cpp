// What commands show to people.

#include <doctest/doctest.h>

#include <string>

#include "tools/cli/columns.h"
#include "tools/cli/json_view.h"
#include "tools/cli/state_diff.h"
#include "tools/client/json_members.h"

using namespace stele::tools;

TEST_CASE("Columns.AreAsWideAsTheirWidestCell") {
  CHECK(columns({{"TYPE", "KEEP"}, {"Mission \xC3\xA9", "2"}}) == "TYPE       KEEP\nMission \xC3\xA9  2\n");
  CHECK(columns({{"a\x1b[31m\n", "b"}}) == "a?[31m?  b\n");
  CHECK(columns({}).empty());
}

TEST_CASE("JsonView.IndentsAndKeepsTokens") {
  CHECK(indented_json(R"({"a":1.0,"b":[],"c":{},"d":[1e400,{"e":"x , : {"}]})") ==
        "{\n  \"a\": 1.0,\n  \"b\": [],\n  \"c\": {},\n  \"d\": [\n    1e400,\n    {\n      \"e\": \"x , : {\"\n    "
        "}\n  ]\n}");
  CHECK(indented_json(" [ ] ") == "[]");
  CHECK(indented_json("null") == "null");
  CHECK(indented_json("\"\xC2\x9B\x7F\\u001b\"") == "\"??\\u001b\"");
  CHECK(indented_json(std::string(100'000, '[') + std::string(100'000, ']')).size() < 30'000'000);
}

TEST_CASE("StateDiff.SaysWhatWasAndWhatIs") {
  const std::string before = R"({"a":1,"b":[1,2],"c":"x"})";
  const std::string after = R"({"a":2,"b":[1],"d":{"e":null}})";
  CHECK(state_diff(before, after, false) == "~ /a: 1 -> 2\n- /b/1: 2\n- /c: \"x\"\n+ /d: {\"e\":null}\n");
  CHECK(state_diff("1", "2", false) == "~ (the whole state): 1 -> 2\n");
  CHECK(state_diff(before, before, true).empty());
  CHECK(state_diff("[1]", "[1,\"\xC2\x9B\"]", true) == "\x1b[32m+ /1: \"?\"\x1b[0m\n");
}

TEST_CASE("JsonMembers.ReadsPastWhatItIsNotAskedFor") {
  const JsonMembers members(R"({"state":{"n":1e999,"a":[1,2]},"name":"a\u00e9","none":null,"\u0078":7,"l":[ 1 ,[2]]})");
  CHECK(members.raw("state") == R"({"n":1e999,"a":[1,2]})");
  CHECK(members.text("state", "n") == "1e999");
  CHECK(members.text("name") == "a\xC3\xA9");
  CHECK(members.text("none").empty());
  CHECK(members.text("x") == "7");
  CHECK(!members.raw("n"));
  REQUIRE(members.list("l").size() == 2);
  CHECK(members.list("l")[1] == "[2]");
  CHECK(members.list("state").empty());
  CHECK(!JsonMembers("[1]").raw("a"));
}

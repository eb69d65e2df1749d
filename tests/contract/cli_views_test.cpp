// What commands show to people.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tools/cli/columns.h"
#include "tools/cli/json_view.h"
#include "tools/cli/state_diff.h"
#include "tools/client/json_members.h"
#include "tools/client/subscription_view.h"

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

TEST_CASE("SubscriptionView.SaysWhichEventsGoWhere") {
  CHECK(
      subscription_row(
          R"({"subscriptionId":"s","state":"active","aggregateTypes":["T","U"],"aggregateIds":["a\u0041"],"tags":["x"],)"
          R"("delivery":{"type":"webhook","url":"http://x/"},"lag":{"events":0,"seconds":0.000},"inFlight":0,"heldBack":3,)"
          R"("deadLetters":0,"lastError":{"error":"status","status":503,"detail":"busy"}})") ==
      std::vector<std::string>{"s", "active", "of type T,U; of aA; tagged x", "webhook http://x/", "0", "0", "3", "0",
                               "status 503: busy"});
  const auto row = subscription_row(R"({"eventTypes":[")" + std::string(100, 'e') +
                                    R"("],"delivery":{"type":"redis-stream","key":"k\u001b"},"lastError":null})");
  CHECK(row[2].ends_with("eee\xE2\x80\xA6"));
  CHECK(row[3] == "redis-stream k?");
  CHECK(row[8].empty());
  CHECK(subscription_row("{}").size() == subscription_heading().size());
  CHECK(subscription_row(R"({"delivery":{"type":"redis-pubsub","channel":"c"}})")[2] == "all");
}

TEST_CASE("SubscriptionView.ShowsAllOfOne") {
  const auto lines = subscription_details(
      R"({"subscriptionId":"s","state":"stopped","reason":"410","since":"then","watermark":{"position":4,"timestamp":null},)"
      R"("lag":{"events":12,"seconds":3},"retry":{"maxAttempts":10,"initialDelayMs":1500,"maxDelayMs":60000}})");
  CHECK(columns(lines) ==
        "subscription  s\n"
        "state         stopped (410)\n"
        "since         then\n"
        "events        all\n"
        "watermark     4\n"
        "lag           12, 3s\n"
        "attempts      10, after 1500ms to 1min\n");
}

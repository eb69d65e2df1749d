// From request bodies to proposals, and what is said about bad ones.

#include "api/events/append_parser.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "api/events/derived_event_id.h"
#include "api/events/event_parser.h"
#include "engine/base/clock.h"
#include "engine/base/uuid.h"

using namespace stele;
using namespace stele::api;

namespace {

struct Parsed {
  std::optional<Problem> problem;
  Proposal proposal;

  /// "ok", or slug and all pointers in order.
  [[nodiscard]] std::string verdict() const {
    if (!problem) return "ok";
    std::string text(problem->kind().slug);
    for (const FieldError& error : problem->field_errors()) {
      text += " " + (error.where.empty() ? "(root)" : error.where);
      if (error.line) text += "@" + std::to_string(*error.line);
    }
    return text;
  }
};

Parsed parse(const std::string& body, BodyFormat format = BodyFormat::Json, const Limits& limits = {},
             AppendContext context = {}) {
  if (context.correlation_id.empty()) context.correlation_id = "from-request";
  // What follows the body must not matter.
  const std::string padded = body + std::string(simdjson::SIMDJSON_PADDING, '"');
  Parsed parsed;
  parsed.problem = parse_append(std::string_view(padded).substr(0, body.size()), format, limits, context,
                                system_clock(), parsed.proposal);
  return parsed;
}

std::string verdict(const std::string& body, BodyFormat format = BodyFormat::Json) {
  return parse(body, format).verdict();
}

/// A good event with further members.
std::string event_with(const std::string& members) {
  return R"({"eventType":"T","aggregateId":"a","data":1)" + (members.empty() ? "" : "," + members) + "}";
}

std::string event_with_data(const std::string& data) {
  return R"({"eventType":"T","aggregateId":"a","data":)" + data + "}";
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

const std::string kId = "0190A6B2-7c3e-7d10-8a4b-1f2e3d4c5b6a";

}  // namespace

TEST_CASE("EventParser.AWholeEventIsTakenOver") {
  const std::string body = R"( { "eventType" : "Mission.Created", "aggregateId":"src/server.c", "aggregateType":"file",
    "data" :  { "a" : 1,  "a":[ 2 ] }  , "metadata":{ "k":"v" }, "userId":"ü", "correlationId":"c", "causationId":"d",
    "version":3, "occurredAt":"2026-03-01T12:00:00+02:00", "tags":["student:2","course:1","\u00fc"], "eventId":")" +
                           kId + R"(", "sequenceNumber":7 } )";
  const Parsed parsed = parse(body);
  REQUIRE(parsed.verdict() == "ok");
  CHECK(!parsed.proposal.is_list);
  REQUIRE(parsed.proposal.events.size() == 1);
  const RecordDraft& draft = parsed.proposal.events[0];
  CHECK(draft.event_type == "Mission.Created");
  CHECK(draft.aggregate_id == "src/server.c");
  CHECK(draft.aggregate_type == "file");
  CHECK(draft.data == R"({ "a" : 1,  "a":[ 2 ] })");
  CHECK(draft.metadata == R"({ "k":"v" })");
  CHECK(draft.user_id == "ü");
  CHECK(draft.correlation_id == "c");
  CHECK(draft.causation_id == "d");
  CHECK(draft.schema_version == 3);
  CHECK(draft.occurred_at == Timestamp{1'772'359'200'000'000});
  CHECK(to_string(draft.event_id) == "0190a6b2-7c3e-7d10-8a4b-1f2e3d4c5b6a");
  CHECK(draft.expected_sequence == SequenceNumber{7});
  CHECK(draft.given == GivenByClient{true, true, true});
  CHECK(draft.tags == std::vector<std::string>{"course:1", "student:2", "ü"});
}

TEST_CASE("EventParser.WhatIsLeftOutIsGiven") {
  const Parsed parsed = parse(event_with(""));
  REQUIRE(parsed.verdict() == "ok");
  const RecordDraft& draft = parsed.proposal.events[0];
  CHECK(draft.given == GivenByClient{});
  CHECK(draft.correlation_id == "from-request");
  CHECK((draft.event_id.bytes[6] >> 4) == 7);
  CHECK(draft.schema_version == 1);
  CHECK(!draft.aggregate_type);
  CHECK(!draft.metadata);
  CHECK(!draft.user_id);
  CHECK(!draft.causation_id);
  CHECK(!draft.occurred_at);
  CHECK(!draft.expected_sequence);
  CHECK(draft.tags.empty());
}

TEST_CASE("EventParser.TagsAreCheckedOneByOne") {
  const auto list = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + '"';
    return "\"tags\":[" + text + "]";
  };
  const auto tags = [](const std::string& members) { return verdict(event_with("\"tags\":" + members)); };
  CHECK(tags("[]") == "ok");
  CHECK(verdict(event_with(list(16))) == "ok");
  CHECK(verdict(event_with(list(17))) == "invalid-event /tags");
  CHECK(verdict(event_with(list(100'000))) == "invalid-event /tags");
  for (const char* const other : {"null", "{}", "\"a\"", "1"}) CHECK(tags(other) == "invalid-event /tags");
  CHECK(tags(R"(["a",1])") == "invalid-event /tags/1");
  CHECK(tags(R"(["a",["b"]])") == "invalid-event /tags/1");
  CHECK(tags(R"([null])") == "invalid-event /tags/0");
  CHECK(tags(R"(["a","b","a"])") == "invalid-event /tags/2");
  CHECK(tags(R"(["a","\u0061"])") == "invalid-event /tags/1");
  CHECK(tags(R"(["",""])") == "invalid-event /tags/0 /tags/1");
  CHECK(tags(R"(["a\u0001"])") == "invalid-event /tags/0");
  CHECK(tags(R"(["$a","a$"])") == "invalid-event /tags/0");
  CHECK(tags("[\"" + std::string(128, 'x') + "\"]") == "ok");
  CHECK(tags("[\"" + std::string(127, 'x') + "ü\"]") == "invalid-event /tags/0");
  CHECK(verdict(event_with("\"tags\":[],\"tags\":[]")) == "invalid-event /tags");
  Limits limits;
  limits.string_bytes_max = 3;
  CHECK(parse(event_with(R"("tags":["abc","abcd"])"), BodyFormat::Json, limits).verdict() == "invalid-event /tags/1");
}

TEST_CASE("EventParser.DataIsKeptByteForByte") {
  for (const std::string data : {"null",
                                 "0",
                                 "-0",
                                 "-0.0",
                                 "1e5",
                                 "1E+05",
                                 "1e-999",
                                 "18446744073709551615",
                                 "-9223372036854775808",
                                 "\"\"",
                                 "\"a\\u0000b\"",
                                 "\"\\ud83d\\ude00\"",
                                 "\"\\/\"",
                                 "[]",
                                 "{}",
                                 "[ ]",
                                 "{ \"x\" :\t1 }",
                                 "{\"x\":1,\"x\":2}",
                                 "true",
                                 "\"]},{\\\"\"",
                                 "[{\"a\":\"}\"}]"}) {
    CAPTURE(data);
    for (const std::string& spaced : {data, " \r\n\t" + data + " \n"}) {
      const Parsed single = parse(event_with_data(spaced));
      REQUIRE(single.verdict() == "ok");
      CHECK(single.proposal.events[0].data == data);
      const Parsed first = parse(R"({"data":)" + spaced + R"(,"eventType":"T","aggregateId":"a"})");
      REQUIRE(first.verdict() == "ok");
      CHECK(first.proposal.events[0].data == data);
    }
    const Parsed list = parse("[" + event_with_data(data) + " , " + event_with_data(data) + "]");
    REQUIRE(list.verdict() == "ok");
    CHECK(list.proposal.events[1].data == data);
    const Parsed lines = parse(event_with_data(data) + "\r\n\n  \n" + event_with_data(data), BodyFormat::Ndjson);
    REQUIRE(lines.verdict() == "ok");
    REQUIRE(lines.proposal.events.size() == 2);
    CHECK(lines.proposal.events[1].data == data);
  }
}

TEST_CASE("EventParser.RefusalsOfOneEvent") {
  const std::pair<std::string, std::string> cases[] = {
      {"", "malformed-json"},
      {"   ", "malformed-json"},
      {"{", "malformed-json"},
      {event_with("") + "x", "malformed-json"},
      {event_with("") + event_with(""), "malformed-json"},
      {"\xef\xbb\xbf" + event_with(""), "malformed-json"},
      {event_with("\"userId\":\"\xff\""), "malformed-json"},
      {event_with_data("[1,]"), "malformed-json"},
      {event_with_data("01"), "malformed-json"},
      {event_with_data("NaN"), "malformed-json"},
      {event_with_data("\"a\nb\""), "malformed-json"},
      {event_with_data("\"\\x\""), "malformed-json"},
      {"null", "invalid-event (root)"},
      {"1", "invalid-event (root)"},
      {"\"x\"", "invalid-event (root)"},
      {"{}", "invalid-event /eventType /aggregateId /data"},
      {event_with(R"("data":2)"), "invalid-event /data"},
      {event_with(R"("userId":"a","userId":"a")"), "invalid-event /userId"},
      {event_with(R"("d\u0061ta":2)"), "invalid-event /data"},
      {event_with(R"("datum":2)"), "invalid-event /datum"},
      {event_with(R"("a/b~":2)"), "invalid-event /a~1b~0"},
      {event_with(R"("EventType":"x")"), "invalid-event /EventType"},
      {event_with(R"("timestamp":"2026-03-01T12:00:00Z")"), "invalid-event /timestamp"},
      {event_with(R"("position":1)"), "invalid-event /position"},
      {event_with(R"("metadata":null)"), "invalid-event /metadata"},
      {event_with(R"("metadata":[])"), "invalid-event /metadata"},
      {event_with(R"("userId":null)"), "invalid-event /userId"},
      {event_with(R"("userId":"")"), "invalid-event /userId"},
      {event_with(R"("userId":1)"), "invalid-event /userId"},
      {event_with(R"("userId":")" + std::string(256, 'x') + "\""), "invalid-event /userId"},
      {event_with(R"("correlationId":"a\r\nX: y")"), "invalid-event /correlationId"},
      {event_with(R"("causationId":"\u0085")"), "invalid-event /causationId"},
      {event_with(R"("aggregateType":"$x")"), "invalid-event /aggregateType"},
      {event_with(R"("aggregateType":"")"), "invalid-event /aggregateType"},
      {event_with(R"("version":0)"), "invalid-event /version"},
      {event_with(R"("version":-1)"), "invalid-event /version"},
      {event_with(R"("version":1.0)"), "invalid-event /version"},
      {event_with(R"("version":"1")"), "invalid-event /version"},
      {event_with(R"("version":4294967296)"), "invalid-event /version"},
      {event_with(R"("sequenceNumber":0)"), "invalid-event /sequenceNumber"},
      {event_with(R"("sequenceNumber":18446744073709551615)"), "invalid-event /sequenceNumber"},
      {event_with(R"("occurredAt":"yesterday")"), "invalid-event /occurredAt"},
      {event_with(R"("occurredAt":5)"), "invalid-event /occurredAt"},
      {event_with(R"("occurredAt":"2026-03-01T12:00:00.123456Z")"), "ok"},
      {event_with(R"("occurredAt":"2026-03-01T12:00:00.1234567Z")"), "invalid-event /occurredAt"},
      {event_with(R"("occurredAt":"2026-03-01T12:00:00.1234560Z")"), "invalid-event /occurredAt"},
      {event_with(R"("occurredAt":"2026-03-01T12:00:00.123456789+01:00")"), "invalid-event /occurredAt"},
      {event_with(R"("occurredAt":"9999-12-31T23:59:59.9999999Z")"), "invalid-event /occurredAt"},
      {event_with(R"("eventId":"123")"), "invalid-event /eventId"},
      {event_with(R"("eventId":null)"), "invalid-event /eventId"},
      {R"({"eventType":"","aggregateId":"a","data":1})", "invalid-event /eventType"},
      {R"({"eventType":"a b","aggregateId":"a","data":1})", "invalid-event /eventType"},
      {R"({"eventType":"ä","aggregateId":"a","data":1})", "invalid-event /eventType"},
      {R"({"eventType":"$x","aggregateId":"a","data":1})", "invalid-event /eventType"},
      {R"({"eventType":")" + std::string(129, 'x') + R"(","aggregateId":"a","data":1})", "invalid-event /eventType"},
      {R"({"eventType":"..","aggregateId":"a","data":1})", "invalid-event /eventType"},
      {R"({"eventType":"a..b","aggregateId":"a","data":1})", "ok"},
      {R"({"eventType":"T","aggregateType":".","aggregateId":"a","data":1})", "invalid-event /aggregateType"},
      {R"({"eventType":"T","aggregateId":"$a","data":1})", "invalid-event /aggregateId"},
      {R"({"eventType":"T","aggregateId":".","data":1})", "invalid-event /aggregateId"},
      {R"({"eventType":"T","aggregateId":"..","data":1})", "invalid-event /aggregateId"},
      {R"({"eventType":"T","aggregateId":"\u002e.","data":1})", "invalid-event /aggregateId"},
      {R"([{"eventType":"T","aggregateId":"a","data":1},{"eventType":"T","aggregateId":"..","data":1}])",
       "invalid-event /1/aggregateId"},
      {R"({"events":[{"eventType":"T","aggregateId":".","data":1}]})", "invalid-event /events/0/aggregateId"},
      {R"({"eventType":"T","aggregateId":"...","data":1})", "ok"},
      {R"({"eventType":"T","aggregateId":"../a","data":1})", "ok"},
      {R"({"eventType":"T","aggregateId":"%2e","data":1})", "ok"},
      {R"({"eventType":"T","aggregateId":"a\u0000","data":1})", "invalid-event /aggregateId"},
      {R"({"eventType":"T","aggregateId":"\u007f","data":1})", "invalid-event /aggregateId"},
      {R"({"eventType":1,"aggregateId":2,"data":1,"version":"x","zzz":1})",
       "invalid-event /eventType /aggregateId /version /zzz"},
      // Well-formed, but no parser could keep them.
      {event_with_data("1e999"), "invalid-event /data"},
      {event_with_data("[1,{\"x\":-1.8e308}]"), "invalid-event /data/1/x"},
      {event_with_data("18446744073709551616"), "invalid-event /data"},
      {event_with_data("-9223372036854775809"), "invalid-event /data"},
      {event_with_data("\"\\ud800\""), "invalid-event /data"},
      {event_with_data("{\"\\ud800\":1}"), "invalid-event /data"},
      {event_with_data("{\"a\":[\"\\udc00x\"]}"), "invalid-event /data/a/0"},
      {event_with(R"("userId":"\ud800")"), "invalid-event /userId"},
      {event_with(R"("version":99999999999999999999)"), "invalid-event /version"},
      // Depth.
      {event_with_data(nested(128)), "ok"},
      {event_with_data(nested(129)), "invalid-event /data"},
      {event_with(R"("metadata":{"x":)" + nested(127) + "}"), "ok"},
      {event_with(R"("metadata":{"x":)" + nested(128) + "}"), "invalid-event /metadata"},
      {event_with_data(nested(1020)), "invalid-event /data"},
      {nested(5000), "invalid-event /0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0"},
      {std::string(5000, '['), "malformed-json"},
      // Edges that are fine.
      {event_with(R"("userId":")" + std::string(255, 'x') + "\""), "ok"},
      {event_with(R"("aggregateType":"a$")"), "ok"},
      {event_with(R"("version":4294967295)"), "ok"},
      {R"({"eventType":"A.z_0-9:/","aggregateId":"ä /%","data":1})", "ok"},
      {R"({"eventType":")" + std::string(128, 'x') + R"(","aggregateId":"a","data":1})", "ok"},
      {R"({"eventType":"T","\u0061ggregateId":"\u0061\ud83d\ude00","data":1})", "ok"},
  };
  for (const auto& [body, expected] : cases) {
    CAPTURE(body);
    CHECK(verdict(body) == expected);
  }
}

TEST_CASE("EventParser.VeryDeepDataIsToldByItsPointer") {
  const Parsed parsed = parse(event_with_data(nested(3000)));
  REQUIRE(parsed.problem);
  CHECK(parsed.problem->kind().slug == "invalid-event");
  REQUIRE(parsed.problem->field_errors().size() == 1);
  CHECK(parsed.problem->field_errors()[0].where.starts_with("/data/0/0"));
}

TEST_CASE("EventParser.Lists") {
  const std::string good = event_with("");
  CHECK(verdict("[" + good + "]") == "ok");
  CHECK(parse("[" + good + "]").proposal.is_list);
  CHECK(verdict("[]") == "invalid-event (root)");
  CHECK(verdict("[" + good + ",1," + event_with(R"("x":1)") + ",{}]") ==
        "invalid-event /1 /2/x /3/eventType /3/aggregateId /3/data");
  CHECK(verdict("[" + good + ",[" + good + "]]") == "invalid-event /1");
  const std::string with_id = event_with("\"eventId\":\"" + kId + "\"");
  std::string lower = kId;
  lower[5] = 'a';
  CHECK(verdict("[" + with_id + "," + good + "," + with_id + "]") == "invalid-event /2/eventId");
  const std::string with_lower = event_with(R"("eventId":"0190a6b2-7C3E-7d10-8a4b-1f2e3d4c5b6a")");
  CHECK(verdict("[" + with_id + "," + with_lower + "]") == "invalid-event /1/eventId");
}

TEST_CASE("EventParser.WrapperAndCondition") {
  const std::string good = event_with("");
  const auto wrapped = [&](const std::string& condition) {
    return R"({"condition":)" + condition + R"(,"events":[)" + good + "]}";
  };
  CHECK(verdict(R"({"events":[)" + good + "]}") == "ok");
  CHECK(parse(R"({"events":[)" + good + "]}").proposal.is_list);
  CHECK(verdict(R"({"events":[{"eventType":1,"aggregateId":"a","data":1}]})") == "invalid-event /events/0/eventType");
  CHECK(verdict(R"({"events":[]})") == "invalid-event /events");
  CHECK(verdict(R"({"events":{}})") == "invalid-event /events");
  CHECK(verdict(R"({"condition":{"aggregates":[{"aggregateId":"a","lastSequenceNumber":1}]}})") ==
        "invalid-event /events");
  CHECK(verdict(R"({"events":[)" + good + R"(],"events":[]})") == "invalid-event /events");
  CHECK(verdict(R"({"events":[)" + good + R"(],"extra":1})") == "invalid-event /extra");
  CHECK(verdict(R"({"events":[)" + good + "," + event_with("\"eventId\":\"" + kId + "\"") + "," +
                event_with("\"eventId\":\"" + kId + "\"") + "]}") == "invalid-event /events/2/eventId");

  const Parsed parsed = parse(wrapped(R"({"aggregates":[{"aggregateId":"a","lastSequenceNumber":0},
      {"lastSequenceNumber":"exists","aggregateId":"$schema/x"}], "failIfEventsMatch":[{"eventTypes":["A","B"],"aggregateTypes":["t"],
      "aggregateIds":["i"],"userIds":["u"],"tags":["y","x"]},{}],"after":17})"));
  REQUIRE(parsed.verdict() == "ok");
  const Condition& condition = parsed.proposal.condition;
  REQUIRE(condition.aggregates.size() == 2);
  CHECK(condition.aggregates[0].last == SequenceNumber{0});
  CHECK(!condition.aggregates[1].last);
  CHECK(condition.aggregates[1].aggregate_id == "$schema/x");
  REQUIRE(condition.fail_if_events_match.size() == 2);
  CHECK(condition.fail_if_events_match[0].event_types == std::vector<std::string>{"A", "B"});
  CHECK(condition.fail_if_events_match[0].user_ids == std::vector<std::string>{"u"});
  CHECK(condition.fail_if_events_match[0].tags == std::vector<std::string>{"y", "x"});
  CHECK(condition.after == Position{17});

  const auto types = [](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + '"';
    return "[" + list + "]";
  };
  const auto aggregates = [](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) {
      list += (i == 0 ? "" : ",") + std::string(R"({"aggregateId":"a)") + std::to_string(i) +
              R"(","lastSequenceNumber":0})";
    }
    return "[" + list + "]";
  };
  const std::string most = R"({"aggregates":)" + aggregates(400) + R"(,"failIfEventsMatch":[{"eventTypes":)" +
                           types(500) + R"(,"userIds":)" + types(99);
  CHECK(parse(wrapped(most + "},{}]}")).verdict() == "ok");
  const auto repeated = [](std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
  };

  const std::pair<std::string, std::string> cases[] = {
      // Too many values in all: what is the first too much, and only that.
      {most + R"(,"aggregateIds":["a","b","c","d"]}]})", "/condition/failIfEventsMatch/0/aggregateIds/1"},
      {most + "},{},{}]}", "/condition/failIfEventsMatch/2"},
      {R"({"aggregates":)" + aggregates(1001) + "}", "/condition/aggregates/1000"},
      {R"({"aggregates":)" + aggregates(9000) + "}", "/condition/aggregates/1000"},
      {R"({"failIfEventsMatch":[{"eventTypes":)" + types(10'000) + "}]}",
       "/condition/failIfEventsMatch/0/eventTypes/1000"},
      {R"({"failIfEventsMatch":[{})" + repeated(",{}", 1000) + "]}", "/condition/failIfEventsMatch/1000"},
      {R"({"failIfEventsMatch":[{"tags":)" + types(1001) + "}]}", "/condition/failIfEventsMatch/0/tags/1000"},
      {R"({"failIfEventsMatch":[{"tags":[]}]})", "/condition/failIfEventsMatch/0/tags"},
      {R"({"failIfEventsMatch":[{"tags":"a"}]})", "/condition/failIfEventsMatch/0/tags"},
      {R"({"failIfEventsMatch":[{"tags":["a",2]}]})", "/condition/failIfEventsMatch/0/tags/1"},
      {R"({"failIfEventsMatch":[{"tags":[")" + std::string(129, 'x') + "\"]}]}",
       "/condition/failIfEventsMatch/0/tags/0"},
      {"null", "/condition"},
      {"{}", "/condition"},
      {R"({"x":1})", "/condition/x"},
      {R"({"aggregates":[]})", "/condition/aggregates"},
      {R"({"aggregates":{}})", "/condition/aggregates"},
      {R"({"aggregates":[1]})", "/condition/aggregates/0"},
      {R"({"aggregates":[{}]})", "/condition/aggregates/0/aggregateId /condition/aggregates/0/lastSequenceNumber"},
      {R"({"aggregates":[{"aggregateId":"a","lastSequenceNumber":"no"}]})",
       "/condition/aggregates/0/lastSequenceNumber"},
      {R"({"aggregates":[{"aggregateId":"a","lastSequenceNumber":-1}]})", "/condition/aggregates/0/lastSequenceNumber"},
      {R"({"aggregates":[{"aggregateId":"a","lastSequenceNumber":1,"z":1}]})", "/condition/aggregates/0/z"},
      {R"({"failIfEventsMatch":[{"eventTypes":[]}]})", "/condition/failIfEventsMatch/0/eventTypes"},
      {R"({"failIfEventsMatch":[{"eventTypes":["a",1]}]})", "/condition/failIfEventsMatch/0/eventTypes/1"},
      {R"({"failIfEventsMatch":[{"eventType":["a"]}]})", "/condition/failIfEventsMatch/0/eventType"},
      {R"({"failIfEventsMatch":[{}],"after":-1})", "/condition/after"},
      {R"({"failIfEventsMatch":[{}],"after":"1"})", "/condition/after"},
      {R"({"after":1})", "/condition/after"},
      {R"({"failIfEventsMatch":[{}],"failIfEventsMatch":[{}]})", "/condition/failIfEventsMatch"},
  };
  for (const auto& [text, pointers] : cases) {
    CAPTURE(text);
    CHECK(verdict(wrapped(text)) == "invalid-event " + pointers);
  }
}

TEST_CASE("EventParser.LinesAreToldByNumber") {
  const std::string good = event_with("");
  const auto lines = [](const std::string& body) { return verdict(body, BodyFormat::Ndjson); };
  CHECK(lines(good) == "ok");
  CHECK(lines(good + "\n") == "ok");
  CHECK(parse(good, BodyFormat::Ndjson).proposal.is_list);
  CHECK(lines("") == "invalid-event (root)");
  CHECK(lines("\n \r\n") == "invalid-event (root)");
  CHECK(lines(good + "\n\n" + event_with(R"("x":1)") + "\n[1]\n" + event_with_data("1e999")) ==
        "invalid-event /1/x@3 /2@4 /3/data@5");
  CHECK(lines(good + "\n{\"a\":}\n" + good) == "malformed-json");
  CHECK(parse(good + "\n{\"a\":}\n", BodyFormat::Ndjson).problem->detail().find("line 2") != std::string::npos);
  CHECK(lines(good + good) == "malformed-json");
  const std::string with_id = event_with("\"eventId\":\"" + kId + "\"");
  CHECK(lines(with_id + "\n\n" + with_id) == "invalid-event /1/eventId@3");
}

TEST_CASE("EventParser.SizesAre413") {
  Limits limits;
  limits.data_bytes_max = 10;
  limits.metadata_bytes_max = 8;
  limits.events_max = 3;
  limits.body_bytes_max = 400;
  const auto limited = [&](const std::string& body, BodyFormat format = BodyFormat::Json) {
    return parse(body, format, limits).verdict();
  };
  CHECK(limited(event_with_data("1234567890")) == "ok");
  CHECK(limited(event_with_data("\"1234567890\"")) == "event-too-large /data");
  CHECK(limited(event_with(R"("metadata":{"a":12})")) == "ok");
  CHECK(limited(event_with(R"("metadata":{"a":123})")) == "event-too-large /metadata");
  CHECK(limited("[" + event_with("") + "," + event_with_data("\"1234567890\"") + "]") == "event-too-large /1/data");
  CHECK(limited(R"({"eventType":"","aggregateId":"a","data":"1234567890"})") == "invalid-event /eventType /data");
  const std::string e = event_with("");
  CHECK(limited("[" + e + "," + e + "," + e + "]") == "ok");
  CHECK(limited("[" + e + "," + e + "," + e + "," + e + "]") == "payload-too-large");
  CHECK(limited(e + "\n" + e + "\n" + e + "\n" + e, BodyFormat::Ndjson) == "payload-too-large");
  CHECK(limited(e + std::string(400, ' ')) == "payload-too-large");
}

TEST_CASE("EventParser.WhenTheTextIsUnderstoodInTwoWaysTheRequestFailsAndNotTheProcess") {
  // No bytes are known for which simdjson and the cursor differ, so they get different ones.
  const Limits limits;
  const AppendContext context;
  simdjson::dom::parser simdjson_parser;
  simdjson::dom::object object;
  REQUIRE(simdjson_parser.parse(event_with("")).get(object) == simdjson::SUCCESS);
  for (const char* const other :
       {"", "{", "{}", R"({"eventType":"T"})", R"({"a":1,"b":2,"c":3,"d":4,"e":5})", "[1,2,3,4,5]", "1"}) {
    CAPTURE(other);
    EventErrors errors;
    EventParser parser(limits, context, system_clock(), errors);
    JsonCursor cursor(other);
    RecordDraft draft;
    CHECK_THROWS_AS(parser.parse(object, cursor, 0, draft), std::logic_error);
  }
  JsonCursor list("[1]");
  list.enter();
  list.expect_element();
  CHECK(list.value().text == "1");
  CHECK_THROWS_AS(list.expect_element(), std::logic_error);
  JsonCursor more("[1,2]");
  more.enter();
  CHECK_THROWS_AS(more.expect_no_element(), std::logic_error);
}

TEST_CASE("EventParser.ManyFaultsAreCut") {
  std::string body = "[";
  for (int i = 0; i < 5000; ++i) body += i == 0 ? "{}" : ",{}";
  const Parsed parsed = parse(body + "]");
  REQUIRE(parsed.problem);
  CHECK(parsed.problem->field_errors().size() == 100);
  CHECK(parsed.problem->detail().find("15000") != std::string::npos);
}

TEST_CASE("EventParser.LargeListsParse") {
  std::string body = "[";
  for (int i = 0; i < 10'000; ++i) body += (i == 0 ? "" : ",") + event_with_data("{\"n\":" + std::to_string(i) + "}");
  const Parsed parsed = parse(body + "]");
  REQUIRE(parsed.verdict() == "ok");
  REQUIRE(parsed.proposal.events.size() == 10'000);
  CHECK(parsed.proposal.events[9999].data == "{\"n\":9999}");
}

TEST_CASE("EventParser.IdempotencyKeyGivesSteadyIds") {
  AppendContext context;
  context.idempotency_key = "key";
  const std::string body =
      "[" + event_with("") + "," + event_with("\"eventId\":\"" + kId + "\"") + "," + event_with("") + "]";
  const Parsed once = parse(body, BodyFormat::Json, {}, context);
  const Parsed twice = parse(body, BodyFormat::Json, {}, context);
  REQUIRE(once.verdict() == "ok");
  for (std::size_t i = 0; i < 3; ++i) CHECK(once.proposal.events[i].event_id == twice.proposal.events[i].event_id);
  CHECK(once.proposal.events[1].event_id == parse_uuid(kId));
  CHECK(once.proposal.events[0].event_id == derived_event_id("", "key", 0));
  CHECK(once.proposal.events[2].event_id == derived_event_id("", "key", 2));
  std::set<std::string> distinct;
  for (const Uuid& id : {derived_event_id("", "key", 0), derived_event_id("", "key", 1), derived_event_id("k", "ey", 0),
                         derived_event_id("", "kez", 0), derived_event_id("", "key1", 1)}) {
    distinct.insert(to_string(id));
    CHECK((id.bytes[6] >> 4) == 8);
    CHECK((id.bytes[8] >> 6) == 2);
  }
  CHECK(distinct.size() == 5);
}

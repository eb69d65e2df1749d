// POST /v1/events: forms, members and their rules.

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/contract/http_fixture.h"

namespace stele::tests {
namespace {

constexpr const char* kNdjson = "application/x-ndjson";

std::string location_of(const HttpResponse& response) { return response.header("Location"); }

}  // namespace

TEST_CASE("Append.ReceiptIsTheStoredEventWithoutItsBody") {
  HttpClient client = shared_api().client();
  const std::string id = fresh_uuid();
  const std::string aggregate = fresh("receipt");
  const std::string user = fresh_uuid();
  const std::string body = event_json(
      aggregate, "MissionCreated", R"({"name":"Ariadne"})",
      R"(,"eventId":")" + id + R"(","aggregateType":"Mission","metadata":{"source":"test"},"userId":")" + user +
          R"(","correlationId":"order 17","causationId":"click-3","version":2,"occurredAt":"2026-03-01T12:00:00.5+02:00")");
  const HttpResponse response = client.post("/v1/events", body);
  REQUIRE(response.status == 201);
  CHECK(response.header("Content-Type").starts_with("application/json"));
  CHECK(location_of(response) == "/v1/events/" + id);
  const Json receipt(response.body);
  CHECK(receipt.text("/eventId") == id);
  CHECK(receipt.text("/eventType") == "MissionCreated");
  CHECK(receipt.text("/aggregateId") == aggregate);
  CHECK(receipt.text("/aggregateType") == "Mission");
  CHECK(receipt.text("/userId") == user);
  CHECK(receipt.text("/correlationId") == "order 17");
  CHECK(receipt.text("/causationId") == "click-3");
  CHECK(receipt.number("/version") == 2);
  CHECK(receipt.text("/occurredAt") == "2026-03-01T10:00:00.500000Z");
  CHECK(receipt.number("/sequenceNumber") == 1);
  CHECK(receipt.number("/position") >= 1);
  CHECK(is_timestamp(receipt.text("/timestamp")));
  CHECK_FALSE(receipt.has("/data"));
  CHECK_FALSE(receipt.has("/metadata"));

  // The same event read back has the receipt's members, and its body.
  const Json stored = get_json(client, location_of(response));
  for (const std::string& name : receipt.names()) {
    CHECK(stored.at("/" + name).minified() == receipt.at("/" + name).minified());
  }
  CHECK(stored.at("/data").minified() == R"({"name":"Ariadne"})");
  CHECK(stored.at("/metadata").minified() == R"({"source":"test"})");
}

TEST_CASE("Append.TagsAreShownInOrder") {
  HttpClient client = shared_api().client();
  std::string most;
  for (char c = 'a'; c < 'a' + 16; ++c) most += (c == 'a' ? "" : ",") + json_text(std::string(126, '"') + c + "x");
  const std::pair<std::string, std::string> cases[] = {
      {R"("student:2","a\u00e9","course:1")", R"("aé","course:1","student:2")"}, {most, most}};
  for (const auto& [sent, shown] : cases) {
    const HttpResponse response =
        client.post("/v1/events", event_json(fresh("tags"), "T", "{}", R"(,"tags":[)" + sent + "]"));
    REQUIRE(response.status == 201);
    CHECK(Json(response.body).at("/tags").minified() == "[" + shown + "]");
    CHECK(get_json(client, location_of(response)).at("/tags").minified() == "[" + shown + "]");
  }
  const std::string untagged =
      location_of(client.post("/v1/events", event_json(fresh("tags"), "T", "{}", R"(,"tags":[])")));
  CHECK_FALSE(get_json(client, untagged).has("/tags"));
}

TEST_CASE("Append.BadTagsAreNamedOneByOne") {
  HttpClient client = shared_api().client();
  const std::string longest(128, 'x');
  const auto refused = [&](const std::string& tags, const std::string& pointer) {
    const std::string body = event_json(fresh("tags"), "T", "{}", R"(,"tags":)" + tags);
    CHECK(names_pointer(check_problem(client.post("/v1/events", body), 422, "invalid-event"), pointer));
    const std::string list = "[" + event_json("a") + "," + body + "]";
    CHECK(names_pointer(check_problem(client.post("/v1/events", list), 422, "invalid-event"), "/1" + pointer));
  };
  refused("\"a\"", "/tags");
  refused("null", "/tags");
  refused(R"(["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"])", "/tags");
  refused(R"(["a",1])", "/tags/1");
  refused(R"(["a","b","a"])", "/tags/2");
  refused(R"(["a",""])", "/tags/1");
  refused(R"(["a\u0000"])", "/tags/0");
  refused(R"(["$a"])", "/tags/0");
  refused("[\"" + longest + "x\"]", "/tags/0");
  append(client, event_json(fresh("tags"), "T", "{}", R"(,"tags":[")" + longest + "\"]"));
}

TEST_CASE("Append.OmittedMembersGetTheirDefaults") {
  HttpClient client = shared_api().client();
  const Json receipt = append(client, event_json(fresh("defaults")));
  CHECK(receipt.text("/eventId").size() == 36);
  CHECK(receipt.text("/eventId")[14] == '7');
  CHECK(receipt.text("/correlationId").size() == 36);
  CHECK(receipt.text("/correlationId")[14] == '7');
  CHECK(receipt.number("/version") == 1);
  for (const char* const name : {"/aggregateType", "/userId", "/causationId", "/occurredAt"}) {
    CHECK_FALSE(receipt.has(name));
  }
  const Json stored = get_json(client, "/v1/events/" + receipt.text("/eventId"));
  CHECK_FALSE(stored.has("/metadata"));
}

TEST_CASE("Append.DataIsKeptByteForByte") {
  HttpClient client = shared_api().client();
  for (const std::string_view data : {
           "null",
           "true",
           "0",
           "-0",
           "1e400000",
           "1.10",
           "12345678901234567890123",
           "18446744073709551615",
           R"("")",
           R"("\u00e9\ud83d\ude00 é 😀 \/ \n")",
           "[]",
           "[ 1 ,\t2,\r\n 3 ]",
           R"({"a":1,"a":2,"a":{"b":[],"b":[ ]}})",
           R"({ "z" : 0.10e+01 , "a" : "x" })",
           R"({"":{"$":"{}"}})",
       }) {
    const std::string body = event_json(fresh("bytes"), "Tested", data);
    const HttpResponse response = client.post("/v1/events", body);
    INFO("data: ", data, " answer: ", response.body);
    // Numbers without a 64-bit or double form are refused, all else is kept.
    const bool out_of_range = data.starts_with("1e4") || data.size() == 23;
    if (out_of_range && data.find('{') == std::string_view::npos) {
      CHECK(names_pointer(check_problem(response, 422, "invalid-event"), "/data"));
      continue;
    }
    REQUIRE(response.status == 201);
    const HttpResponse bytes = client.get(location_of(response) + "/data");
    CHECK(bytes.status == 200);
    CHECK(bytes.header("Content-Type").starts_with("application/json"));
    CHECK(bytes.body == data);
    const HttpResponse whole = client.get(location_of(response));
    CHECK(whole.body.find("\"data\":" + std::string(data)) != std::string::npos);
  }
}

TEST_CASE("Append.WhiteSpaceAroundDataIsNotPartOfIt") {
  HttpClient client = shared_api().client();
  const std::string body =
      " { \"data\" :\n\t{ \"a\" : 1 } \r\n, \"eventType\":\"Tested\" ,\"aggregateId\": " + json_text(fresh("space")) +
      " } \n";
  const Json receipt = append(client, body);
  CHECK(client.get("/v1/events/" + receipt.text("/eventId") + "/data").body == "{ \"a\" : 1 }");
}

TEST_CASE("Append.LongestAllowedMembersAreAccepted") {
  HttpClient client = shared_api().client();
  const std::string type(128, 'T');
  std::string aggregate = fresh("longest-");
  aggregate.resize(255, 'a');
  const std::string text(255, 'u');
  const Json receipt =
      append(client, event_json(aggregate, type, "{}",
                                R"(,"aggregateType":")" + text + R"(","userId":")" + text + R"(","correlationId":")" +
                                    text + R"(","causationId":")" + text + R"(","version":4294967295)"));
  CHECK(receipt.text("/eventType") == type);
  CHECK(receipt.text("/aggregateId") == aggregate);
  CHECK(receipt.text("/aggregateType") == text);
  CHECK(receipt.number("/version") == 4294967295U);
  CHECK(get_json(client, "/v1/aggregates/" + aggregate).number("/sequenceNumber") == 1);
}

TEST_CASE("Append.EventTypeMayHaveLettersDigitsAndSomePunctuation") {
  HttpClient client = shared_api().client();
  for (const char* const type : {"a", "Z", "0", "a.b_c-d:e/f", "...", "./", "/"}) {
    CHECK(append(client, event_json(fresh("type"), type)).text("/eventType") == type);
  }
}

TEST_CASE("Append.EveryBrokenMemberIsNamed") {
  HttpClient client = shared_api().client();
  const std::uint64_t size = event_count(client);
  const std::string too_long(256, 'x');
  struct Row {
    const char* pointer;
    std::string json;  ///< an event
  };
  const auto with = [](const std::string& extra) { return event_json("rules", "Tested", "{}", "," + extra); };
  const std::vector<Row> rows{
      {"/eventType", R"({"aggregateId":"rules","data":{}})"},
      {"/aggregateId", R"({"eventType":"Tested","data":{}})"},
      {"/data", R"({"eventType":"Tested","aggregateId":"rules"})"},
      {"/eventType", event_json("rules", "")},
      {"/eventType", event_json("rules", std::string(129, 't'))},
      {"/eventType", event_json("rules", "two words")},
      {"/eventType", event_json("rules", "é")},
      {"/eventType", event_json("rules", "$internal")},
      {"/eventType", event_json("rules", ".")},
      {"/eventType", R"({"eventType":7,"aggregateId":"rules","data":{}})"},
      {"/eventType", R"({"eventType":null,"aggregateId":"rules","data":{}})"},
      {"/aggregateId", event_json("")},
      {"/aggregateId", event_json(too_long)},
      {"/aggregateId", event_json("$schema/x")},
      {"/aggregateId", event_json(".")},
      {"/aggregateId", event_json("..")},
      {"/aggregateId", R"({"eventType":"Tested","aggregateId":"a\u0000b","data":{}})"},
      {"/aggregateId", R"({"eventType":"Tested","aggregateId":"a\nb","data":{}})"},
      {"/aggregateId", R"({"eventType":"Tested","aggregateId":"a\u007fb","data":{}})"},
      {"/aggregateId", R"({"eventType":"Tested","aggregateId":["a"],"data":{}})"},
      {"/aggregateType", with(R"("aggregateType":"")")},
      {"/aggregateType", with(R"("aggregateType":null)")},
      {"/aggregateType", with(R"("aggregateType":"$x")")},
      {"/aggregateType", with(R"("aggregateType":")" + too_long + "\"")},
      {"/metadata", with(R"("metadata":[])")},
      {"/metadata", with(R"("metadata":"text")")},
      {"/metadata", with(R"("metadata":null)")},
      {"/userId", with(R"("userId":"")")},
      {"/userId", with(R"("userId":1)")},
      {"/userId", with(R"("userId":")" + too_long + "\"")},
      {"/correlationId", with(R"("correlationId":false)")},
      {"/correlationId", with(R"("correlationId":")" + too_long + "\"")},
      {"/causationId", with(R"("causationId":{})")},
      {"/version", with(R"("version":0)")},
      {"/version", with(R"("version":-1)")},
      {"/version", with(R"("version":1.5)")},
      {"/version", with(R"("version":"1")")},
      {"/version", with(R"("version":4294967296)")},
      {"/occurredAt", with(R"("occurredAt":"yesterday")")},
      {"/occurredAt", with(R"("occurredAt":"2026-02-30T00:00:00Z")")},
      {"/occurredAt", with(R"("occurredAt":"2026-02-20")")},
      {"/occurredAt", with(R"("occurredAt":"2026-02-20T10:00:00")")},
      {"/occurredAt", with(R"("occurredAt":1700000000)")},
      {"/occurredAt", with(R"("occurredAt":"2026-02-20T10:00:00.1234567Z")")},
      {"/occurredAt", with(R"("occurredAt":"2026-02-20T10:00:00.123456789Z")")},
      {"/eventId", with(R"("eventId":"not-a-uuid")")},
      {"/eventId", with(R"("eventId":"")")},
      {"/eventId", with(R"("eventId":17)")},
      {"/eventId", with(R"("eventId":"{0190a6b2-7c3e-7d10-8a4b-1f2e3d4c5b6a}")")},
      {"/sequenceNumber", with(R"("sequenceNumber":0)")},
      {"/sequenceNumber", with(R"("sequenceNumber":-3)")},
      {"/sequenceNumber", with(R"("sequenceNumber":"1")")},
      {"/timestamp", with(R"("timestamp":"2026-01-01T00:00:00Z")")},
      {"/position", with(R"("position":1)")},
      {"/eventtype", with(R"("eventtype":"typo")")},
      {"/payload", with(R"("payload":{})")},
      {"/a~1b~0c", with(R"("a/b~c":1)")},
      {"/data", with(R"("data":{})")},
      {"/userId", with(R"("userId":"a","userId":"a")")},
      {"/userId", with(R"("userId":"a","user\u0049d":"a")")},
  };
  for (const Row& row : rows) {
    INFO("sent: ", row.json.substr(0, 400));
    CHECK(names_pointer(check_problem(client.post("/v1/events", row.json), 422, "invalid-event"), row.pointer));
    const Json in_list =
        check_problem(client.post("/v1/events", "[" + event_json("rules") + "," + row.json + "]"), 422);
    CHECK(names_pointer(in_list, "/1" + std::string(row.pointer)));
    const Json in_wrapper = check_problem(client.post("/v1/events", R"({"events":[)" + row.json + "]}"), 422);
    CHECK(names_pointer(in_wrapper, "/events/0" + std::string(row.pointer)));
  }
  CHECK(event_count(client) == size);
}

TEST_CASE("Append.ListIsOneCommitInOrder") {
  HttpClient client = shared_api().client();
  const std::string first = fresh("list");
  const std::string second = fresh("list");
  const HttpResponse response = client.post(
      "/v1/events", "[" + event_json(first, "A") + "," + event_json(second, "B") + "," + event_json(first, "C") + "]");
  REQUIRE(response.status == 201);
  CHECK_FALSE(response.has_header("Location"));
  const Json body(response.body);
  CHECK(body.names() == std::vector<std::string>{"events"});
  const std::vector<Json> events = body.list("/events");
  REQUIRE(events.size() == 3);
  const std::uint64_t position = events[0].number("/position");
  CHECK(events[0].text("/eventType") == "A");
  CHECK(events[1].text("/eventType") == "B");
  CHECK(events[2].text("/eventType") == "C");
  for (std::size_t i = 0; i < 3; ++i) CHECK(events[i].number("/position") == position + i);
  CHECK(events[0].number("/sequenceNumber") == 1);
  CHECK(events[1].number("/sequenceNumber") == 1);
  CHECK(events[2].number("/sequenceNumber") == 2);
  // Without a correlation id of their own they share one.
  CHECK(events[0].text("/correlationId") == events[2].text("/correlationId"));
}

TEST_CASE("Append.WrapperWithoutConditionIsAList") {
  HttpClient client = shared_api().client();
  const Json body = append(client, R"({"events":[)" + event_json(fresh("wrapper")) + "]}");
  CHECK(body.list("/events").size() == 1);
}

TEST_CASE("Append.NdjsonIsAList") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("lines");
  const std::string body =
      event_json(aggregate, "A") + "\r\n\n  \n" + event_json(aggregate, "B") + "\n" + event_json(aggregate, "C");
  const HttpResponse response = client.post("/v1/events", body, kNdjson);
  REQUIRE(response.status == 201);
  const std::vector<Json> events = Json(response.body).list("/events");
  REQUIRE(events.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(events[i].number("/sequenceNumber") == i + 1);
}

TEST_CASE("Append.NdjsonNamesTheLineThatIsWrong") {
  HttpClient client = shared_api().client();
  const std::uint64_t size = event_count(client);
  const std::string good = event_json("lines-refused");
  const Json unknown =
      check_problem(client.post("/v1/events", good + "\n\n" + event_json("x", "T", "1", R"(,"typo":1)"), kNdjson), 422);
  CHECK(unknown.number("/errors/0/line") == 3);
  const Json broken =
      check_problem(client.post("/v1/events", good + "\n{\"eventType\":\n", kNdjson), 400, "malformed-json");
  CHECK(broken.minified().find("2") != std::string::npos);
  check_problem(client.post("/v1/events", good + "\n[" + good + "]\n", kNdjson), 422);
  check_problem(client.post("/v1/events", "\n \n", kNdjson), 422);
  check_problem(client.post("/v1/events", good + " " + good, kNdjson), 400, "malformed-json");
  CHECK(event_count(client) == size);
}

TEST_CASE("Append.ListIsAllOrNothing") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("atomic");
  const std::string id = fresh_uuid();
  const std::string first = event_json(aggregate, "A", "{}", R"(,"eventId":")" + id + "\"");
  const std::uint64_t size = event_count(client);
  check_problem(client.post("/v1/events", "[" + first + "," + event_json(aggregate, "bad type") + "]"), 422);
  check_problem(
      client.post("/v1/events", "[" + first + "," + event_json(aggregate, "B", "1", R"(,"sequenceNumber":9)") + "]"),
      409, "sequence-conflict");
  const Json twice = check_problem(client.post("/v1/events", "[" + first + "," + first + "]"), 422, "invalid-event");
  CHECK(names_pointer(twice, "/1/eventId"));
  check_problem(client.post("/v1/events", "[]"), 422);
  check_problem(client.post("/v1/events", R"({"events":[]})"), 422);
  CHECK(event_count(client) == size);
  check_problem(client.get("/v1/events/" + id), 404, "event-not-found");
  check_problem(client.get("/v1/aggregates/" + aggregate), 404, "aggregate-not-found");
}

TEST_CASE("Append.AsManyEventsAsTheLimitAllowsAndNotOneMore") {
  Api api;
  HttpClient client = api.client();
  std::string body = "[";
  for (int i = 0; i < 10'000; ++i) body += event_json("many-" + std::to_string(i % 7), "T", "1") + ",";
  const std::uint64_t size = event_count(client);
  check_problem(client.post("/v1/events", body + event_json("many-0") + "]"), 413, "payload-too-large");
  CHECK(event_count(client) == size);
  body.back() = ']';
  const Json receipt = append(client, body);
  CHECK(receipt.list("/events").size() == 10'000);
  CHECK(event_count(client) == size + 10'000);
  CHECK(get_json(client, "/v1/aggregates/many-0").number("/sequenceNumber") == 1429);
}

TEST_CASE("Append.AggregateTypeIsFixedByTheFirstEvent") {
  HttpClient client = shared_api().client();
  const std::string typed = fresh("typed");
  append(client, event_json(typed, "A", "{}", R"(,"aggregateType":"Mission")"));
  CHECK(append(client, event_json(typed, "B")).text("/aggregateType") == "Mission");
  CHECK(append(client, event_json(typed, "C", "{}", R"(,"aggregateType":"Mission")")).number("/sequenceNumber") == 3);
  const Json problem =
      check_problem(client.post("/v1/events", event_json(typed, "D", "{}", R"(,"aggregateType":"Other")")), 422,
                    "aggregate-type-conflict");
  CHECK(problem.text("/storedAggregateType") == "Mission");

  const std::string untyped = fresh("untyped");
  append(client, event_json(untyped, "A"));
  const Json none =
      check_problem(client.post("/v1/events", event_json(untyped, "B", "{}", R"(,"aggregateType":"Mission")")), 422,
                    "aggregate-type-conflict");
  CHECK(none.is_null("/storedAggregateType"));

  // The rule holds inside one list as well.
  const std::string listed = fresh("listed");
  check_problem(client.post("/v1/events", "[" + event_json(listed, "A", "1", R"(,"aggregateType":"X")") + "," +
                                              event_json(listed, "B", "1", R"(,"aggregateType":"Y")") + "]"),
                422, "aggregate-type-conflict");
  check_problem(client.get("/v1/aggregates/" + listed), 404);
}

TEST_CASE("Append.CorrelationIdComesFromBodyThenHeader") {
  HttpClient client = shared_api().client();
  const HttpResponse from_header =
      client.post("/v1/events", event_json(fresh("correlated")), "application/json", {{"X-Correlation-Id", "req-1"}});
  CHECK(Json(from_header.body).text("/correlationId") == "req-1");
  CHECK(from_header.header("X-Correlation-Id") == "req-1");

  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const HttpResponse from_trace = client.post("/v1/events", event_json(fresh("correlated")), "application/json",
                                              {{"traceparent", "00-" + trace + "-00f067aa0ba902b7-01"}});
  CHECK(Json(from_trace.body).text("/correlationId").find(trace.substr(0, 8)) == 0);

  const HttpResponse from_body =
      client.post("/v1/events", event_json(fresh("correlated"), "T", "{}", R"(,"correlationId":"own")"),
                  "application/json", {{"X-Correlation-Id", "req-2"}});
  CHECK(Json(from_body.body).text("/correlationId") == "own");

  const HttpResponse made = client.post("/v1/events", event_json(fresh("correlated")));
  CHECK(made.header("X-Correlation-Id") == Json(made.body).text("/correlationId"));
}

TEST_CASE("Append.ContentTypeMayNameUtf8AndMatchesInAnyCase") {
  HttpClient client = shared_api().client();
  for (const char* const type :
       {"application/json; charset=utf-8", "APPLICATION/JSON", "application/json;charset=\"UTF-8\""}) {
    CHECK(client.post("/v1/events", event_json(fresh("media")), type).status == 201);
  }
}

TEST_CASE("Append.OtherParametersOfAMediaTypeAreIgnoredAndLinesHaveThreeNames") {
  HttpClient client = shared_api().client();
  const std::string event = event_json(fresh("media"));
  for (const std::string parameters : {"", "; profile=x", "; profile=\"a;charset=x,b\"; charset=utf-8", ";v=1;"}) {
    INFO("parameters: ", parameters);
    CHECK(client.post("/v1/events", event, "application/json" + parameters).status == 201);
    CHECK(client.post("/v1/events", event, "application/json", {{"Accept", "application/json" + parameters}}).status ==
          201);
    for (const std::string type : {"application/x-ndjson", "application/ndjson", "application/jsonl"}) {
      INFO("type: ", type);
      const HttpResponse stored = client.post("/v1/events", event + "\n" + event + "\n", type + parameters);
      CHECK(stored.status == 201);
      CHECK(Json(stored.body).list("/events").size() == 2);
      const HttpResponse lines = client.get("/v1/events?limit=2", {{"Accept", type + parameters}});
      CHECK(lines.status == 200);
      CHECK(lines.header("Content-Type") == type);
      CHECK(std::count(lines.body.begin(), lines.body.end(), '\n') == 2);
    }
  }
}

TEST_CASE("Append.PositionsAndTimesNeverDecrease") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("order");
  std::uint64_t position = 0;
  std::string time;
  for (std::uint64_t i = 1; i <= 50; ++i) {
    const Json receipt = append(client, event_json(aggregate));
    CHECK(receipt.number("/sequenceNumber") == i);
    CHECK(receipt.number("/position") > position);
    CHECK(receipt.text("/timestamp") >= time);
    position = receipt.number("/position");
    time = receipt.text("/timestamp");
  }
}

}  // namespace stele::tests

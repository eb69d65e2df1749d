// Expected sequence numbers and the `condition` of a commit.

#include <doctest/doctest.h>

#include "tests/contract/http_fixture.h"

namespace stele::tests {
namespace {

std::string conditional(const std::string& event, const std::string& condition) {
  return R"({"events":[)" + event + R"(],"condition":)" + condition + "}";
}

std::string last_is(const std::string& aggregate, const std::string& last) {
  return R"({"aggregates":[{"aggregateId":)" + json_text(aggregate) + R"(,"lastSequenceNumber":)" + last + "}]}";
}

}  // namespace

TEST_CASE("SequenceNumber.IsTheNumberTheEventMustGet") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("expected");
  const auto expecting = [&](std::uint64_t number) {
    return event_json(aggregate, "T", "{}", R"(,"sequenceNumber":)" + std::to_string(number));
  };
  const Json empty = check_problem(client.post("/v1/events", expecting(2)), 409, "sequence-conflict");
  CHECK(empty.number("/currentSequenceNumber") == 0);
  CHECK(append(client, expecting(1)).number("/sequenceNumber") == 1);
  const Json taken = check_problem(client.post("/v1/events", expecting(1)), 409, "sequence-conflict");
  CHECK(taken.number("/currentSequenceNumber") == 1);
  CHECK(taken.list("/conflictingEvents").size() == 1);
  CHECK(taken.number("/conflictingEvents/0/sequenceNumber") == 1);
  check_problem(client.post("/v1/events", expecting(3)), 409, "sequence-conflict");
  CHECK(append(client, expecting(2)).number("/sequenceNumber") == 2);
}

TEST_CASE("SequenceNumber.CountsTheEventsBeforeItInTheSameList") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("expected-list");
  const auto event = [&](int number) {
    return event_json(aggregate, "T", "{}", R"(,"sequenceNumber":)" + std::to_string(number));
  };
  CHECK(append(client, "[" + event(1) + "," + event(2) + "]").list("/events").size() == 2);
  const Json problem =
      check_problem(client.post("/v1/events", "[" + event(3) + "," + event(5) + "]"), 409, "sequence-conflict");
  CHECK(problem.number("/currentSequenceNumber") == 3);
  CHECK(get_json(client, "/v1/aggregates/" + aggregate).number("/sequenceNumber") == 2);
}

TEST_CASE("Condition.LastSequenceNumberMustHold") {
  HttpClient client = shared_api().client();
  const std::string guarded = fresh("guarded");
  const std::string written = fresh("written");
  // 0: must not exist; the guarded aggregate need not be one that is written.
  append(client, conditional(event_json(written), last_is(guarded, "0")));
  append(client, event_json(guarded, "First"));
  const Json exists = check_problem(client.post("/v1/events", conditional(event_json(written), last_is(guarded, "0"))),
                                    409, "condition-failed");
  CHECK(exists.text("/mismatches/0/aggregateId") == guarded);
  CHECK(exists.number("/mismatches/0/currentSequenceNumber") == 1);
  CHECK(exists.text("/conflictingEvents/0/eventType") == "First");
  append(client, conditional(event_json(written), last_is(guarded, "1")));
  check_problem(client.post("/v1/events", conditional(event_json(written), last_is(guarded, "2"))), 409,
                "condition-failed");
  CHECK(get_json(client, "/v1/aggregates/" + written).number("/sequenceNumber") == 2);
}

TEST_CASE("Condition.ExistsMustHold") {
  HttpClient client = shared_api().client();
  const std::string guarded = fresh("guarded");
  const std::string written = fresh("written");
  const std::string body = conditional(event_json(written), last_is(guarded, R"("exists")"));
  const Json problem = check_problem(client.post("/v1/events", body), 409, "condition-failed");
  CHECK(problem.text("/mismatches/0/aggregateId") == guarded);
  CHECK(problem.number("/mismatches/0/currentSequenceNumber") == 0);
  append(client, event_json(guarded));
  append(client, body);
  CHECK(get_json(client, "/v1/aggregates/" + written).number("/sequenceNumber") == 1);
}

TEST_CASE("Condition.SeveralAggregatesMustAllHold") {
  HttpClient client = shared_api().client();
  const std::string one = fresh("several");
  const std::string two = fresh("several");
  append(client, event_json(one));
  const auto condition = [&](int last_of_one, int last_of_two) {
    return R"({"aggregates":[{"aggregateId":")" + one + R"(","lastSequenceNumber":)" + std::to_string(last_of_one) +
           R"(},{"aggregateId":")" + two + R"(","lastSequenceNumber":)" + std::to_string(last_of_two) + "}]}";
  };
  const std::string event = event_json(fresh("several"));
  const Json both = check_problem(client.post("/v1/events", conditional(event, condition(0, 1))), 409);
  CHECK(both.list("/mismatches").size() == 2);
  const Json second = check_problem(client.post("/v1/events", conditional(event, condition(1, 1))), 409);
  REQUIRE(second.list("/mismatches").size() == 1);
  CHECK(second.text("/mismatches/0/aggregateId") == two);
  append(client, conditional(event, condition(1, 0)));
}

TEST_CASE("Condition.FailIfEventsMatchLooksAtEveryMember") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("course");
  const std::string type = fresh("StudentEnrolled");
  const std::string aggregate_type = fresh("Course");
  const std::string user = fresh("user");
  const Json stored = append(
      client,
      event_json(aggregate, type, "{}", R"(,"aggregateType":")" + aggregate_type + R"(","userId":")" + user + "\""));
  const std::string event = event_json(fresh("decision"));
  const auto fails = [&](const std::string& matches, const std::string& after = "") {
    const HttpResponse response =
        client.post("/v1/events", conditional(event, R"({"failIfEventsMatch":)" + matches + after + "}"));
    if (response.status == 201) return false;
    const Json problem = check_problem(response, 409, "condition-failed");
    REQUIRE_FALSE(problem.list("/conflictingEvents").empty());
    CHECK(problem.text("/conflictingEvents/0/eventId") == stored.text("/eventId"));
    CHECK(problem.has("/conflictingEvents/0/data"));
    return true;
  };
  CHECK(fails(R"([{"eventTypes":[")" + type + R"("]}])"));
  CHECK(fails(R"([{"aggregateTypes":[")" + aggregate_type + R"("]}])"));
  CHECK(fails(R"([{"aggregateIds":[")" + aggregate + R"("]}])"));
  CHECK(fails(R"([{"userIds":[")" + user + R"("]}])"));
  // Any value of a list, any entry of the outer list.
  CHECK(fails(R"([{"eventTypes":["Nothing",")" + type + R"("]}])"));
  CHECK(fails(R"([{"eventTypes":["Nothing"]},{"userIds":[")" + user + R"("]}])"));
  // All members of one entry must match the same event.
  CHECK(fails(R"([{"eventTypes":[")" + type + R"("],"userIds":[")" + user + R"("]}])"));
  CHECK_FALSE(fails(R"([{"eventTypes":[")" + type + R"("],"userIds":["somebody else"]}])"));
  CHECK_FALSE(fails(R"([{"eventTypes":["Nothing"]}])"));
  // Only events behind `after` count.
  const std::uint64_t position = stored.number("/position");
  const std::string match = R"([{"eventTypes":[")" + type + R"("]}])";
  CHECK(fails(match, R"(,"after":)" + std::to_string(position - 1)));
  CHECK_FALSE(fails(match, R"(,"after":)" + std::to_string(position)));
}

TEST_CASE("Condition.ADecisionOverTagsSpansAggregates") {
  HttpClient client = shared_api().client();
  const std::string course = fresh("course:"), student = fresh("student:");
  const auto tagged = [](const std::string& aggregate, const std::vector<std::string>& tags) {
    std::string list;
    for (const std::string& tag : tags) list += (list.empty() ? "" : ",") + json_text(tag);
    return event_json(aggregate, "Subscribed", "{}", R"(,"tags":[)" + list + "]");
  };
  const auto unless = [](const std::string& tags, std::uint64_t after) {
    return R"({"failIfEventsMatch":[{"eventTypes":["Subscribed"],"tags":[)" + tags + R"(]}],"after":)" +
           std::to_string(after) + "}";
  };
  const std::string both = json_text(student) + "," + json_text(course);
  append(client, tagged(fresh("one"), {course}));
  const std::uint64_t read_until = append(client, tagged(fresh("two"), {student})).number("/position");
  // Neither event has both.
  const Json subscribed =
      append(client, conditional(tagged(fresh("three"), {course, student, "other"}), unless(both, 0)));
  // What another aggregate got meanwhile breaks the decision.
  const HttpResponse late =
      client.post("/v1/events", conditional(tagged(fresh("four"), {course, student}), unless(both, read_until)));
  const Json problem = check_problem(late, 409, "condition-failed");
  REQUIRE(problem.list("/conflictingEvents").size() == 1);
  CHECK(problem.text("/conflictingEvents/0/eventId") == subscribed.text("/events/0/eventId"));
  CHECK(problem.at("/conflictingEvents/0/tags").minified() ==
        "[" + json_text(course) + ",\"other\"," + json_text(student) + "]");
  const std::string of_course = conditional(event_json(fresh("five")), unless(json_text(course), 0));
  CHECK(check_problem(client.post("/v1/events", of_course), 409).list("/conflictingEvents").size() == 2);
  append(client,
         conditional(tagged(fresh("four"), {course, student}), unless(both, subscribed.number("/events/0/position"))));
}

TEST_CASE("Condition.AfterBeyondTheHeadIsRefused") {
  HttpClient client = shared_api().client();
  const std::string condition = R"({"failIfEventsMatch":[{"eventTypes":["Nothing"]}],"after":1000000000})";
  const Json problem = check_problem(client.post("/v1/events", conditional(event_json(fresh("after")), condition)), 422,
                                     "after-beyond-head");
  CHECK(names_pointer(problem, "/condition/after"));
}

TEST_CASE("Condition.ConflictingEventsAreTheFirstAndBounded") {
  HttpClient client = shared_api().client();
  const std::string type = fresh("Repeated");
  std::string list = "[";
  for (int i = 0; i < 25; ++i) list += event_json(fresh("repeated"), type, std::to_string(i)) + ",";
  list.back() = ']';
  append(client, list);
  const Json problem = check_problem(
      client.post("/v1/events", conditional(event_json(fresh("decision")),
                                            R"({"failIfEventsMatch":[{"eventTypes":[")" + type + R"("]}]})")),
      409, "condition-failed");
  const std::vector<Json> conflicting = problem.list("/conflictingEvents");
  REQUIRE(conflicting.size() == 10);
  for (std::size_t i = 0; i < conflicting.size(); ++i) CHECK(conflicting[i].number("/data") == i);
}

TEST_CASE("Condition.BrokenFormsAreNamed") {
  HttpClient client = shared_api().client();
  const std::uint64_t size = event_count(client);
  struct Row {
    const char* pointer;
    const char* condition;
  };
  for (const Row& row : std::vector<Row>{
           {"/condition", "[]"},
           {"/condition", "null"},
           {"/condition", "{}"},
           {"/condition/aggregate", R"({"aggregate":[]})"},
           {"/condition/aggregates", R"({"aggregates":{}})"},
           {"/condition/aggregates", R"({"aggregates":[]})"},
           {"/condition/aggregates/0", R"({"aggregates":["x"]})"},
           {"/condition/aggregates/0/aggregateId", R"({"aggregates":[{"lastSequenceNumber":1}]})"},
           {"/condition/aggregates/0/lastSequenceNumber", R"({"aggregates":[{"aggregateId":"x"}]})"},
           {"/condition/aggregates/0/lastSequenceNumber",
            R"({"aggregates":[{"aggregateId":"x","lastSequenceNumber":"none"}]})"},
           {"/condition/aggregates/0/lastSequenceNumber",
            R"({"aggregates":[{"aggregateId":"x","lastSequenceNumber":-1}]})"},
           {"/condition/aggregates/0/typo", R"({"aggregates":[{"aggregateId":"x","lastSequenceNumber":1,"typo":1}]})"},
           {"/condition/failIfEventsMatch", R"({"failIfEventsMatch":[]})"},
           {"/condition/failIfEventsMatch/0/eventType", R"({"failIfEventsMatch":[{"eventType":["x"]}]})"},
           {"/condition/failIfEventsMatch/0/eventTypes", R"({"failIfEventsMatch":[{"eventTypes":"x"}]})"},
           {"/condition/failIfEventsMatch/0/eventTypes/1", R"({"failIfEventsMatch":[{"eventTypes":["x",1]}]})"},
           {"/condition/after", R"({"failIfEventsMatch":[{"eventTypes":["x"]}],"after":"1"})"},
           {"/condition/after", R"({"failIfEventsMatch":[{"eventTypes":["x"]}],"after":-1})"},
           {"/condition/after", R"({"after":1})"},
           {"/condition/after", R"({"after":1,"after":1,"failIfEventsMatch":[{"eventTypes":["x"]}]})"},
       }) {
    INFO("condition: ", row.condition);
    const std::string body = conditional(event_json("never"), row.condition);
    CHECK(names_pointer(check_problem(client.post("/v1/events", body), 422, "invalid-event"), row.pointer));
  }
  check_problem(
      client.post("/v1/events", R"({"condition":{"aggregates":[{"aggregateId":"x","lastSequenceNumber":0}]}})"), 422);
  CHECK(names_pointer(
      check_problem(client.post("/v1/events", R"({"events":[)" + event_json("never") + R"(],"conditions":{}})"), 422),
      "/conditions"));
  CHECK(event_count(client) == size);
}

}  // namespace stele::tests

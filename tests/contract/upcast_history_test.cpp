// Real input, ten years of it in the form of its time: a second version of a schema is checked over all of it, one
// event that does not fit is found, and from then on every way to read shows the new form, while what is stored stays.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/contract/listen_process.h"
#include "tests/support/build_paths.h"
#include "tests/support/client_script.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

constexpr std::size_t kModified = 24'003;

const std::string kFirstSchema = R"({
  "type": "object", "required": ["commit", "subject", "blob"],
  "properties": {
    "commit": {"type": "string", "pattern": "^[0-9a-f]{40}$"}, "subject": {"type": "string"}, "blob": {"type": "string"},
    "linesAdded": {"type": "integer", "minimum": 0}, "linesRemoved": {"type": "integer", "minimum": 0},
    "binary": {"type": "boolean"}},
  "additionalProperties": false})";

const std::string kSecondSchema = R"({
  "type": "object", "required": ["commit", "summary", "blob", "lines", "source"],
  "properties": {
    "commit": {"type": "string", "pattern": "^[0-9a-f]{40}$"}, "summary": {"type": "string", "minLength": 1},
    "blob": {"type": "string"}, "binary": {"type": "boolean"}, "source": {"const": "git"},
    "lines": {"type": "object", "additionalProperties": false,
      "properties": {"added": {"type": "integer", "minimum": 0}, "removed": {"type": "integer", "minimum": 0}}}},
  "additionalProperties": false})";

const std::string kOperations = R"(
  {"op": "rename", "path": "/subject", "to": "summary"},
  {"op": "move", "from": "/linesAdded", "path": "/lines/added"},
  {"op": "move", "from": "/linesRemoved", "path": "/lines/removed"},
  {"op": "default", "path": "/lines", "value": {}},
  {"op": "set", "path": "/source", "value": "git"})";

const std::string kMendsEmptySubjects = R"(, {"op": "map", "path": "/summary", "values": {"": "none"}})";

const std::string kThirdSchema = R"({"type": "object", "required": ["summary", "churn"],
  "properties": {"churn": {"type": "integer", "minimum": 0}}})";

const std::string kScript =
    "(data, event) => ({ ...data, churn: (data.lines.added ?? 0) + (data.lines.removed ?? 0), file: event.aggregateId "
    "})";

const std::string kCountsForms = R"(({
  $init: () => ({added: 0, removed: 0, churn: 0, events: 0, forms: {}}),
  FileModified: (state, event) => {
    state.added += event.data.lines.added ?? 0;
    state.removed += event.data.lines.removed ?? 0;
    state.churn += event.data.churn ?? 0;
    state.events++;
    const form = String(event.version);
    state.forms[form] = (state.forms[form] ?? 0) + 1;
  },
}))";

std::string second_version(const std::string& operations) {
  return R"({"schema":)" + kSecondSchema + R"(,"upcaster":{"from":1,"operations":[)" + operations + "]}}";
}

/// The server with the whole sample, the first version of the schema, and one event whose subject is empty.
struct UpcastHistory {
  Api api{{"--snapshot-every", "100"}};
  HttpClient client = api.client();
  std::string planted;

  UpcastHistory() {
    const std::string sample = source_path("tests/data/redis-history.ndjson.zst");
    const ProcessResult imported = run_stele({"import", sample, "--quiet", "--url", api.server().url()});
    REQUIRE_MESSAGE(imported.exit_code == 0, imported.err);
    const HttpResponse registered = client.post("/v1/schemas/FileModified", R"({"schema":)" + kFirstSchema + "}");
    REQUIRE_MESSAGE(registered.status == 201, registered.body);
    planted = append(client, event_json("src/server.c", "FileModified",
                                        R"({"commit":"0123456789012345678901234567890123456789","subject":"",)"
                                        R"("blob":"b","linesAdded":7,"linesRemoved":1.0})",
                                        R"(,"aggregateType":"SourceFile")"))
                  .text("/eventId");
  }

  std::vector<std::string> lines(const std::string& parameters = {}) {
    const HttpResponse answer =
        client.get("/v1/events?eventType=FileModified" + parameters, {{"Accept", "application/x-ndjson"}});
    REQUIRE_MESSAGE(answer.status == 200, answer.body);
    return lines_of(answer.body);
  }

  std::vector<std::string> pages(const std::string& parameters = {}) {
    std::vector<std::string> events;
    std::string cursor;
    do {
      const Json page = get_json(client, "/v1/events?eventType=FileModified&limit=1000" + parameters +
                                             (cursor.empty() ? "" : "&cursor=" + percent(cursor)));
      for (const Json& event : page.list("/events")) events.push_back(event.minified());
      cursor = page.is_null("/nextCursor") ? "" : page.text("/nextCursor");
    } while (!cursor.empty());
    return events;
  }

  Json replay(const std::string& aggregate, bool use_snapshot) {
    const HttpResponse answer =
        client.post("/v1/events/replay/" + percent(aggregate), use_snapshot ? "{}" : R"({"useSnapshot":false})");
    REQUIRE_MESSAGE(answer.status == 200, answer.body);
    return Json(answer.body);
  }
};

std::uint64_t number_or_0(const Json& json, const std::string& pointer) {
  return json.has(pointer) ? json.number(pointer) : 0;
}

/// What the operations make of an event, worked out by hand.
void check_second_form(const Json& stored, const Json& shown) {
  CHECK(shown.number("/version") == 2);
  CHECK(shown.number("/storedVersion") == 1);
  CHECK(shown.text("/eventId") == stored.text("/eventId"));
  const std::string subject = stored.text("/data/subject");
  CHECK(shown.text("/data/summary") == (subject.empty() ? "none" : subject));
  CHECK(shown.text("/data/source") == "git");
  CHECK(shown.text("/data/blob") == stored.text("/data/blob"));
  CHECK(shown.has("/data/lines/added") == stored.has("/data/linesAdded"));
  if (stored.has("/data/linesAdded")) {
    CHECK(shown.at("/data/lines/added").minified() == stored.at("/data/linesAdded").minified());
    CHECK(shown.at("/data/lines/removed").minified() == stored.at("/data/linesRemoved").minified());
  }
  CHECK(shown.at("/data").names().size() ==
        stored.at("/data").names().size() + (stored.has("/data/linesAdded") ? 0 : 2));
  CHECK(!shown.has("/data/subject"));
}

}  // namespace

TEST_CASE_FIXTURE(UpcastHistory, "UpcastRedisHistory.AnOffenderIsFoundAndThenEveryReadShowsTheNewForm") {
  const std::vector<std::string> before = lines();
  REQUIRE(before.size() == kModified + 1);

  // One event of all does not fit, and is named; so says the registration as well, and nothing has changed.
  const HttpResponse checked = client.post("/v1/schemas/FileModified/check", second_version(kOperations));
  REQUIRE_MESSAGE(checked.status == 200, checked.body);
  CHECK(Json(checked.body).number("/checked") == kModified + 1);
  CHECK(Json(checked.body).number("/failed") == 1);
  CHECK(Json(checked.body).text("/failures/0/eventId") == planted);
  CHECK(Json(checked.body).text("/failures/0/pointer") == "/summary");
  const Json refused =
      check_problem(client.post("/v1/schemas/FileModified", second_version(kOperations)), 409, "schema-incompatible");
  CHECK(refused.text("/failures/0/eventId") == planted);
  CHECK(lines() == before);

  const std::string mended = second_version(kOperations + kMendsEmptySubjects);
  CHECK(Json(client.post("/v1/schemas/FileModified/check", mended).body).number("/failed") == 0);
  const HttpResponse registered = client.post("/v1/schemas/FileModified", mended);
  REQUIRE_MESSAGE(registered.status == 201, registered.body);

  const std::vector<std::string> after = lines();
  REQUIRE(after.size() == before.size());
  std::vector<std::string> minified;
  for (std::size_t i = 0; i < after.size(); ++i) {
    const Json shown(after[i]);
    check_second_form(Json(before[i]), shown);
    minified.push_back(shown.minified());
  }
  CHECK(pages() == minified);
  CHECK(lines("&schemaVersion=stored") == before);
  CHECK(lines("&schemaVersion=1") == before);
  check_problem(client.get("/v1/events?eventType=FileModified&schemaVersion=3"), 400);

  for (const std::size_t i : {std::size_t{0}, std::size_t{12'345}, before.size() - 1}) {
    const Json stored(before[i]);
    const std::string target = "/v1/events/" + stored.text("/eventId");
    CHECK(get_json(client, target).minified() == minified[i]);
    CHECK(get_json(client, target + "?schemaVersion=stored").minified() == stored.minified());
    CHECK(Json(client.get(target + "/data").body).minified() == stored.at("/data").minified());
  }

  // Who appends the old form may do so still, and is shown the new one.
  const std::string old_form = R"({"commit":"0123456789012345678901234567890123456789","subject":"s","blob":"b"})";
  check_problem(client.post("/v1/events", event_json("late", "FileModified", old_form)), 422, "schema-violation");
  const Json late = append(client, event_json("late", "FileModified", old_form, R"(,"version":1)"));
  CHECK(get_json(client, "/v1/events/" + late.text("/eventId")).text("/data/summary") == "s");
}

TEST_CASE_FIXTURE(UpcastHistory, "UpcastRedisHistory.StatesFromSnapshotsAreThoseOfFullReplays") {
  const auto put =
      client.request("PUT", "/v1/handlers/SourceFile", kCountsForms, {{"Content-Type", "text/javascript"}});
  REQUIRE_MESSAGE(put.status == 201, put.body);
  const std::string file = "src/server.c";
  std::uint64_t added = 0, removed = 0, events = 0;
  for (const std::string& line : lines("&aggregateId=" + percent(file))) {
    const Json event(line);
    added += number_or_0(event, "/data/linesAdded");
    if (event.text("/eventId") != planted) removed += number_or_0(event, "/data/linesRemoved");
    ++events;
  }
  ++removed;  // of the planted one
  // In its first form no event has what the handler looks at.
  check_problem(client.post("/v1/events/replay/" + percent(file), "{}"), 422, "handler-failed");

  const auto check_state = [&](const std::string& form, std::uint64_t churn) {
    for (const bool use_snapshot : {false, true, true}) {
      CAPTURE(use_snapshot);
      const Json answer = replay(file, use_snapshot);
      CHECK(answer.number("/state/added") == added);
      CHECK(answer.number("/state/removed") == removed);
      CHECK(answer.number("/state/churn") == churn);
      CHECK(answer.number("/state/events") == events);
      CHECK(answer.number("/state/forms/" + form) == events);
      const HttpResponse taken = client.post("/v1/events/snapshot/" + percent(file), "");
      CHECK_MESSAGE(taken.status == 201, taken.body);
    }
    const Json last = replay(file, true);
    CHECK(last.number("/eventsApplied") == 0);
    CHECK(last.number("/state/added") == added);
  };
  const HttpResponse second =
      client.post("/v1/schemas/FileModified", second_version(kOperations + kMendsEmptySubjects));
  REQUIRE_MESSAGE(second.status == 201, second.body);
  check_state("2", 0);

  // A step by a script makes other states: none that was kept is taken for one of them.
  const HttpResponse third =
      client.post("/v1/schemas/FileModified",
                  R"({"schema":)" + kThirdSchema + R"(,"upcaster":{"from":2,"source":)" + json_text(kScript) + "}}");
  REQUIRE_MESSAGE(third.status == 201, third.body);
  check_state("3", added + removed);
  const Json first = get_json(client, "/v1/events?eventType=FileModified&limit=1").at("/events/0");
  CHECK(first.text("/data/file") == first.text("/aggregateId"));
  CHECK(first.number("/version") == 3);

  // A schema of a type that the aggregate has no events of changes nothing that is kept.
  REQUIRE(client.post("/v1/schemas/Elsewhere", R"({"schema":true})").status == 201);
  REQUIRE(client
              .post("/v1/schemas/Elsewhere", R"({"schema":true,"upcaster":{"from":1,"operations":[
      {"op":"remove","path":"/a"}]}})")
              .status == 201);
  CHECK(replay(file, true).number("/eventsApplied") == 0);
  api.kill_and_restart();
  client = api.client();
  CHECK(replay(file, true).number("/eventsApplied") == 0);
  CHECK(replay(file, false).number("/state/churn") == added + removed);
}

TEST_CASE("UpcastGitHub.AnOffenderAmongPayloadsIsFound") {
  const ProcessResult examples = run_client_script("octokit_verdicts");
  REQUIRE_MESSAGE(examples.exit_code == 0, examples.err);
  const std::vector<std::string> examples_lines = lines_of(examples.out);
  Api api;
  HttpClient client = api.client();
  const HttpResponse first = client.post("/v1/schemas/WebhookReceived", R"({"schema":)" + examples_lines.front() + "}");
  REQUIRE_MESSAGE(first.status == 201, first.body);

  // What Ajv takes is taken, and nothing else.
  std::vector<std::string> stored;
  int refused = 0;
  for (std::size_t i = 1; i < examples_lines.size(); ++i) {
    const Json example(examples_lines[i]);
    const std::string payload = example.at("/payload").minified();
    const HttpResponse answer = client.post("/v1/events", event_json("github", "WebhookReceived", payload));
    const bool valid = example.at("/valid").minified() == "true";
    CAPTURE(example.text("/name"));
    CHECK(answer.status == (valid ? 201 : 422));
    if (valid) stored.push_back(payload);
    if (!valid) ++refused;
  }
  CHECK(stored.size() == 276);
  CHECK(refused == 53);

  std::string offender;
  for (const std::string& payload : stored) {
    if (contains(payload, "\"sender\":{\"login\":\"Codertocat\"")) offender = payload;
  }
  REQUIRE(!offender.empty());
  const std::string login = "\"sender\":{\"login\":\"";
  offender.replace(offender.find(login) + login.size(), std::string("Codertocat").size(), "no-such-login");
  const std::string planted = append(client, event_json("github", "WebhookReceived", offender)).text("/eventId");

  const std::string second = R"({"schema":{"required":["payload"],"properties":{"payload":{"properties":{
      "actor":{"required":["login"],"properties":{"login":{"not":{"const":"no-such-login"}}}}},
      "not":{"required":["sender"]}}}},
      "upcaster":{"from":1,"operations":[{"op":"rename","path":"/sender","to":"actor"},
        {"op":"copy","from":"","path":"/payload"}]}})";
  const HttpResponse checked = client.post("/v1/schemas/WebhookReceived/check", second);
  REQUIRE_MESSAGE(checked.status == 200, checked.body);
  CHECK(Json(checked.body).number("/checked") == 277);
  CHECK(Json(checked.body).number("/failed") == 1);
  CHECK(Json(checked.body).text("/failures/0/eventId") == planted);
  const Json problem = check_problem(client.post("/v1/schemas/WebhookReceived", second), 409, "schema-incompatible");
  CHECK(problem.text("/failures/0/eventId") == planted);

  std::string mended = second;
  mended.replace(mended.find("no-such-login"), std::string("no-such-login").size(), "nobody");
  const HttpResponse registered = client.post("/v1/schemas/WebhookReceived", mended);
  REQUIRE_MESSAGE(registered.status == 201, registered.body);
  const std::vector<std::string> shown =
      lines_of(client.get("/v1/events?eventType=WebhookReceived", {{"Accept", "application/x-ndjson"}}).body);
  const std::vector<std::string> as_stored = lines_of(
      client.get("/v1/events?eventType=WebhookReceived&schemaVersion=stored", {{"Accept", "application/x-ndjson"}})
          .body);
  REQUIRE(shown.size() == 277);
  REQUIRE(as_stored.size() == 277);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    CHECK(Json(as_stored[i]).at("/data").minified() == stored[i]);
    const Json event(shown[i]);
    CHECK(event.number("/version") == 2);
    CHECK(event.has("/data/payload/actor") == Json(stored[i]).has("/sender"));
    CHECK(!event.has("/data/payload/sender"));
  }
}

TEST_CASE("UpcastScripts.ManyThatDoNotStopKeepNoOtherFromBeingRead") {
  Api api;
  HttpClient client = api.client();
  REQUIRE(client.post("/v1/schemas/Looped", R"({"schema":true})").status == 201);
  REQUIRE(client
              .post("/v1/schemas/Looped", R"({"schema":true,"upcaster":{"from":1,
      "source":"(data) => { while (data.loops); return {good: true}; }"}})")
              .status == 201);
  const std::string version = R"(,"version":1)";
  for (int i = 0; i < 5; ++i) append(client, event_json("a", "Looped", R"({"loops":true})", version));
  const std::string good = append(client, event_json("a", "Looped", "{}", version)).text("/eventId");
  const auto check_events = [&](const std::vector<Json>& events) {
    REQUIRE(events.size() == 6);
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(events[i].has("/upcastError"));
      CHECK(events[i].at("/data").minified() == R"({"loops":true})");
      CHECK(events[i].number("/version") == 1);
    }
    CHECK(events[5].text("/eventId") == good);
    CHECK(events[5].at("/data").minified() == R"({"good":true})");
  };
  check_events(get_json(client, "/v1/events?eventType=Looped").list("/events"));
  check_problem(
      client.get("/v1/events/" + get_json(client, "/v1/events?eventType=Looped&limit=1").text("/events/0/eventId")),
      422, "upcast-failed");
  // Whoever subscribes gets them as well: a batch that cannot be shown otherwise does not come again for ever.
  const HttpResponse made =
      client.post("/v1/events/subscribe", R"({"eventTypes":["Looped"],"from":"beginning","delivery":{"type":"pull"}})");
  REQUIRE_MESSAGE(made.status == 201, made.body);
  const std::string path = "/v1/subscriptions/" + Json(made.body).text("/subscriptionId");
  std::vector<Json> pulled;
  while (pulled.size() < 6) {
    const HttpResponse batch = client.post(path + "/pull", R"({"limit":6,"wait":"30s","lease":"1h"})");
    REQUIRE_MESSAGE(batch.status == 200, batch.body);
    for (const Json& each : Json(batch.body).list("/events")) pulled.push_back(each);
    if (pulled.empty()) FAIL(batch.body);
    if (pulled.size() < 6) {
      REQUIRE(client.post(path + "/ack", R"({"leaseId":")" + Json(batch.body).text("/leaseId") + "\"}").status < 300);
    }
  }
  check_events(pulled);
}

}  // namespace stele::tests

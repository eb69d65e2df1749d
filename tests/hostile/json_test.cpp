// Bodies made to cost much: each is answered, briefly, and nothing is stored.

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/hostile/target.h"
#include "tests/support/process_usage.h"

namespace stele::tests {
namespace {

constexpr std::size_t kMega = 1'000'000;

Target& shared_target() {
  static Target target;
  return target;
}

void check_body_refused(std::string_view body, int status, std::string_view slug,
                        std::string_view content_type = "application/json") {
  Target& target = shared_target();
  INFO("body: ", body.substr(0, 100));
  const std::uint64_t size = target.event_count();
  HttpClient client = target.api().client();
  const HttpResponse answer = client.post("/v1/events", body, std::string(content_type));
  target.check_answer(answer);
  check_problem(answer, status, slug);
  CHECK(answer.body.size() < 256 << 10);
  CHECK(target.event_count() == size);
}

}  // namespace

TEST_CASE("Json.DepthBombs") {
  for (const std::size_t depth : {2'000UL, kMega, 5 * kMega}) {
    check_body_refused(std::string(depth, '['), 400, "malformed-json");
    check_body_refused(std::string(depth, '[') + std::string(depth, ']'), 422, "invalid-event");
    check_body_refused(event_json("never", "T", std::string(depth, '[') + std::string(depth, ']')), 422,
                       "invalid-event");
    check_body_refused(repeated("{\"a\":", depth / 2), 400, "malformed-json");
    check_body_refused(repeated("[{\"a\":", depth / 3) + "1" + repeated("}]", depth / 3), 422, "invalid-event");
    check_body_refused(std::string(depth, '[') + "\n" + std::string(depth, '['), 400, "malformed-json",
                       "application/x-ndjson");
  }
}

TEST_CASE("Json.HugeNumbersAndStrings") {
  const std::string digits(2 * kMega, '9');
  for (const std::string& number : {digits, '-' + digits, "0." + digits, digits + ".5", "1e" + digits, "1e-" + digits,
                                    std::string("18446744073709551616"), std::string("-9223372036854775809"),
                                    std::string("1e309"), std::string("-1e999999999")}) {
    INFO("number: ", number.substr(0, 30));
    const std::uint64_t size = shared_target().event_count();
    HttpClient client = shared_target().api().client();
    const HttpResponse answer = client.post("/v1/events", event_json("never", "T", number));
    CHECK((answer.status == 422 || answer.status == 413));
    check_problem(answer, answer.status);
    CHECK(answer.body.size() < 10'000);
    CHECK(shared_target().event_count() == size);
  }
  const std::string text(15 * kMega, 's');
  check_body_refused(event_json("never", "T", '"' + text + '"'), 413, "event-too-large");
  check_body_refused(event_json(text), 422, "invalid-event");
  check_body_refused(event_json("never", text), 422, "invalid-event");
  check_body_refused('"' + text + '"', 422, "invalid-event");
  check_body_refused('"' + text, 400, "malformed-json");
  check_body_refused(event_json("never", "T", '"' + repeated("\\u0041", 2 * kMega) + '"'), 413, "event-too-large");
}

TEST_CASE("Json.LongNamesAreNotEchoedAsAWhole") {
  const std::string name(10 * kMega, 'n');
  check_body_refused("{\"" + name + "\":1}", 422, "invalid-event");
  check_body_refused(event_json("never", "T", "1", ",\"" + name + "\":1"), 422, "invalid-event");
  // Faulty values deep inside: each error names its place.
  check_body_refused("{\"" + name + "\":[" + repeated("1e999,", 1'000) + "1]}", 422, "invalid-event");
  check_body_refused("{\"events\":[],\"condition\":{\"" + name + "\":1}}", 422, "invalid-event");
  std::string list = "[";
  for (int i = 0; i < 1'000; ++i) list += (i > 0 ? ",{\"" : "{\"") + std::string(10'000, 'n') + "\":1}";
  check_body_refused(list + "]", 422, "invalid-event");
  const std::string accents = repeated("\xc3\xa9", 100);
  check_body_refused("{\"a" + accents + "\":1}", 422, "invalid-event");  // cut between two characters
  check_body_refused("{\"" + accents + "\":1}", 422, "invalid-event");
}

TEST_CASE("Json.NothingButWhiteSpace") {
  const std::string space(16'000'000, ' ');
  check_body_refused(space, 400, "malformed-json");
  check_body_refused(space, 422, "invalid-event", "application/x-ndjson");
  check_body_refused(std::string(16'000'000, '\n'), 422, "invalid-event", "application/x-ndjson");
  check_body_refused(std::string(16'000'000, '\n'), 400, "malformed-json");
  check_body_refused(std::string(16'000'000, '\0'), 400, "malformed-json");
  HttpClient client = shared_target().api().client();
  CHECK(client.post("/v1/events", space + event_json(fresh("space"))).status == 201);
  CHECK(client.post("/v1/events", event_json(fresh("space"), "T", '[' + std::string(500'000, ' ') + ']')).status ==
        201);
}

TEST_CASE("Json.ManyMembersAndManyFaults") {
  check_body_refused("{" + repeated("\"a\":1,", 2 * kMega) + "\"a\":1}", 422, "invalid-event");
  check_body_refused("{" + repeated("\"eventType\":1,", kMega) + "\"a\":1}", 422, "invalid-event");
  check_body_refused("{\"events\":" + repeated("[],\"events\":", kMega) + "[]}", 422, "invalid-event");
  check_body_refused("[" + repeated("1,", 9'999) + "1]", 422, "invalid-event");
  check_body_refused("[" + repeated("1e999,", 2 * kMega) + "1]", 422, "invalid-event");
  check_body_refused(repeated("{\"a\":1e999}\n", 9'000), 422, "invalid-event", "application/x-ndjson");
}

TEST_CASE("Json.NoMoreEventsThanAllowed") {
  const auto list_of = [](std::size_t count, const std::string& id, std::string_view between) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) list += between;
      list += event_json(id, "T", "1");
    }
    return list;
  };
  check_body_refused('[' + list_of(10'001, "never", ",") + ']', 413, "payload-too-large");
  check_body_refused("{\"events\":[" + list_of(10'001, "never", ",") + "]}", 413, "payload-too-large");
  check_body_refused(list_of(10'001, "never", "\n"), 413, "payload-too-large", "application/x-ndjson");
  check_body_refused('[' + list_of(100'000, "never", ",") + ']', 413, "payload-too-large");
  HttpClient client = shared_target().api().client();
  const std::string tiny = fresh("tiny");
  CHECK(append(client, '[' + list_of(10'000, tiny, ",") + ']').list("/events").size() == 10'000);
  CHECK(get_json(client, "/v1/aggregates/" + tiny).number("/count") == 10'000);
}

TEST_CASE("Json.ManyIdsOfOneMakeAreServedLikeOthers") {
  // Nobody can know which ids meet in a table whose hash is keyed anew in each process. These have what simple hashes
  // stumble over: they differ in a few bits only, at the beginning, at the end, or by swapped parts, and UUIDs count
  // upwards.
  HttpClient client = shared_target().api().client();
  const std::string filler(200, 'z');
  for (int form = 0; form < 3; ++form) {
    std::string list = "[";
    for (int i = 0; i < 10'000; ++i) {
      std::string number = std::to_string(100'000 + i);
      const std::string id = form == 0 ? number + filler : form == 1 ? filler + number : number + filler + number;
      list += (i > 0 ? "," : "") +
              event_json(id, "T", "1",
                         ",\"eventId\":\"00000000-0000-7000-8000-00000" + std::to_string(form) + number + "\"");
    }
    append(client, list + ']');
  }
  for (const std::string& id : {"100000" + filler, filler + "105000", "109999" + filler + "109999"}) {
    CHECK(get_json(client, "/v1/aggregates/" + id).number("/sequenceNumber") == 1);
  }
  CHECK(get_json(client, "/v1/events/00000000-0000-7000-8000-000001104321").text("/aggregateId") == filler + "104321");
  shared_target().check_serves();
}

TEST_CASE("Json.ConditionsOfManyParts") {
  const auto aggregates = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) {
      list +=
          (i > 0 ? "," : "") + std::string(R"({"aggregateId":"a)") + std::to_string(i) + R"(","lastSequenceNumber":1})";
    }
    return "{\"aggregates\":[" + list + "]}}";
  };
  const auto matches = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) {
      list += std::string(i > 0 ? "," : "") + R"({"eventTypes":["None"],"userIds":["u)" + std::to_string(i) + R"("]})";
    }
    return "{\"failIfEventsMatch\":[" + list + "]}}";
  };
  const std::string events = "{\"events\":[" + event_json("never") + "],\"condition\":";
  HttpClient client = shared_target().api().client();
  const HttpResponse broken = client.post("/v1/events", events + aggregates(1'000));
  shared_target().check_answer(broken);
  check_problem(broken, 409, "condition-failed");
  CHECK(client.post("/v1/events", events + matches(500)).status == 201);
  check_body_refused(events + aggregates(1'001), 422, "invalid-event");
  check_body_refused(events + aggregates(20'000), 422, "invalid-event");
  check_body_refused(events + matches(501), 422, "invalid-event");
  check_body_refused(events + matches(20'000), 422, "invalid-event");
  check_body_refused(events + "{\"failIfEventsMatch\":[{}" + repeated(",{}", 100'000) + "]}}", 422, "invalid-event");
  shared_target().check_serves();
}

}  // namespace stele::tests

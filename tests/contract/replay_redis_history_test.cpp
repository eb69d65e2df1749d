// Real input, folded: what the server says the state of a file was is what a program that shares no code with it
// computes from the sample (tests/independent/source_file_state.py).

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/build_paths.h"

namespace stele::tests {

namespace {

const std::string kSample = source_path("tests/data/redis-history.ndjson.zst");
const std::string kHandler = source_path("tests/data/source_file_handler.js");
const std::string kIndependent = source_path("tests/independent/source_file_state.py");

/// One line of Python's for each moment.
std::vector<Json> independent_states(const std::string& aggregate, const std::vector<std::string>& moments) {
  std::vector<std::string> arguments{"/usr/bin/python3", kIndependent, kSample, aggregate};
  arguments.insert(arguments.end(), moments.begin(), moments.end());
  const ProcessResult result = run_process(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  std::vector<Json> states;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) states.emplace_back(line);
  REQUIRE(states.size() == moments.size());
  return states;
}

/// The server with the whole sample, and the handler if `handler`.
struct History {
  Api api{{"--snapshot-every", "100"}};
  HttpClient client = api.client();

  History() {
    const ProcessResult imported = run_stele({"import", kSample, "--quiet"}, {}, {{"STELE_URL", api.server().url()}});
    REQUIRE_MESSAGE(imported.exit_code == 0, imported.err);
    std::ifstream file(kHandler);
    const std::string source{std::istreambuf_iterator<char>(file), {}};
    const HttpResponse put =
        client.request("PUT", "/v1/handlers/SourceFile", source, {{"Content-Type", "text/javascript"}});
    REQUIRE_MESSAGE(put.status == 201, put.body);
  }

  /// `end` is a member: `"toSequence":3`.
  Json replay(const std::string& aggregate, const std::string& end, bool use_snapshot = true) {
    const std::string body = "{" + end + (use_snapshot ? "" : R"(,"useSnapshot":false)") + "}";
    const HttpResponse answer = client.post("/v1/events/replay/" + percent(aggregate), body);
    REQUIRE_MESSAGE(answer.status == 200, answer.body);
    return Json(answer.body);
  }
};

void check_same(const Json& answer, const Json& wanted) {
  CHECK(answer.at("/state").minified() == wanted.at("/state").minified());
  CHECK(answer.number("/sequenceNumber") == wanted.number("/sequenceNumber"));
}

}  // namespace

TEST_CASE("ReplayRedisHistory.EveryMomentIsAsComputedElsewhere") {
  History history;
  const std::string file = "src/server.c";

  const std::vector<std::string> numbers = {"0", "1", "2", "99", "100", "101", "450", "500", "898", "899"};
  const std::vector<Json> at_numbers = independent_states(file, numbers);
  // Without snapshots, then from them: one is taken, and others follow by the policy as events come.
  for (const bool use_snapshot : {false, true}) {
    CAPTURE(use_snapshot);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      CAPTURE(numbers[i]);
      const Json answer = history.replay(file, "\"toSequence\":" + numbers[i], use_snapshot);
      check_same(answer, at_numbers[i]);
      if (!use_snapshot) {
        CHECK(answer.is_null("/snapshot"));
        CHECK(answer.number("/eventsApplied") == at_numbers[i].number("/eventsApplied"));
      }
    }
    const HttpResponse taken = history.client.post("/v1/events/snapshot/" + percent(file), "");
    CHECK_MESSAGE(taken.status == 201, taken.body);
  }
  const Json newest = history.replay(file, "\"toSequence\":899");
  CHECK(newest.number("/snapshot/sequenceNumber") == 899);
  CHECK(newest.number("/eventsApplied") == 0);

  const std::vector<std::string> moments = {
      "2015-07-26T13:14:56Z",        "2015-07-26T13:14:57Z", "2015-07-26T15:17:43+02:00", "2016-02-29T23:59:59Z",
      "2019-12-31T23:59:59.999999Z", "2023-05-05T05:05:05Z", "2024-12-31T00:00:00Z"};
  const std::vector<Json> at_moments = independent_states(file, moments);
  for (std::size_t i = 0; i < moments.size(); ++i) {
    CAPTURE(moments[i]);
    const Json answer = history.replay(file, "\"toOccurredAt\":\"" + moments[i] + "\"");
    check_same(answer, at_moments[i]);
    CHECK(answer.is_null("/snapshot"));
  }
  // The moments are not those of the order in which the events lie: somewhere a late one counts.
  CHECK(at_moments[3].number("/eventsApplied") < 899);

  // Stored times: all events of that very time count, so the number is that of the last of them.
  const std::vector<Json> events =
      get_json(history.client, "/v1/events?limit=1000&aggregateId=" + percent(file)).list("/events");
  REQUIRE(events.size() == 899);
  for (const std::size_t index : {std::size_t{0}, std::size_t{333}, std::size_t{898}}) {
    const std::string time = events[index].text("/timestamp");
    std::size_t last = index;
    while (last + 1 < events.size() && events[last + 1].text("/timestamp") == time) ++last;
    CAPTURE(time);
    check_same(history.replay(file, "\"toTimestamp\":\"" + time + "\""),
               independent_states(file, {std::to_string(last + 1)})[0]);
  }
}

TEST_CASE("ReplayRedisHistory.WithoutTheServerTheStatesAreTheSame") {
  History history;
  const std::string file = "src/server.c";
  const auto check = [&](const std::string& flag, const std::string& moment) {
    CAPTURE(moment);
    const ProcessResult replayed = run_stele({"replay", file, "--data", history.api.data(), "--json", flag, moment});
    REQUIRE_MESSAGE(replayed.exit_code == 0, replayed.err);
    check_same(Json(replayed.out), independent_states(file, {moment})[0]);
  };
  // Beside the running server, and when it has stopped.
  for (const bool running : {true, false}) {
    CAPTURE(running);
    if (!running) REQUIRE(history.api.server().stop() == 0);
    check("--to-sequence", "1");
    check("--to-sequence", "450");
    check("--to-sequence", "899");
    check("--to-occurred", "2019-12-31T23:59:59.999999Z");
  }
}

TEST_CASE("ReplayRedisHistory.FilesThatCameAndWentToo") {
  History history;
  // Renamed, deleted and added again, binary: whatever the sample has of each.
  for (const std::string file : {"client-libraries/README", "doc/CommandReference.html", "doc/redis.png",
                                 "client-libraries/lua/.LICENSE.swp", "src/cluster.c"}) {
    CAPTURE(file);
    const Json head = get_json(history.client, "/v1/aggregates/" + percent(file));
    const std::string last = std::to_string(head.number("/sequenceNumber"));
    check_same(history.replay(file, "\"toSequence\":" + last), independent_states(file, {last})[0]);
  }
}

}  // namespace stele::tests

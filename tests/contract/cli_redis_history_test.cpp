// Real input: the whole sample goes in, comes back complete and byte for byte, and goes in only once, also across a
// kill -9.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <map>
#include <string>
#include <vector>

#include "api/http/percent.h"
#include "api/json/json_text.h"
#include "tests/support/build_paths.h"
#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"
#include "tools/client/line_reader.h"

namespace stele::tests {

namespace {

const std::string kSample = source_path("tests/data/redis-history.ndjson.zst");
constexpr std::size_t kEvents = 28'069;
constexpr std::size_t kAggregates = 2'566;

using Members = std::map<std::string, std::string, std::less<>>;

/// The members of a JSON object, each value with the bytes it stands there with.
Members members_of(const std::string& json) {
  simdjson::dom::parser parser;
  const simdjson::dom::object object = parser.parse(json).get_object();
  api::JsonCursor cursor(json);
  cursor.enter();
  Members members;
  for (const auto field : object) {
    REQUIRE(cursor.next_member());
    members.emplace(field.key, cursor.value().text);
  }
  return members;
}

struct Sample {
  std::vector<std::string> lines;
  std::map<std::string, std::vector<std::size_t>> of_aggregate;  ///< by its id as JSON text: numbers of lines, in order
};

const Sample& sample() {
  static const Sample loaded = [] {
    Sample result;
    auto reader = tools::LineReader::open(kSample, 1U << 20);
    REQUIRE(reader.has_value());
    tools::Line line;
    for (auto more = (*reader)->next(line); more.has_value() && *more; more = (*reader)->next(line)) {
      result.of_aggregate[members_of(line.text).find("aggregateId")->second].push_back(result.lines.size());
      result.lines.push_back(line.text);
    }
    return result;
  }();
  return loaded;
}

std::string text_of(const std::string& json_string) {
  simdjson::dom::parser parser;
  return std::string(std::string_view(parser.parse(json_string)));
}

/// Everything the sample says must be what the server says, aggregate by aggregate, in order.
void check_every_aggregate(int port) {
  HttpClient client(port);
  std::size_t events = 0;
  for (const auto& [id, numbers] : sample().of_aggregate) {
    CAPTURE(id);
    std::string target = "/v1/events?aggregateId=";
    api::append_percent_encoded(target, text_of(id));
    const auto response = client.get(target, {{"Accept", "application/x-ndjson"}});
    REQUIRE(response.status == 200);
    std::size_t at = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const auto end = response.body.find('\n', at);
      REQUIRE(end != std::string::npos);
      Members got = members_of(response.body.substr(at, end - at));
      at = end + 1;
      REQUIRE(got["sequenceNumber"] == std::to_string(i + 1));
      for (const auto& [name, value] : members_of(sample().lines[numbers[i]])) {
        if (name == "occurredAt") continue;  // given back in UTC
        if (got[name] != value) FAIL(name << " of event " << i + 1 << " is " << got[name] << " and not " << value);
      }
      ++events;
    }
    REQUIRE(at == response.body.size());
  }
  CHECK(events == kEvents);
}

}  // namespace

TEST_CASE("RedisHistory.ImportsCompletelyAndOnlyOnce") {
  REQUIRE(sample().lines.size() == kEvents);
  REQUIRE(sample().of_aggregate.size() == kAggregates);
  const test::TempFolder folder;
  ServerProcess::Options options{folder.path(), {"--segment-size", "4MiB"}, {}, 0};
  auto server = ServerProcess::start(options);
  const auto first = run_stele({"import", kSample, "--url", server.url()});
  CAPTURE(first.err);
  REQUIRE(first.exit_code == 0);
  CHECK(contains(first.err, "28,069 stored, 0 already there, 0 bad"));
  const auto second = run_stele({"import", kSample, "--url", server.url()});
  CHECK(second.exit_code == 0);
  CHECK(contains(second.err, "0 stored, 28,069 already there, 0 bad"));
  check_every_aggregate(server.port());
  CHECK(server.stop() == 0);
  server = ServerProcess::start(options);
  check_every_aggregate(server.port());
}

TEST_CASE("RedisHistory.KillInTheMiddleOfAnImportLosesAndRepeatsNothing") {
  const test::TempFolder folder;
  ServerProcess::Options options{folder.path(), {"--segment-size", "4MiB"}, {}, 0};
  auto server = ServerProcess::start(options);
  auto importer = ChildProcess::start({stele_binary(), "import", "-", "--url", server.url()}, {}, true);
  std::string half;
  for (std::size_t i = 0; i < kEvents / 2; ++i) half += sample().lines[i] + "\n";
  std::string rest;
  for (std::size_t i = kEvents / 2; i < kEvents; ++i) rest += sample().lines[i] + "\n";
  REQUIRE(importer->write_stdin(
      half));  // returns when all but a pipe's content has been read, so the import is well under way
  server.kill();
  options.port = server.port();
  server = ServerProcess::start(options);
  REQUIRE(importer->write_stdin(rest));
  importer->close_stdin();
  const int code = importer->wait(std::chrono::seconds{120});
  CAPTURE(importer->err());
  REQUIRE(code == 0);
  const auto again = run_stele({"import", kSample, "--url", server.url()});
  CHECK(again.exit_code == 0);
  CHECK(contains(again.err, "0 stored, 28,069 already there, 0 bad"));
  check_every_aggregate(server.port());
}

}  // namespace stele::tests

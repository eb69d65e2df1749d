// A segment or an index run that is cut off while the server has it mapped: reading what is gone is an answer, not a
// signal.

#include <doctest/doctest.h>

#include <filesystem>
#include <random>
#include <set>

#include "engine/base/uuid.h"
#include "tests/support/eventually.h"
#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

using namespace stele::tests;

namespace {

constexpr std::size_t kEvents = 60;
constexpr std::uintmax_t kSystemPageBytes = 4096;

void check_is_storage_error(const HttpResponse& answer) {
  INFO("answer: ", answer.status, " ", answer.body, answer.error);
  CHECK(answer.status == 500);
  CHECK(answer.header("Content-Type") == "application/problem+json");
  CHECK(contains(answer.body, "/problems/storage-error"));
}

}  // namespace

TEST_CASE("ShrunkSegment.ReadsOfItFailAndTheRestGoesOn") {
  const TempFolder folder;
  ServerProcess server = ServerProcess::start({.data = folder.path(), .arguments = {"--segment-size", "64KiB"}});
  HttpClient http(server.port());
  std::vector<std::string> ids;
  const auto append = [&](const std::string& aggregate) {
    const std::string id = stele::to_string(stele::make_uuid_v7(stele::system_clock()));
    ids.push_back(id);
    return http
        .post("/v1/events", R"({"eventId":")" + id + R"(","eventType":"Kept","aggregateId":")" + aggregate +
                                R"(","data":")" + std::string(5000, 'k') + "\"}")
        .status;
  };
  for (std::size_t i = 0; i < kEvents; ++i) REQUIRE(append("a/" + std::to_string(i / 10)) == 201);
  const std::string second = folder.file("log/0000000000000002.seg");
  REQUIRE(std::filesystem::exists(folder.file("log/0000000000000004.seg")));
  REQUIRE(contains(http.get("/readyz").body, R"("warnings":[])"));
  std::vector<std::string> before;
  for (const std::string& id : ids) before.push_back(http.get("/v1/events/" + id).body);

  // Some of its records stay within the file, their table of offsets does not; then hardly anything does.
  std::set<std::string> gone;
  for (const std::uintmax_t left : {5 * kSystemPageBytes, kSystemPageBytes}) {
    CAPTURE(left);
    std::filesystem::resize_file(second, left);
    gone.clear();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const HttpResponse one = http.get("/v1/events/" + ids[i]);
      if (one.status == 200) {
        CHECK(one.body == before[i]);
        continue;
      }
      check_is_storage_error(one);
      check_is_storage_error(http.get("/v1/events/" + ids[i] + "/data"));
      gone.insert(ids[i]);
    }
    // Those of one segment, in one piece, and no others.
    CHECK(gone.size() > 5);
    CHECK(gone.size() < 20);
    CHECK_FALSE(gone.contains(ids.front()));
    CHECK_FALSE(gone.contains(ids.back()));
  }

  // A page that runs into it is refused as a whole; a stream is refused or, when it has begun by then, breaks off.
  check_is_storage_error(http.get("/v1/events?limit=1000"));
  HttpClient streaming(server.port());
  const HttpResponse stream = streaming.get("/v1/events", {{"Accept", "application/x-ndjson"}});
  CHECK_MESSAGE((stream.status == 500 || stream.status == 0), "it looks complete: ", stream.body.size(), " bytes");
  if (stream.status == 500) CHECK(stream.header("Content-Type") == "application/problem+json");

  // Everything else goes on, and the damage is told.
  CHECK(http.get("/v1/events?order=desc&limit=20").status == 200);
  for (std::size_t i = 0; i < kEvents; ++i) CHECK(append("b/" + std::to_string(i / 10)) == 201);
  CHECK(http.get("/v1/events/" + ids.back()).status == 200);
  const HttpResponse ready = http.get("/readyz");
  CHECK(ready.status == 200);
  CHECK_MESSAGE(contains(ready.body, "segment 2 is damaged"), ready.body);
  CHECK(server.stop() == 0);

  // Acknowledged records are gone, so the folder does not open as if nothing had happened.
  const ProcessResult again = run_stele({"serve", "--data", folder.path(), "--listen", "127.0.0.1:0"});
  CHECK(again.exit_code == 1);
  CHECK_MESSAGE(contains(again.err, "corrupt"), again.err);
}

TEST_CASE("ShrunkRun.IsMadeAgainFromTheLog") {
  const TempFolder folder;
  ServerProcess server = ServerProcess::start(
      {.data = folder.path(), .arguments = {"--index-run-records", "8", "--compaction-rate", "1MiB"}});
  HttpClient http(server.port());
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < kEvents; ++i) {
    ids.push_back(stele::to_string(stele::make_uuid_v7(stele::system_clock())));
    REQUIRE(http.post("/v1/events", R"({"eventId":")" + ids.back() + R"(","eventType":"Kept","aggregateId":"a/)" +
                                        std::to_string(i % 7) + R"(","data":1})")
                .status == 201);
  }
  const auto runs = [&] {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder.file("index"))) {
      if (entry.path().extension() == ".run") found.push_back(entry.path());
    }
    return found;
  };
  // Seven parts are written; four of them become one.
  wait_until([&] { return contains(http.get("/readyz").body, R"("indexRuns":4)"); });
  for (const auto& run : runs()) {
    std::error_code gone_already;
    std::filesystem::resize_file(run, kSystemPageBytes, gone_already);
  }
  // Until a run is made again its events are not found to be missing: that would let them be stored twice.
  const auto answers = [&] {
    bool all = true;
    for (const std::string& id : ids) {
      const HttpResponse one = http.get("/v1/events/" + id);
      if (one.status != 200) check_is_storage_error(one);
      all = all && one.status == 200;
      const HttpResponse repeat =
          http.post("/v1/events", R"({"eventId":")" + id + R"(","eventType":"Other","aggregateId":"other","data":1})");
      CHECK_MESSAGE((repeat.status == 409 || repeat.status == 500), repeat.status, " ", repeat.body);
      all = all && repeat.status == 409;
    }
    return all;
  };
  wait_until(answers);
  wait_until([&] { return contains(http.get("/readyz").body, R"("warnings":[])"); });
  CHECK(server.stop() == 0);
}

// A disk that becomes full under the real binary, and has room again.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "engine/base/uuid.h"
#include "tests/support/eventually.h"
#include "tests/support/ledger.h"
#include "tests/support/loop_disk.h"
#include "tests/support/server_process.h"
#include "tests/support/text.h"

using namespace stele::tests;

namespace {

constexpr std::uint64_t kSmallDiskBytes = 64ULL << 20;
constexpr std::uint64_t kRoomBytes = 8ULL << 20;  ///< for the log before the disk is full

/// Takes all blocks but `room` bytes.
void make_ballast(const std::string& disk, std::uint64_t room) {
  const std::uint64_t bytes = std::filesystem::space(disk).available - room;
  const int fd = ::open((disk + "/ballast").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  REQUIRE(fd >= 0);
  REQUIRE(::posix_fallocate(fd, 0, static_cast<off_t>(bytes)) == 0);
  REQUIRE(::fsync(fd) == 0);
  ::close(fd);
}

/// An event, or a list, too large for what is left of a segment that could not be continued.
SentCommit large_commit(std::size_t events) {
  SentCommit commit;
  commit.is_list = events > 1;
  for (std::size_t i = 0; i < events; ++i) {
    SentEvent event{.id = stele::to_string(stele::make_uuid_v7(stele::system_clock())),
                    .aggregate = "large/" + std::to_string(i),
                    .data = '"' + std::string(30'000, 'x') + '"'};
    commit.body += (i == 0 ? "" : ",") + (R"({"eventId":")" + event.id + R"(","eventType":"Large","aggregateId":")" +
                                          event.aggregate + R"(","data":)" + event.data + "}");
    commit.events.push_back(std::move(event));
  }
  if (commit.is_list) commit.body = "[" + commit.body + "]";
  return commit;
}

}  // namespace

TEST_CASE("FullDisk.RefusesAppendsServesReadsAndHealsItself") {
  const LoopDisk disk(kSmallDiskBytes);
  ServerProcess server = ServerProcess::start(
      {.data = disk.path() + "/data", .arguments = {"--segment-size", "1MiB", "--index-run-records", "64"}});
  make_ballast(disk.path(), kRoomBytes);
  std::mt19937_64 random(1);
  const LoadOptions options{.aggregates = 20, .data_bytes_max = 20'000};
  Ledger ledger;
  HttpClient http(server.port());

  HttpResponse answer;
  const auto append_until = [&](int status, const auto& make) {
    for (int i = 0; i < 5000 && answer.status != status; ++i) answer = ledger.send(http, make());
  };
  append_until(507, [&] { return make_commit(random, options); });
  INFO("answer: ", answer.status, " ", answer.body, answer.error);
  REQUIRE(answer.status == 507);
  CHECK(answer.header("Content-Type") == "application/problem+json");
  CHECK(contains(answer.body, "/problems/disk-full"));

  // What the last segment has room for is still taken; then every append is refused, single or list, and nothing of
  // it is stored.
  answer = {};
  append_until(507, [&] { return large_commit(1); });
  REQUIRE(answer.status == 507);
  const std::uint64_t before = ledger.acknowledged();
  CHECK(before > 100);
  for (std::size_t i = 0; i < 50; ++i) CHECK(ledger.send(http, large_commit(1 + i % 4)).status == 507);
  const HttpResponse not_ready = http.get("/readyz");
  CHECK(not_ready.status == 503);
  CHECK(contains(not_ready.body, "/problems/not-ready"));
  CHECK(contains(not_ready.body, "No space left on device"));
  CHECK(http.get("/healthz").status == 200);

  // Reads go on: all that was acknowledged, and nothing of what was refused.
  const Comparison full = ledger.compare(server.port());
  CHECK_MESSAGE(full.errors.empty(), full.text());
  CHECK(ledger.acknowledged() == before);

  // Room again: no restart.
  std::filesystem::remove(disk.path() + "/ballast");
  // It notices by itself, for a load balancer may send nothing until it does.
  CHECK(eventually([&] { return http.get("/readyz").status == 200; }));
  // ext4 may free the blocks of a removed file a moment later.
  REQUIRE(eventually([&] {
    answer = ledger.send(http, large_commit(1));
    return answer.status != 507;
  }));
  REQUIRE(answer.status == 201);
  for (int i = 0; i < 300; ++i) CHECK(ledger.send(http, make_commit(random, options)).status <= 409);

  std::uint64_t lost = 0;
  const auto verify = [&](int port) {
    for (const Comparison& found : {ledger.compare(port), ledger.settle(port)}) {
      lost += found.lost;
      CHECK_MESSAGE(found.errors.empty(), found.text());
    }
  };
  verify(server.port());
  CHECK(server.stop() == 0);
  server = ServerProcess::start({.data = disk.path() + "/data"});
  verify(server.port());
  MESSAGE(before << " events acknowledged until the disk was full, " << ledger.acknowledged() << " in all, "
                 << ledger.refused() << " commits refused, " << lost << " lost");
}

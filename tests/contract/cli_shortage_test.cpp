// A server for which the system has no thread any more, or no room for its stack: what needs one is refused, a start
// ends, and nothing waits for a thread that is not there.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/support/build_paths.h"
#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {
namespace {

/// Less than any stack takes, and enough for a request.
constexpr std::uint64_t kNoRoomForAStack = 1'000'000;

void let_address_space_grow(pid_t pid, std::uint64_t bytes) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::uint64_t now = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmSize:")) now = std::stoull(line.substr(7)) * 1024;
  }
  REQUIRE(now > 0);
  const rlimit limit{now + bytes, RLIM_INFINITY};
  REQUIRE(::prlimit(pid, RLIMIT_AS, &limit, nullptr) == 0);
}

void lift_limit(pid_t pid) {
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  REQUIRE(::prlimit(pid, RLIMIT_AS, &none, nullptr) == 0);
}

constexpr std::string_view kSubscription = R"({"eventTypes":["T"],"delivery":{"type":"pull"}})";

}  // namespace

TEST_CASE("Shortage.WithoutAThreadForItASubscriptionIsRefusedAndTheServerGoesOn") {
  const test::TempFolder folder;
  ServerProcess server = ServerProcess::start({.data = folder.path()});
  HttpClient client(server.port());
  REQUIRE(client.post("/v1/events", R"({"eventType":"T","aggregateId":"a","data":{}})").status == 201);

  let_address_space_grow(server.pid(), kNoRoomForAStack);
  for (int i = 0; i < 3; ++i) {
    const HttpResponse refused = client.post("/v1/events/subscribe", kSubscription);
    CHECK_MESSAGE(refused.status == 503, refused.body, refused.error);
    CHECK(client.get("/healthz").status == 200);
    CHECK(client.get("/readyz").status == 200);
  }
  lift_limit(server.pid());
  CHECK(client.post("/v1/events/subscribe", kSubscription).status == 201);
  client.close();
  CHECK(server.stop() == 0);
}

TEST_CASE("Shortage.WithoutAThreadWhatNeedsTheFirstOfAKindIsAnswered503") {
  const test::TempFolder folder;
  ServerProcess server = ServerProcess::start({.data = folder.path()});
  HttpClient client(server.port());
  REQUIRE(client.post("/v1/events", R"({"eventType":"T","aggregateId":"a","data":{}})").status == 201);

  let_address_space_grow(server.pid(), kNoRoomForAStack);
  for (const HttpResponse& refused : {client.post("/v1/events/replay/a", "{}"), client.get("/v1/aggregates/a/state"),
                                      client.get("/v1/events/stream")}) {
    CHECK_MESSAGE(refused.status == 503, refused.body, refused.error);
  }
  lift_limit(server.pid());
  CHECK(client.post("/v1/events/replay/a", "{}").status == 200);
  client.close();
  CHECK(server.stop() == 0);
}

TEST_CASE("Shortage.HoweverLittleAddressSpaceThereIsAStartEnds") {
  int served = 0, failed = 0;
  for (int kib = 100'000; served < 3 && kib < 1'000'000; kib += 10'000) {
    CAPTURE(kib);
    const test::TempFolder folder;
    // As on a machine of a certain size, so that the limits lie where threads are started.
    const auto process =
        ChildProcess::start({"/bin/sh", "-c", R"(ulimit -c 0; ulimit -s 8192; ulimit -v "$0"; exec "$@")",
                             std::to_string(kib), stele_binary(), "serve", "--data", folder.path(), "--listen",
                             "127.0.0.1:0", "--segment-size", "1MiB", "--io-threads", "2", "--read-threads", "4"},
                            {{"MALLOC_CONF", "narenas:8"}});
    const bool listens = !process->wait_for_stderr("listening on ").empty();
    if (listens) process->signal(SIGTERM);
    const int code = process->wait();
    CHECK_MESSAGE(code == (listens ? 0 : 1), process->err());
    if (!listens) CHECK(!process->err().empty());
    ++(listens ? served : failed);
  }
  CHECK(served == 3);
  CHECK(failed > 0);
}

}  // namespace stele::tests

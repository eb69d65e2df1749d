// Writes that the kernel cuts short under the real binary: the limit of the file size (RLIMIT_FSIZE) is put somewhere
// into the active segment while the server runs, so that the write across it stores a part and the next one gives
// EFBIG. STELE_SHORT_WRITES sets how often, STELE_SHORT_WRITE_SEED where.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <random>

#include "tests/support/build_paths.h"
#include "tests/support/environment.h"
#include "tests/support/ledger.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

using namespace stele::tests;
using stele::test::number_from;

namespace {

constexpr std::uint64_t kSegmentBytes = 64 << 10;
constexpr std::uint64_t kHeaderBytes = 4096;

/// A server that gets EFBIG where a process is usually killed by SIGXFSZ: a signal that is ignored stays so over exec.
std::unique_ptr<ChildProcess> start_ignoring_the_signal(const std::string& folder) {
  return ChildProcess::start({"/bin/sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh", stele_binary(), "serve", "--data",
                              folder, "--listen", "127.0.0.1:0", "--segment-size", std::to_string(kSegmentBytes)});
}

int port_of(ChildProcess& server) {
  static constexpr std::string_view listening = "listening on http://127.0.0.1:";
  const std::string line = server.wait_for_stderr(listening);
  REQUIRE_MESSAGE(!line.empty(), server.err());
  return std::atoi(line.c_str() + listening.size());
}

}  // namespace

TEST_CASE("ShortWrites.AreRefusedAndCutOff") {
  const std::uint64_t trials = number_from("STELE_SHORT_WRITES", 30);
  const std::uint64_t seed = number_from("STELE_SHORT_WRITE_SEED", std::random_device{}());
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  std::uint64_t acknowledged = 0, lost = 0, unknown = 0, cut = 0;
  for (std::uint64_t trial = 0; trial < trials; ++trial) {
    CAPTURE(trial);
    const TempFolder folder;
    Ledger ledger;
    const LoadOptions load{.aggregates = 5, .data_bytes_max = 3000};
    {
      const auto server = start_ignoring_the_signal(folder.path());
      HttpClient http(port_of(*server));
      const std::uint64_t place = kHeaderBytes + 500 + random() % (kSegmentBytes / 2 - kHeaderBytes);
      const rlimit limit{.rlim_cur = place, .rlim_max = place};
      REQUIRE(::prlimit(server->pid(), RLIMIT_FSIZE, &limit, nullptr) == 0);
      HttpResponse answer;
      for (int i = 0; i < 200 && answer.status < 500; ++i) {
        answer = ledger.send(http, make_commit(random, load));
        REQUIRE(answer.status != 0);
      }
      CHECK(answer.status == 503);
      CHECK(answer.body.find("/problems/outcome-unknown") != std::string::npos);
      ++unknown;
      answer = ledger.send(http, make_commit(random, load));
      CHECK(answer.status == 503);
      CHECK(answer.body.find("/problems/unavailable") != std::string::npos);
      const HttpResponse ready = http.get("/readyz");
      CHECK(ready.status == 503);
      CHECK_MESSAGE(ready.body.find("File too large") != std::string::npos, ready.body);
      // The old records are still served.
      CHECK(http.get("/v1/events?limit=1").status == 200);
      server->signal(SIGTERM);
      CHECK(server->wait() == 0);
    }
    ServerProcess server =
        ServerProcess::start({.data = folder.path(), .arguments = {"--segment-size", std::to_string(kSegmentBytes)}});
    if (server.err().find("bytes of an unfinished group") != std::string::npos) ++cut;
    for (const Comparison& found : {ledger.compare(server.port()), ledger.settle(server.port())}) {
      lost += found.lost;
      CHECK_MESSAGE(found.errors.empty(), found.text());
    }
    acknowledged += ledger.acknowledged();
    CHECK(server.stop() == 0);
  }
  MESSAGE(trials << " short writes, " << unknown << " answered outcome-unknown, " << cut
                 << " cut off at the next start, " << acknowledged << " events acknowledged, " << lost << " lost");
  CHECK(lost == 0);
  CHECK(cut * 2 > trials);  // the write was in part on the disk, not refused as a whole
}

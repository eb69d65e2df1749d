// Power cuts on a real file system under the real binary, again and again on the same disk, with a ledger of what was
// acknowledged. STELE_CUT_ROUNDS sets how often, STELE_CUT_SEED what happens.

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "tests/support/build_paths.h"
#include "tests/support/environment.h"
#include "tests/support/ledger.h"
#include "tests/support/loop_disk.h"
#include "tests/support/server_process.h"

using namespace stele::tests;
using stele::test::number_from;

namespace {

constexpr int kClients = 8;
constexpr std::uint64_t kDiskBytes = 600ULL << 20;
constexpr std::uint64_t kRoundsOfADisk = 20;

/// Spreads the cuts over the time between two answers; nothing waits for this to be long enough.
void pass_time(std::mt19937_64& random, std::uint64_t microseconds_max) {
  std::this_thread::sleep_for(std::chrono::microseconds{random() % microseconds_max});
}

struct Totals {
  std::uint64_t cuts = 0, cuts_at_start = 0, acknowledged = 0, lost = 0;
};

/// A new disk, cut again and again; each comparison covers all that was acknowledged since it was new.
void wear_out_a_disk(std::uint64_t rounds, std::mt19937_64& random, Totals& totals) {
  LoopDisk disk(kDiskBytes);
  // Small segments, so that cuts also strike while one is sealed, prepared or begun.
  const ServerProcess::Options options{.data = disk.path() + "/data",
                                       .arguments = {"--segment-size", "256KiB", "--index-run-records", "64"}};
  Ledger ledger;
  const auto verify = [&](const ServerProcess& server) {
    for (const Comparison& found : {ledger.compare(server.port()), ledger.settle(server.port())}) {
      totals.lost += found.lost;
      CHECK_MESSAGE(found.errors.empty(), found.text());
    }
  };
  for (std::uint64_t round = 0; round < rounds; ++round) {
    CAPTURE(round);
    const auto how = random() % 4 == 0 ? LoopDisk::Cut::Journal : LoopDisk::Cut::Everything;
    ++totals.cuts;
    if (round == 0 || random() % 3 == 0) {  // while the folder is made, or recovery repairs it
      ++totals.cuts_at_start;
      auto process = ChildProcess::start({stele_binary(), "serve", "--data", options.data, "--listen", "127.0.0.1:0",
                                          "--segment-size", "256KiB", "--index-run-records", "64"});
      pass_time(random, 40'000);
      disk.cut_power(how);
      process->signal(SIGKILL);
      process->wait();
    } else {
      ServerProcess server = ServerProcess::start(options);
      verify(server);
      Load load(server.port(), kClients, random(), ledger);
      const bool moving = ledger.wait_for_answers(100 + random() % 1500);
      pass_time(random, 3000);
      disk.cut_power(how);
      server.kill();
      load.stop();
      REQUIRE(moving);
    }
    disk.remount();
  }
  ServerProcess server = ServerProcess::start(options);
  verify(server);
  verify(server);
  totals.acknowledged += ledger.acknowledged();
  CHECK(server.stop() == 0);
}

}  // namespace

TEST_CASE("PowerCut.NothingAcknowledgedIsLost") {
  const std::uint64_t rounds = number_from("STELE_CUT_ROUNDS", kRoundsOfADisk);
  const std::uint64_t seed = number_from("STELE_CUT_SEED", std::random_device{}());
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  Totals totals;
  while (totals.cuts < rounds) wear_out_a_disk(std::min(kRoundsOfADisk, rounds - totals.cuts), random, totals);
  MESSAGE(totals.cuts << " power cuts (" << totals.cuts_at_start << " at start), " << totals.acknowledged
                      << " events acknowledged, " << totals.lost << " lost");
  CHECK(totals.lost == 0);
}

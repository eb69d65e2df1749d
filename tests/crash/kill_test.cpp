// kill -9 of the real binary under load, again and again on one data folder, with a ledger of what was acknowledged.
// STELE_KILL_ROUNDS sets how often.

#include <doctest/doctest.h>

#include <random>

#include "tests/support/environment.h"
#include "tests/support/ledger.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

using namespace stele::tests;
using stele::test::number_from;

namespace {
constexpr int kClients = 8;
}

TEST_CASE("Kill.NothingAcknowledgedIsLostUnderLoad") {
  const auto rounds = static_cast<int>(number_from("STELE_KILL_ROUNDS", 10));
  const std::uint64_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const TempFolder folder;
  Ledger ledger;
  std::uint64_t lost = 0;
  const auto verify = [&](const ServerProcess& server) {
    for (const Comparison& found : {ledger.compare(server.port()), ledger.settle(server.port())}) {
      lost += found.lost;
      REQUIRE_MESSAGE(found.errors.empty(), found.text());
    }
  };
  for (int round = 0; round < rounds; ++round) {
    // Small segments, so that kills also strike while one is sealed and the next begun.
    ServerProcess server = ServerProcess::start(
        {.data = folder.path(), .arguments = {"--segment-size", "256KiB", "--index-run-records", "64"}});
    verify(server);
    Load load(server.port(), kClients, random(), ledger);
    const bool moving = ledger.wait_for_answers(200 + random() % 1500);
    server.kill();
    load.stop();
    REQUIRE(moving);
  }
  ServerProcess server = ServerProcess::start({.data = folder.path()});
  verify(server);
  verify(server);
  MESSAGE(rounds << " kills, " << ledger.acknowledged() << " events acknowledged, " << lost << " lost");
  CHECK(server.stop() == 0);
}

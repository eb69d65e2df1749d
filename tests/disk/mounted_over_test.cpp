// Something else is mounted where the data folder of a running server is, or its disk is taken away.

#include <doctest/doctest.h>
#include <sys/mount.h>

#include <filesystem>
#include <random>

#include "tests/support/eventually.h"
#include "tests/support/ledger.h"
#include "tests/support/loop_disk.h"
#include "tests/support/server_process.h"

using namespace stele::tests;

TEST_CASE("MountedOver.AppendsStopAndNothingIsWrittenToTheOtherDisk") {
  LoopDisk disk(64ULL << 20);
  const std::string data = disk.path() + "/data";
  Ledger ledger;
  {
    ServerProcess server = ServerProcess::start({.data = data, .arguments = {"--segment-size", "64KiB"}});
    HttpClient http(server.port());
    std::mt19937_64 random(1);
    for (int i = 0; i < 20; ++i) CHECK(ledger.send(http, make_commit(random)).status < 500);
    bool over = false;
    SUBCASE("mounted over") {
      REQUIRE(::mount("none", data.c_str(), "tmpfs", 0, "") == 0);
      over = true;
    }
    SUBCASE("unmounted under the server") { REQUIRE(::umount2(disk.path().c_str(), MNT_DETACH) == 0); }
    wait_until([&] {
      ledger.send(http, make_commit(random));
      return http.get("/readyz").status != 200;
    });
    const HttpResponse ready = http.get("/readyz");
    CHECK(ready.status == 503);
    CHECK_MESSAGE(ready.body.find("the data folder was ") != std::string::npos, ready.body);
    CHECK(ledger.send(http, make_commit(random)).status == 503);
    if (over) CHECK(std::filesystem::is_empty(data));
    http.close();
    CHECK(server.stop() == 0);
    if (over) {
      REQUIRE(::umount2(data.c_str(), 0) == 0);
    } else {
      disk.mount();
    }
  }
  ServerProcess server = ServerProcess::start({.data = data, .arguments = {"--segment-size", "64KiB"}});
  for (const Comparison& found : {ledger.compare(server.port()), ledger.settle(server.port())}) {
    CHECK_MESSAGE(found.errors.empty(), found.text());
  }
  CHECK(server.stop() == 0);
}

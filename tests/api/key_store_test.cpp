// The folder of secrets: whose it is, and what a power cut leaves of it.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "tests/api/access_support.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("KeyStore.IsForItsOwnerOnly") {
  const TestKeys keys;
  const KeyStore store = keys.store();
  REQUIRE(store.write("secret", "s"));
  struct stat about {};
  REQUIRE(::stat(store.folder().c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0700);
  const std::string path = store.folder() + "/secret";
  REQUIRE(::stat(path.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  CHECK(store.read("secret").value() == "s");
  CHECK_FALSE(store.read("other").value());

  for (const mode_t mode : {0640, 0604, 0660, 0601}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    const auto refused = store.read("secret");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().describe().find("chmod 600 " + path) != std::string::npos);
  }
  for (const mode_t mode : {0750, 0705, 0777}) {
    REQUIRE(::chmod(store.folder().c_str(), mode) == 0);
    const auto refused = KeyStore::open(posix_file_system(), store.folder(), KeyStore::IfMissing::Create);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().describe().find("chmod 700 " + store.folder()) != std::string::npos);
  }
  CHECK_FALSE(KeyStore::open(posix_file_system(), keys.file("none"), KeyStore::IfMissing::Fail));
}

TEST_CASE("KeyStore.APowerCutLeavesTheOldContentOrTheNew") {
  for (std::uint64_t cut = 1; cut < 30; ++cut) {
    CAPTURE(cut);
    SimulatedFileSystem disk(cut);
    const auto open = [&] { return KeyStore::open(disk, "/keys", KeyStore::IfMissing::Create).value(); };
    REQUIRE(open().write("secret", "old"));
    disk.cut_power_at_call(cut);
    bool acknowledged = false;
    if (auto store = KeyStore::open(disk, "/keys", KeyStore::IfMissing::Create)) {
      acknowledged = store->write("secret", "new").has_value();
    }
    disk.crash();
    const auto after = open().read("secret").value();
    REQUIRE(after);
    CHECK((after == "new" || (!acknowledged && after == "old")));
    // What a cut left behind does not stand in the way.
    REQUIRE(open().write("secret", "newer"));
    CHECK(open().read("secret").value() == "newer");
  }
}

TEST_CASE("KeyStore.WhatIsRemovedIsGoneForGood") {
  SimulatedFileSystem disk(1);
  const KeyStore store = KeyStore::open(disk, "/keys", KeyStore::IfMissing::Create).value();
  REQUIRE(store.write("a", "1"));
  REQUIRE(store.write("b", "2"));
  REQUIRE(store.remove("a"));
  CHECK(store.remove("a"));
  disk.crash();
  CHECK_FALSE(store.read("a").value());
  CHECK(store.read("b").value() == "2");
}

TEST_CASE("KeyStore.OneChangesItAtATime") {
  const TestKeys keys;
  const KeyStore store = keys.store();
  auto held = store.lock();
  REQUIRE(held);
  CHECK(posix_file_system().lock(store.folder() + "/lock").error().kind == ErrorKind::Locked);
  held->reset();
  CHECK(store.lock());
}

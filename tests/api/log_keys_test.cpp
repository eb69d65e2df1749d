#include "api/audit/log_keys.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "api/audit/signing_keys.h"
#include "engine/store/store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace stele::api::test {
namespace {

NoteSigner key_named(const std::string& name) { return *NoteSigner::generate(name, NoteKeyKind::Ed25519); }

struct KeyedStore {
  stele::test::TempFolder folder;
  stele::test::FakeClock clock;
  std::unique_ptr<Store> store;

  KeyedStore() {
    StoreOptions options;
    options.folder = folder.path() + "/data";
    auto opened = Store::open(options);
    REQUIRE(opened);
    store = std::move(*opened);
  }
  void append(RecordDraft draft) {
    Proposal proposal;
    proposal.events.push_back(std::move(draft));
    REQUIRE(store->append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
  }
  LogKeys keys() const {
    auto keys = LogKeys::read(*store->view());
    REQUIRE(keys);
    return std::move(*keys);
  }
};

}  // namespace

TEST_CASE("LogKeys.EachKeyButTheFirstIsEndorsedByOneBeforeIt") {
  KeyedStore with;
  const NoteSigner first = key_named("stele"), second = key_named("stele"), third = key_named("stele");
  const NoteSigner stranger = key_named("stele");
  with.append(key_added("stele", first.verifier(), nullptr, with.clock));
  with.append(key_added("stele", second.verifier(), &first, with.clock));
  with.append(key_retired("stele", first.verifier(), with.clock));
  // Retired keys and such as were never announced vouch for nobody.
  with.append(key_added("stele", third.verifier(), &first, with.clock));
  with.append(key_added("stele", stranger.verifier(), &stranger, with.clock));
  const LogKeys keys = with.keys();
  REQUIRE(keys.all().size() == 4);
  CHECK(keys.unreadable() == 0);
  CHECK(keys.all()[0].endorsed);
  CHECK(keys.all()[0].from == Position{1});
  CHECK(keys.all()[0].until == Position{3});
  CHECK(keys.all()[1].endorsed);
  CHECK_FALSE(keys.all()[1].until);
  CHECK_FALSE(keys.all()[2].endorsed);
  CHECK_FALSE(keys.all()[3].endorsed);
  CHECK(keys.current()->verifier == stranger.verifier());
  CHECK(keys.valid_at(1).empty());
  CHECK(keys.valid_at(2) == std::vector{first.verifier()});
  CHECK(keys.valid_at(3) == std::vector{first.verifier(), second.verifier()});
  CHECK(keys.valid_at(4) == std::vector{second.verifier()});
}

TEST_CASE("LogKeys.EventsThatMakeNoSenseAreCounted") {
  KeyedStore with;
  const NoteSigner first = key_named("stele");
  with.append(key_retired("stele", first.verifier(), with.clock));
  with.append(key_added("stele", first.verifier(), nullptr, with.clock));
  with.append(key_added("stele", first.verifier(), nullptr, with.clock));
  RecordDraft other = key_added("stele", first.verifier(), nullptr, with.clock);
  other.data = R"({"vkey":"stele+1234"})";
  other.seal();
  with.append(std::move(other));
  CHECK(with.keys().unreadable() == 3);
  CHECK(with.keys().all().size() == 1);
}

TEST_CASE("SigningKeyFiles.ARotatedKeyStaysUntilItIsForgotten") {
  const stele::test::TempFolder folder;
  const std::string keys = folder.path() + "/keys";
  auto files = SigningKeyFiles::open(posix_file_system(), "stele", keys, "", KeyStore::IfMissing::Create);
  REQUIRE(files);
  CHECK_FALSE(files->read()->current);
  CHECK_FALSE(files->rotate(false));
  const auto first = files->create();
  REQUIRE(first);
  CHECK_FALSE(files->create());
  CHECK(files->read()->current->verifier() == *first);
  CHECK(files->read()->before.empty());
  const auto seen = *files->look();
  CHECK(*files->look() == seen);
  const auto second = files->rotate(false);
  REQUIRE(second);
  CHECK(*files->look() != seen);
  const auto third = files->rotate(false);
  REQUIRE(third);
  auto set = *files->read();
  CHECK(set.current->verifier() == *third);
  REQUIRE(set.before.size() == 2);
  CHECK(set.before[0].verifier() == *second);
  CHECK(set.before[1].verifier() == *first);
  REQUIRE(files->forget(*first));
  CHECK(files->read()->before.size() == 1);
  REQUIRE(files->forget(*second));
  CHECK(files->read()->before.empty());
  CHECK_FALSE(files->read()->unendorsed_vkey);
  const auto fourth = files->rotate(true);
  REQUIRE(fourth);
  CHECK(files->read()->unendorsed_vkey == fourth->vkey());
  CHECK(files->read()->before.empty());
}

TEST_CASE("SigningKeyFiles.AKeyThatOthersCanReadIsRefused") {
  const stele::test::TempFolder folder;
  const std::string keys = folder.path() + "/keys";
  auto files =
      SigningKeyFiles::open(posix_file_system(), "stele", keys, keys + "/log.pem", KeyStore::IfMissing::Create);
  REQUIRE(files);
  REQUIRE(files->create());
  CHECK(std::filesystem::exists(keys + "/log.pem"));
  std::filesystem::permissions(keys + "/log.pem",
                               std::filesystem::perms::owner_read | std::filesystem::perms::group_read);
  CHECK_FALSE(files->read());
  std::filesystem::permissions(keys + "/log.pem", std::filesystem::perms::owner_read);
  CHECK(files->read());
  std::ofstream(keys + "/log.pem.before") << "-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n";
  std::filesystem::permissions(keys + "/log.pem.before", std::filesystem::perms::owner_read);
  CHECK_FALSE(files->read());
}

}  // namespace stele::api::test

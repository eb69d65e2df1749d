#include "api/subscriptions/subscription_secrets.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::api;

namespace {

SubscriptionSecrets sample_secrets() {
  SubscriptionSecrets made;
  made.signing.push_back({WebhookSecret::make(), std::nullopt});
  made.signing.push_back({WebhookSecret::make(), Timestamp{1'700'000'000'000'000}});
  made.headers = {{"Authorization", "Bearer \"x\""}, {"X-Empty", ""}};
  made.tls = WebhookTls{"CA\n", "CERT\n", "KEY\n"};
  return made;
}

void check_same(const SubscriptionSecrets& a, const SubscriptionSecrets& b) {
  REQUIRE(a.signing.size() == b.signing.size());
  for (std::size_t i = 0; i < a.signing.size(); ++i) {
    CHECK(a.signing[i].secret.text() == b.signing[i].secret.text());
    CHECK(a.signing[i].until == b.signing[i].until);
  }
  CHECK(a.headers == b.headers);
  REQUIRE(a.tls.has_value() == b.tls.has_value());
  if (!a.tls) return;
  CHECK(a.tls->ca == b.tls->ca);
  CHECK(a.tls->client_certificate == b.tls->client_certificate);
  CHECK(a.tls->client_key == b.tls->client_key);
}

void overwrite(SimulatedFileSystem& disk, const std::string& name, std::string_view content) {
  REQUIRE(KeyStore::open(disk, "/keys/subscriptions", KeyStore::IfMissing::Fail)->write(name, content));
}

}  // namespace

TEST_CASE("SubscriptionSecrets.ComeBackAsTheyWereUntilTheyAreRemoved") {
  SimulatedFileSystem disk{1};
  SubscriptionSecretStore store(disk, "/keys/subscriptions");
  CHECK_FALSE(store.find("sub_1").value());
  CHECK(store.remove("sub_1"));
  CHECK_FALSE(disk.exists("/keys/subscriptions").value());
  const SubscriptionSecrets first = sample_secrets();
  REQUIRE(store.put("sub_1", first));
  SubscriptionSecrets second;
  REQUIRE(store.put("sub_2", second));
  disk.crash();  // both are durable
  check_same(store.find("sub_1").value().value(), first);
  check_same(store.find("sub_2").value().value(), second);
  CHECK_FALSE(store.find("sub_3").value());
  const SubscriptionSecrets changed = sample_secrets();
  REQUIRE(store.put("sub_1", changed));
  check_same(store.find("sub_1").value().value(), changed);
  REQUIRE(store.remove("sub_1"));
  disk.crash();
  CHECK_FALSE(store.find("sub_1").value());
  CHECK(store.find("sub_2").value());
  CHECK(store.remove("sub_1"));
}

TEST_CASE("SubscriptionSecrets.AreForTheOwnerOfTheFolderOnly") {
  SimulatedFileSystem disk{1};
  SubscriptionSecretStore store(disk, "/keys/subscriptions");
  REQUIRE(store.put("sub_1", sample_secrets()));
  CHECK(disk.look_at("/keys/subscriptions")->permissions == 0700);
  CHECK(disk.look_at("/keys/subscriptions/sub_1.json")->permissions == 0600);
}

TEST_CASE("SubscriptionSecrets.AnIdThatIsNoFileNameHasNone") {
  SimulatedFileSystem disk{1};
  SubscriptionSecretStore store(disk, "/keys/subscriptions");
  REQUIRE(store.put("sub_1", sample_secrets()));
  for (const char* id : {"", "../subscriptions/sub_1", "sub_1.json", "/", "sub 1", "..",
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    CAPTURE(id);
    CHECK_FALSE(store.find(id).value());
    CHECK_FALSE(store.put(id, sample_secrets()));
    CHECK(store.remove(id));
  }
  CHECK(store.find("sub_1").value());
}

TEST_CASE("SubscriptionSecrets.ADamagedFileIsAnErrorThatShowsNothingOfIt") {
  SimulatedFileSystem disk{1};
  SubscriptionSecretStore store(disk, "/keys/subscriptions");
  REQUIRE(store.put("sub_1", sample_secrets()));
  for (const char* text :
       {"", "7", "{}", R"({"version":1})", R"({"version":1,"signing":[],"headers":[{"name":"topsecret"}]})",
        R"({"version":1,"signing":[{"secret":"whsec_topsecret"}],"headers":[]})",
        R"({"version":1,"signing":[],"headers":[],"tls":{"ca":"topsecret"}})",
        R"({"version":1,"signing":[],"headers":[],"tls":null})"}) {
    CAPTURE(text);
    overwrite(disk, "sub_1.json", text);
    const auto found = store.find("sub_1");
    REQUIRE_FALSE(found);
    CHECK(found.error().kind == ErrorKind::Corrupt);
    CHECK(found.error().describe().find("topsecret") == std::string::npos);
  }
  overwrite(disk, "sub_1.json", R"({"version":2,"signing":[],"headers":[]})");
  CHECK(store.find("sub_1").error().kind == ErrorKind::NewerFormat);
}

TEST_CASE("SubscriptionSecrets.TheOldOneSignsUntilItsTimeIsOver") {
  const SubscriptionSecrets secrets = sample_secrets();
  const Timestamp until = *secrets.signing[1].until;
  const auto valid = secrets.valid_at(Timestamp{until.micros - 1});
  REQUIRE(valid.size() == 2);
  CHECK(valid[0].text() == secrets.signing[0].secret.text());
  CHECK(valid[1].text() == secrets.signing[1].secret.text());
  REQUIRE(secrets.valid_at(until).size() == 1);
  CHECK(secrets.valid_at(until)[0].text() == secrets.signing[0].secret.text());
}

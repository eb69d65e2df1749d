// Who did what, with authentication on; and how little is recorded, whatever is sent.

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/api/access_support.h"
#include "tests/api/audit_support.h"
#include "tests/support/eventually.h"

namespace stele::api::test {

namespace {

TestService::Headers with_token(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }

ServiceOptions guarded(std::shared_ptr<Authenticator> authenticator, AuditSettings settings = {}) {
  ServiceOptions options = audited(std::move(settings));
  options.authenticator = std::move(authenticator);
  return options;
}

/// Records of reads that were done, and how many calls they are about.
struct Tally {
  std::size_t records = 0;
  std::uint64_t calls = 0;
};
Tally tally_of(TestService& service, std::string_view action) {
  Tally tally;
  for (const std::string& record : trail_of(service)) {
    const std::string name = text_at(record, "/action");
    if (name != action && name != "audit.beyond") continue;
    ++tally.records;
    tally.calls += std::stoull(text_at(record, "/details/count"));
  }
  return tally;
}

Tally wait_for_calls(TestService& service, std::string_view action, std::uint64_t calls) {
  Tally tally;
  wait_until([&] {
    tally = tally_of(service, action);
    return tally.calls >= calls;
  });
  return tally;
}

/// More than there can have been.
std::size_t seconds_since(std::chrono::steady_clock::time_point began) {
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
  return static_cast<std::size_t>(passed.count()) + 1;
}

}  // namespace

TEST_CASE("Audit.SaysWhoActedByKeyAndByJwt") {
  TestKeys keys;
  const SigningKey signer(SigningKey::Kind::Ed25519, "k");
  keys.write("jwks.json", jwks({signer.jwk()}));
  AuthenticatorOptions access;
  access.jwks_file = keys.file("jwks.json");
  access.jwt = {"issuer", "stele"};
  const std::string ada = keys.add(Role::Writer, "ada"), svc = keys.add(Role::Service, "svc"),
                    rita = keys.add(Role::Reader, "rita"), eve = keys.add(Role::Auditor, "eve");
  const std::string jo =
      signer.token(R"({"iss":"issuer","aud":"stele","sub":"jo","stele_role":"writer","exp":4102444800})");
  TestService service(guarded(keys.open(std::move(access))));
  const auto auditor = with_token(eve);

  CHECK(service.post(event("a"), with_token(ada)).status == 201);
  CHECK(service.post(event("a", "1", R"("userId":"customer")"), with_token(svc)).status == 201);
  CHECK(service.post(event("a"), with_token(jo)).status == 201);
  for (const std::string& token : {rita, jo}) CHECK(service.get("/v1/events", with_token(token)).status == 200);
  for (const std::string& token : {rita, eve}) CHECK(service.post(event("a"), with_token(token)).status == 403);
  CHECK(service.post(event("a", "1", R"("userId":"customer")"), with_token(jo)).status == 403);
  CHECK(service.get(std::string(kAuditSearch), with_token(rita)).status == 403);
  CHECK(service.get("/v1/events?userId=secret").status == 401);
  CHECK(service.post(event("a"), with_token("stele_guessed")).status == 401);
  CHECK(service.get("/v1/head", with_token(jo + "x")).status == 401);

  struct Who {
    const char* query;
    std::size_t records;
    const char* user;
    const char* principal;
  };
  const std::vector<Who> table = {
      {"action=event.append&outcome=done&principal=ada", 1, R"("ada")", R"("ada")"},
      {"action=event.append&userId=customer", 1, R"("customer")", R"("svc")"},
      {"action=event.append&principal=svc", 1, R"("customer")", R"("svc")"},
      {"action=event.append&outcome=done&userId=jo", 1, R"("jo")", R"("jo")"},
      {"action=events.query&outcome=done&userId=rita", 1, R"("rita")", R"("rita")"},
      {"action=events.query&outcome=done&principal=jo", 1, R"("jo")", R"("jo")"},
      {"action=event.append&outcome=refused&principal=rita", 1, R"("rita")", R"("rita")"},
      {"action=event.append&outcome=refused&userId=eve", 1, R"("eve")", R"("eve")"},
      {"action=event.append&outcome=refused&userId=jo", 1, R"("jo")", R"("jo")"},
      {"action=audit.search&outcome=refused", 1, R"("rita")", R"("rita")"},
      {"userId=svc", 0, "", ""},
      {"userId=nobody", 0, "", ""},
  };
  for (const Who& who : table) {
    CAPTURE(who.query);
    const auto found = wait_for_records(service, std::string("?") + who.query, who.records, auditor);
    CHECK(found.size() == who.records);
    for (const std::string& record : found) {
      CHECK(json_at(record, "/userId") == who.user);
      CHECK(json_at(record, "/principal") == who.principal);
      if (!is_in(who.query, "outcome=done") && json_at(record, "/details/eventId") == "none") {
        CHECK(json_at(record, "/remoteAddress") == R"("127.0.0.1")");
      }
    }
  }
  wait_for_calls(service, "auth.denied", 3);
  for (const std::string& denied : records_of(service, "?action=auth.denied", auditor)) {
    for (const char* const member : {"/userId", "/principal", "/remoteAddress", "/correlationId", "/resource"}) {
      CAPTURE(member);
      CHECK(json_at(denied, member) == "null");
    }
    CHECK(text_at(denied, "/outcome") == "refused");
    CHECK_FALSE(is_in(denied, "secret"));
    CHECK_FALSE(is_in(denied, "guessed"));
  }
  CHECK(records_of(service, "?action=auth.denied&outcome=done", auditor).empty());
}

TEST_CASE("Audit.WhoAsksForWhatThereIsNotIsKnownAllTheSame") {
  TestKeys keys;
  const std::string rita = keys.add(Role::Reader, "rita"), eve = keys.add(Role::Auditor, "eve");
  TestService service(guarded(keys.open()));
  CHECK(service.get("/v1/nothing", with_token(rita)).status == 404);
  CHECK(service.send(Method::Delete, "/v1/events", {}, with_token(rita)).status == 405);
  const auto refused = wait_for_records(service, "?action=request.refused", 1, with_token(eve));
  for (const std::string& record : refused) {
    CHECK(text_at(record, "/principal") == "rita");
    CHECK(text_at(record, "/userId") == "rita");
  }
  CHECK(records_of(service, "?action=auth.denied", with_token(eve)).empty());
  // Of others nothing is believed; and whoever guesses is slowed down here too.
  for (int i = 0; i < 30; ++i) CHECK(service.get("/v1/nothing", with_token("stele_guess")).status == 404);
  CHECK(service.get("/v1/nothing").status == 404);
  CHECK(service.get("/v1/head", with_token("stele_guess")).status == 429);
  wait_for_calls(service, "auth.denied", 32);
  for (const std::string& record : records_of(service, "?action=auth.denied", with_token(eve))) {
    CHECK(json_at(record, "/principal") == "null");
  }
}

TEST_CASE("Audit.WhatTheServerFailsAtIsFoundByItsOutcome") {
  TestKeys keys;
  const std::string eve = keys.add(Role::Auditor, "eve");
  TestService service(guarded(keys.open()));
  service.scheduler().full = true;
  CHECK(service.get("/v1/events", with_token(eve)).status == 503);
  service.scheduler().full = false;
  const auto failed = wait_for_records(service, "?outcome=failed", 1, with_token(eve));
  REQUIRE(failed.size() == 1);
  CHECK(text_at(failed[0], "/action") == "events.query");
  CHECK(text_at(failed[0], "/outcome") == "failed");
  CHECK(text_at(failed[0], "/principal") == "eve");
  CHECK(text_at(failed[0], "/details/statuses/503") == "1");
  CHECK(records_of(service, "?outcome=failed&action=events.query&principal=eve", with_token(eve)) == failed);
  CHECK(records_of(service, "?outcome=failed&action=event.append", with_token(eve)).empty());
}

TEST_CASE("Audit.RefusalsOfStrangersAreAtMostOneRecordASecond") {
  TestKeys keys;
  AuditSettings settings;
  SUBCASE("as it is") {}
  SUBCASE("with durable reads") { settings.durable_reads = true; }
  ServiceOptions options = guarded(keys.open(), settings);
  options.audit->window = std::chrono::seconds(1);
  TestService service(std::move(options));
  const auto began = std::chrono::steady_clock::now();
  constexpr std::uint64_t kCalls = 3'000;
  for (std::uint64_t i = 0; i < kCalls; ++i) {
    const std::string n = std::to_string(i);
    const Answer denied = i % 2 == 0 ? service.get("/v1/aggregates/" + n, with_token("stele_" + n))
                                     : service.get("/v1/events?userId=" + n);
    REQUIRE((denied.status == 401 || denied.status == 429));
  }
  const Tally tally = wait_for_calls(service, "auth.denied", kCalls);
  CHECK(tally.calls == kCalls);
  CHECK(tally.records <= seconds_since(began));
}

TEST_CASE("Audit.ReadsOfManyKindsAreAtMostAHundredRecordsASecondAndOne") {
  TestKeys keys;
  std::vector<std::string> readers;
  for (int i = 0; i < 150; ++i) readers.push_back(keys.add(Role::Reader, "reader-" + std::to_string(i)));
  ServiceOptions options = guarded(keys.open());
  options.audit->window = std::chrono::seconds(1);
  TestService service(std::move(options));
  const auto began = std::chrono::steady_clock::now();
  constexpr std::uint64_t kRounds = 20;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    for (const std::string& reader : readers) {
      REQUIRE(service.get("/v1/events?userId=" + std::to_string(round), with_token(reader)).status == 200);
    }
  }
  const Tally tally = wait_for_calls(service, "events.query", kRounds * readers.size());
  CHECK(tally.calls == kRounds * readers.size());
  CHECK(tally.records > 100);
  CHECK(tally.records <= 101 * seconds_since(began));
  std::size_t beyond = 0;
  for (const std::string& record : trail_of(service)) beyond += text_at(record, "/action") == "audit.beyond" ? 1 : 0;
  CHECK(beyond >= 1);
  CHECK(beyond <= seconds_since(began));
}

TEST_CASE("Audit.DurableReadsAreAHundredRecordsASecondAndThenOneForAGroup") {
  TestKeys keys;
  std::vector<std::string> readers;
  for (int i = 0; i < 20; ++i) readers.push_back(keys.add(Role::Reader, "reader-" + std::to_string(i)));
  AuditSettings settings;
  settings.durable_reads = true;
  ServiceOptions options = guarded(keys.open(), settings);
  options.audit->window = std::chrono::seconds(1);
  TestService service(std::move(options));
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t calls = 0;
  for (int round = 0; round < 40; ++round) {
    std::vector<std::future<Answer>> answers;
    for (const std::string& reader : readers) {
      answers.push_back(service.begin(Method::Get, "/v1/head", {}, with_token(reader)));
    }
    for (auto& answer : answers) {
      CHECK(service.get_in_time(answer, "/v1/head").status == 200);
    }
    calls += readers.size();
    // Whoever has an answer finds it recorded.
    CHECK(tally_of(service, "log.head").calls == calls);
  }
  const Tally tally = tally_of(service, "log.head");
  CHECK(tally.calls == 800);
  std::size_t beyond = 0;
  for (const std::string& record : trail_of(service)) beyond += text_at(record, "/action") == "audit.beyond" ? 1 : 0;
  CHECK(tally.records - beyond <= 100 * (seconds_since(began) + 1));
  // One for each pause of ten milliseconds, however many wait.
  CHECK(beyond <= 100 * (seconds_since(began) + 1));
}

}  // namespace stele::api::test

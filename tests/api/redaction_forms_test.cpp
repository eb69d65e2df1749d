// What may be asked of a redaction, in which forms, and by whom.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/http/compressor.h"
#include "tests/api/access_support.h"
#include "tests/api/fake_redis_sender.h"
#include "tests/api/fake_scripts.h"
#include "tests/api/redaction_support.h"
#include "tests/api/room_fixture.h"
#include "tests/api/support.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text_forms.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kFormsJson{{"Content-Type", "application/json"}};

std::string append_form(TestService& service, const std::string& aggregate, const std::string& data,
                        const std::string& metadata = "") {
  return append_one(service, aggregate, data, metadata.empty() ? "" : "\"metadata\":" + metadata);
}

bool is_in_folder(const TestService& service, const std::string& text) {
  const std::string files = service.bytes_in_folder();
  const std::vector<std::string> forms = stele::test::forms_of(text);
  return std::any_of(forms.begin(), forms.end(),
                     [&](const std::string& form) { return files.find(form) != std::string::npos; });
}

}  // namespace

// A member is redacted as a whole, since the hash is of its bytes: parts of it cannot be named, in whatever notation.
TEST_CASE("RedactionForms.PartsOfAMemberAreRefused") {
  TestService service;
  const std::string data = R"({"a":{"b":[1,2]},"c/d~e":3})";
  const std::string id = append_form(service, "a", data);
  for (const char* const member : {"data.a", "/data", "/data/a/b/0", "data/a", "/a", "/c~1d~0e", "a", "Data"}) {
    CAPTURE(member);
    const Answer refused = ask_redaction(service, "/v1/events/" + id, R"(,"members":[")" + std::string(member) + "\"]");
    CHECK(refused.status == 422);
    CHECK(refused.text("/errors/0/pointer") == "/members");
  }
  for (const char* const members :
       {R"("data")", "[]", R"(["data","data"])", "[1]", "null", R"(["data","metadata","private","body"])"}) {
    CAPTURE(members);
    CHECK(ask_redaction(service, "/v1/events/" + id, R"(,"members":)" + std::string(members)).status == 422);
  }
  CHECK(service.get("/v1/events/" + id).at("/data") == data);
}

TEST_CASE("RedactionForms.AMemberThatIsNotThereIsNothingToLose") {
  TestService service;
  const std::string id = append_form(service, "a", R"({"kept":1})");
  const Answer status = redact_and_wait(service, "/v1/events/" + id, R"(,"members":["metadata","private"])");
  CHECK(status.at("/counts/events") == "0");
  CHECK(status.at("/counts/segments") == "0");
  const Answer shown = service.get("/v1/events/" + id);
  CHECK(shown.at("/redacted") == "none");
  CHECK(shown.at("/data/kept") == "1");
}

TEST_CASE("RedactionForms.OneMemberAfterTheOther") {
  TestService service;
  const std::string id = append_form(service, "a", R"("the secret data")", R"({"n":"the secret metadata"})");
  const std::string path = "/v1/events/" + id;
  CHECK(redact_and_wait(service, path, R"(,"members":["metadata"])").at("/counts/members") == "1");
  CHECK_FALSE(is_in_folder(service, "the secret metadata"));
  CHECK(is_in_folder(service, "the secret data"));
  const Answer dry = ask_redaction(service, path, R"(,"dryRun":true)");
  CHECK(dry.at("/counts/members") == "1");
  CHECK(dry.at("/counts/bytes") == "17");
  CHECK(redact_and_wait(service, path).at("/counts/members") == "1");
  CHECK_FALSE(is_in_folder(service, "the secret data"));
  CHECK(service.get(path).at("/redacted") == R"(["data","metadata"])");
  // And once more: there is nothing left, which is told and is no error.
  CHECK(ask_redaction(service, path, R"(,"dryRun":true)").at("/counts/unchanged") == "1");
  const Answer again = redact_and_wait(service, path);
  CHECK(again.at("/counts/events") == "0");
  CHECK(service.get(path).at("/redaction/position") == again.at("/position"));
}

TEST_CASE("RedactionForms.BodiesOfTwoBytesAndOfAllKinds") {
  TestService service;
  const std::string large = "\"" + std::string(300'000, 'x') + "the end of it\"";
  for (const std::string& data :
       {std::string("{}"), std::string("[]"), std::string("42"), std::string("\"\""), std::string("null"),
        std::string(R"(["\u006eobody",{"a":["shall","know"]}])"), large}) {
    CAPTURE(data.substr(0, 40));
    const std::string id = append_form(service, "a", data);
    const Answer status = redact_and_wait(service, "/v1/events/" + id);
    CHECK(status.at("/counts/bytes") == std::to_string(data.size()));
    const Answer shown = service.get("/v1/events/" + id);
    CHECK(shown.at("/redacted") == R"(["data"])");
    CHECK(shown.at("/data") == "none");
  }
  CHECK_FALSE(is_in_folder(service, "the end of it"));
  CHECK_FALSE(is_in_folder(service, "obody"));
}

TEST_CASE("RedactionForms.WhatCameCompressedIsNowhereEither") {
  TestService service;
  std::string note = "nobody may \"know\" this";
  for (int i = 0; i < 200; ++i) note += " " + std::to_string(i * i * 7919);
  const std::string data = R"({"note":")" + stele::test::forms_of(note)[1] + R"("})";
  for (const auto& [coding, name] : {std::pair{ContentCoding::Gzip, "gzip"}, std::pair{ContentCoding::Zstd, "zstd"}}) {
    CAPTURE(name);
    const std::string body = compress(coding, event("a", data));
    const Answer stored = service.post(body, {{"Content-Encoding", name}});
    REQUIRE_MESSAGE(stored.status == 201, stored.body);
    REQUIRE(is_in_folder(service, note));
    (void)redact_and_wait(service, "/v1/events/" + stored.text("/eventId"));
    CHECK_FALSE(is_in_folder(service, note));
    CHECK(service.bytes_in_folder().find(body.substr(body.size() / 2)) == std::string::npos);
  }
}

TEST_CASE("RedactionForms.TheAggregateIsTheOneThatWasNamed") {
  TestService service;
  // Each but the first is what a wrong decoding of it would make of another.
  const std::vector<std::pair<std::string, std::string>> aggregates{
      {"a~1b/c%2Fd", "a~1b%2Fc%252Fd"}, {"a/b/c/d", "a%2Fb%2Fc%2Fd"}, {"a~1b/c/d", "a~1b%2Fc%2Fd"}, {"a~1b", "a~1b"}};
  for (const auto& [id, path] : aggregates) append_form(service, id, "\"body of <" + id + ">\"");
  const Answer status = redact_and_wait(service, "/v1/aggregates/" + aggregates[0].second);
  CHECK(status.text("/aggregateId") == aggregates[0].first);
  for (const auto& [id, path] : aggregates) {
    CAPTURE(id);
    CHECK(is_in_folder(service, "body of <" + id + ">") == (id != aggregates[0].first));
  }
}

TEST_CASE("RedactionForms.TwoAtOnceAreBothDoneAndEachIsToldOnce") {
  FakeScripts scripts;
  scripts.busy = true;
  ServiceOptions options;
  options.scripts = &scripts;
  TestService service(options);
  std::vector<std::string> ids;
  for (int i = 0; i < 30; ++i)
    ids.push_back(append_form(service, "a", R"("secret body")", R"({"n":"secret metadata"})"));
  auto first =
      service.begin(Method::Post, "/v1/aggregates/a/redact", R"({"reason":"r","members":["data"]})", kFormsJson);
  auto second = service.begin(Method::Post, "/v1/aggregates/a/redact", R"({"reason":"r"})", kFormsJson);
  auto third = service.begin(Method::Post, "/v1/events/" + ids[3] + "/redact", R"({"reason":"r"})", kFormsJson);
  std::vector<Answer> asked;
  for (auto* const each : {&first, &second, &third}) asked.push_back(each->get());
  // None is complete before all has let go of it.
  for (const Answer& each : asked) {
    REQUIRE_MESSAGE(each.status == 202, each.body);
    wait_until([&] { return service.get(each.header("Location")).text("/state") == "waiting"; });
  }
  scripts.busy = false;
  std::uint64_t members = 0;
  std::set<std::string> own;
  for (const Answer& each : asked) {
    const Answer status = await_redaction(service, each);
    members += std::stoull(status.at("/counts/members"));
    own.insert(status.text("/redactionId"));
    const Answer told =
        service.get("/v1/events?includeSystem=true&aggregateId=%24redaction%2F" + status.text("/redactionId"));
    CHECK(told.text("/events/1/eventType") == "$RedactionCompleted");
    CHECK(told.at("/events/2") == "none");
  }
  CHECK(own.size() == 3);
  CHECK(members == 60);
  CHECK_FALSE(is_in_folder(service, "secret body"));
  CHECK_FALSE(is_in_folder(service, "secret metadata"));
}

TEST_CASE("RedactionForms.IsForAdministratorsAndTheReasonForAuditors") {
  TestKeys keys;
  const std::string admin = keys.add(Role::Admin, "admin"), auditor = keys.add(Role::Auditor, "auditor");
  const std::string limited = keys.add(Role::Admin, "limited", {"Mission"}), reader = keys.add(Role::Reader, "reader");
  const std::string writer = keys.add(Role::Writer, "writer"), service_key = keys.add(Role::Service, "service");
  ServiceOptions options;
  options.authenticator = keys.open();
  TestService service(options);
  const auto as = [](const std::string& token) {
    return TestService::Headers{{"Authorization", "Bearer " + token}, {"Content-Type", "application/json"}};
  };
  const Answer stored = service.post(event("a", "1", R"("aggregateType":"Mission")"), as(admin));
  REQUIRE_MESSAGE(stored.status == 201, stored.body);
  const std::string path = "/v1/events/" + stored.text("/eventId");
  const std::string why = "because of the illness of Ada";
  for (const char* const more : {"", R"(,"dryRun":true)"}) {
    const std::string body = R"({"reason":")" + why + "\"" + more + "}";
    for (const std::string& target : {path + "/redact", std::string("/v1/aggregates/a/redact")}) {
      for (const std::string& token : {reader, writer, service_key, auditor}) {
        const Answer refused = service.send(Method::Post, target, body, as(token));
        CHECK(refused.status == 403);
        CHECK(refused.slug() == "insufficient-role");
      }
      CHECK(service.send(Method::Post, target, body, as(limited)).slug() == "limit-forbids");
      CHECK(service.send(Method::Post, target, body, {{"Content-Type", "application/json"}}).status == 401);
    }
  }
  CHECK(service.get(path, as(admin)).at("/data") == "1");
  const Answer asked = service.send(Method::Post, path + "/redact", R"({"reason":")" + why + "\"}", as(admin));
  REQUIRE_MESSAGE(asked.status == 202, asked.body);
  const std::string location = asked.header("Location");
  wait_until([&] { return service.get(location, as(auditor)).text("/state") == "completed"; });
  const Answer status = service.get(location, as(auditor));
  CHECK(status.text("/reason") == why);
  CHECK(status.text("/requestedBy") == "admin");
  for (const std::string& token : {reader, writer, service_key}) {
    CHECK(service.get(location, as(token)).status == 403);
    const Answer shown = service.get(path, as(token));
    CHECK(shown.at("/redaction/position") == status.at("/position"));
    CHECK(shown.body.find(why) == std::string::npos);
    CHECK(service.get("/v1/events", as(token)).body.find(why) == std::string::npos);
  }
}

TEST_CASE("RedactionForms.TheStatusNamesTheCopiesThatAreOutOfReach") {
  const stele::test::TempFolder secrets;
  TestSender sender;
  FakeRedisSender redis;
  ServiceOptions options;
  options.webhooks = &sender;
  options.redis = &redis;
  options.subscriptions.secrets_folder = secrets.path() + "/secrets";
  TestService service(options);
  const auto subscribe = [&](const std::string& members) {
    const Answer made = service.send(Method::Post, "/v1/events/subscribe", "{" + members + "}", kFormsJson);
    REQUIRE_MESSAGE(made.status == 201, made.body);
    return made.text("/subscriptionId");
  };
  const std::string hook = R"("delivery":{"type":"webhook","url":"https://a.example/hook"})";
  const std::string all = subscribe(hook);
  const std::string pulled = subscribe(R"("delivery":{"type":"pull"},"aggregateIds":["a","b"])");
  const std::string other = subscribe(hook + R"(,"aggregateIds":["b"])");
  const std::string stream = subscribe(R"("delivery":{"type":"redis-stream","key":"missions"})");
  const std::string channel = subscribe(R"("delivery":{"type":"redis-pubsub","channel":"missions"})");
  const std::string other_stream =
      subscribe(R"("delivery":{"type":"redis-stream","key":"others"},"aggregateIds":["b"])");
  const std::string id = append_form(service, "a", "1");
  sender.next().answer(200);
  const Answer asked = ask_redaction(service, "/v1/events/" + id);
  const Answer status = await_redaction(service, asked);
  for (const Answer& each : {asked, status}) {
    CHECK(each.text("/outOfReach/0/copy") == "backups");
    CHECK(each.text("/outOfReach/1/copy") == "exports");
    CHECK(each.text("/outOfReach/2/copy") == "deliveries");
    const std::string named = each.at("/outOfReach/2/subscriptionIds");
    CHECK(named.find(all) != std::string::npos);
    CHECK(named.find(pulled) != std::string::npos);
    CHECK(named.find(other) == std::string::npos);
    CHECK(named.find(stream) != std::string::npos);
    CHECK(named.find(channel) != std::string::npos);
    CHECK(named.find(other_stream) == std::string::npos);
    CHECK(each.at("/outOfReach/3") == "none");  // there is no Redis that states are kept in
  }
  // The log keeps which they were.
  REQUIRE(service.send(Method::Delete, "/v1/subscriptions/" + all).status == 204);
  CHECK(service.get(asked.header("Location")).at("/outOfReach") == status.at("/outOfReach"));
}

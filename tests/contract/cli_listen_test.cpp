// `stele listen`, with a sender of our own.

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "api/subscriptions/webhook_signature.h"
#include "tests/contract/http_fixture.h"
#include "tests/contract/listen_process.h"
#include "tests/support/client_script.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

using api::WebhookSecret;

std::string delivery_of(std::string_view aggregate, std::size_t events = 1) {
  std::string body = R"({"subscriptionId":"sub_1","events":[)";
  for (std::size_t i = 1; i <= events; ++i) {
    body += std::string(i == 1 ? "" : ",") + R"({"eventId":"01a207b1-c5f4-7ddc-ac17-39586db6ffe5","position":)" +
            std::to_string(i) + R"(,"timestamp":"2026-11-28T09:17:00.788517Z","sequenceNumber":)" + std::to_string(i) +
            R"(,"eventType":"Sent","aggregateId":)" + json_text(aggregate) + R"(,"data": {"n" : [1.50,)" + "\n" +
            R"(2]}})";
  }
  return body + "]}";
}

Headers signed_by(const std::vector<WebhookSecret>& secrets, const std::string& id, std::string_view body,
                  std::int64_t seconds_ago = 0) {
  return api::webhook_headers(secrets, id, std::time(nullptr) - seconds_ago, body);
}

/// With the secret in its environment.
ListenProcess listen_with(const WebhookSecret& secret, std::vector<std::string> more = {}) {
  return ListenProcess(std::move(more), {{"STELE_WEBHOOK_SECRET", secret.text()}});
}
HttpClient client_of(const ListenProcess& listener) { return HttpClient(listener.port()); }

}  // namespace

TEST_CASE("Listen.PrintsWhatIsSignedAndTakesIt") {
  const WebhookSecret secret = WebhookSecret::make();
  ListenProcess listener = listen_with(secret);
  HttpClient client = client_of(listener);
  const std::string body = delivery_of("a/1", 2);
  const auto answer = client.post("/hooks?x=1", body, "application/json", signed_by({secret}, "sub_1_1", body));
  CHECK(answer.status == 204);
  CHECK(answer.body.empty());
  const std::string other = delivery_of("a/2");
  CHECK(client.post("/", other, "application/json", signed_by({secret}, "sub_1_2", other)).status == 204);
  const auto lines = listener.end();
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].starts_with("ANSWER     POSITION  TIME"));
  CHECK(lines[1].starts_with("204               1  2026-11-28T09:17:00Z  a/1 "));
  CHECK(lines[1].ends_with(R"({"n":[1.5,2]})"));
  CHECK(lines[2].starts_with("204               2  2026-11-28T09:17:00Z  a/1 "));
  CHECK(lines[3].starts_with("204               1  2026-11-28T09:17:00Z  a/2 "));
  CHECK_FALSE(contains(listener.process().err(), "not verified"));
  CHECK_FALSE(contains(listener.process().err(), secret.text()));
}

TEST_CASE("Listen.WritesOneObjectALine") {
  const WebhookSecret secret = WebhookSecret::make();
  ListenProcess listener = listen_with(secret, {"--json"});
  HttpClient client = client_of(listener);
  const std::string body = delivery_of("a/\xC3\xA9\"", 2);
  CHECK(client.post("/", body, "application/json", signed_by({secret}, "sub_1_1", body)).status == 204);
  const auto lines = listener.end();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].ends_with(R"("data":{"n":[1.50,2]}}})"));
  const Json line(lines[1]);
  CHECK(line.text("/webhookId") == "sub_1_1");
  CHECK(line.text("/subscriptionId") == "sub_1");
  CHECK(line.at("/verified").minified() == "true");
  CHECK(line.at("/repeated").minified() == "false");
  CHECK(line.number("/answer") == 204);
  CHECK(line.number("/event/position") == 2);
  CHECK(line.text("/event/aggregateId") == "a/\xC3\xA9\"");
}

TEST_CASE("Listen.RefusesWhatIsNotSignedByTheSecret") {
  const WebhookSecret secret = WebhookSecret::make(), other = WebhookSecret::make();
  ListenProcess listener = listen_with(secret, {"--json"});
  HttpClient client = client_of(listener);
  const std::string body = delivery_of("never");
  const auto refused = [&](const Headers& headers, std::string_view sent, const std::string& why) {
    CAPTURE(why);
    const auto answer = client.post("/", sent, "application/json", headers);
    const Json problem = check_problem(answer, 401, "invalid-credentials");
    CHECK(contains(problem.text("/detail"), why));
    CHECK(contains(listener.process().wait_for_stderr("refused (401) what came from 127.0.0.1: " + why), why));
  };
  refused({}, body, "it is not signed");
  refused(signed_by({other}, "sub_1_1", body), body, "no signature is that of the secret");
  refused(signed_by({secret}, "sub_1_1", body), body + " ", "no signature is that of the secret");
  refused(signed_by({secret}, "sub_1_1", body, 1000), body, "webhook-timestamp is more than five minutes ago");
  refused(signed_by({secret}, "sub_1_1", body, -1000), body, "webhook-timestamp is more than five minutes ahead");
  refused({{"webhook-id", "a.b"}, {"webhook-timestamp", "1"}, {"webhook-signature", "v1,"}}, body, "webhook-id must");
  refused({{"webhook-id", "a"}, {"webhook-timestamp", "soon"}, {"webhook-signature", "v1,"}}, body,
          "webhook-timestamp is not a number");
  CHECK(client.post("/", body, "application/json", signed_by({secret}, "sub_1_1", body)).status == 204);
  CHECK(listener.end().size() == 1);
}

TEST_CASE("Listen.WhatIsNoDeliveryIsRefused") {
  const WebhookSecret secret = WebhookSecret::make();
  ListenProcess listener = listen_with(secret);
  HttpClient client = client_of(listener);
  for (const std::string& body : {std::string("nothing"), std::string("[]"), std::string("{}"),
                                  std::string(R"({"events":{}})"), std::string(R"({"events":[]}x)"), std::string(),
                                  std::string(R"({"events":["\xFF"]})"), std::string(5000, '[')}) {
    CAPTURE(body);
    check_problem(client.post("/", body, "application/json", signed_by({secret}, "sub_1_1", body)), 400,
                  "malformed-request");
  }
  const auto get = client.get("/");
  check_problem(get, 405, "method-not-allowed");
  CHECK(get.header("Allow") == "POST");
  const std::string large(17U << 20, ' ');
  check_problem(client.post("/", large, "application/json", signed_by({secret}, "sub_1_1", large)), 413);
  const std::string odd = R"({"events":[1,"\u001b[31m",null,[{}]]})";
  CHECK(client_of(listener).post("/", odd, "application/json", signed_by({secret}, "sub_1_2", odd)).status == 204);
  CHECK(listener.end().size() == 5);
  CHECK_FALSE(contains(listener.process().out(), "\x1b"));
}

TEST_CASE("Listen.EitherSecretDoesWhileTheyAreRotated") {
  const WebhookSecret before = WebhookSecret::make(), now = WebhookSecret::make();
  for (const WebhookSecret& known : {before, now}) {
    ListenProcess listener = listen_with(known);
    const std::string body = delivery_of("a");
    CHECK(client_of(listener).post("/", body, "application/json", signed_by({now, before}, "sub_1_1", body)).status ==
          204);
    CHECK(listener.end().size() == 2);
  }
}

TEST_CASE("Listen.BelievesWhatTheReferenceLibrarySigns") {
  const WebhookSecret secret = WebhookSecret::make();
  ListenProcess listener = listen_with(secret);
  const std::string body = delivery_of("a/\xC3\xA9");
  CHECK(run_client_script("post_webhook", {listener.url(), secret.text()}, body).out == "204\n");
  CHECK(run_client_script("post_webhook", {listener.url(), WebhookSecret::make().text()}, body).out == "401\n");
  CHECK(listener.end().size() == 2);
}

TEST_CASE("Listen.TheFileOfTheSecretIsLookedIntoAtEachDelivery") {
  const WebhookSecret first = WebhookSecret::make(), second = WebhookSecret::make();
  const test::TempFolder folder;
  const std::string file = folder.file("secret");
  ListenProcess listener({"--secret-file", file, "--json"});
  HttpClient client = client_of(listener);
  const std::string body = delivery_of("a");
  const auto post = [&](const WebhookSecret& secret) {
    return client.post("/", body, "application/json", signed_by({secret}, "sub_1_1", body)).status;
  };
  const auto write = [&](const std::string& text) { std::ofstream(file, std::ios::trunc) << text; };
  CHECK(post(first) == 500);
  CHECK(contains(listener.process().wait_for_stderr("cannot verify it"), file));
  write("rubbish\n");
  CHECK(post(first) == 500);
  write(first.text() + "\n");
  CHECK(post(first) == 204);
  CHECK(post(second) == 401);
  write(first.text() + "\n" + second.text() + "\n");
  CHECK(post(first) == 204);
  CHECK(post(second) == 204);
  CHECK(listener.end().size() == 3);
}

TEST_CASE("Listen.WithoutASecretItSaysThatNothingIsVerified") {
  ListenProcess listener({"--json"});
  CHECK_FALSE(listener.process().wait_for_stderr("signatures are not verified").empty());
  CHECK(client_of(listener).post("/", delivery_of("a")).status == 204);
  CHECK(client_of(listener).post("/", delivery_of("a"), "application/json", {{"webhook-id", "\x9B\xFF"}}).status ==
        204);
  const auto lines = listener.end();
  REQUIRE(lines.size() == 2);
  for (const std::string& line : lines) CHECK(Json(line).at("/verified").minified() == "false");
}

TEST_CASE("Listen.MarksWhatCameBefore") {
  const WebhookSecret secret = WebhookSecret::make();
  ListenProcess listener = listen_with(secret);
  const std::string body = delivery_of("a");
  for (const char* const id : {"one", "two", "one", "one"}) {
    CHECK(client_of(listener).post("/", body, "application/json", signed_by({secret}, id, body)).status == 204);
  }
  const auto lines = listener.end();
  REQUIRE(lines.size() == 5);
  CHECK(lines[1].starts_with("204        "));
  CHECK(lines[2].starts_with("204        "));
  CHECK(lines[3].starts_with("204 again  "));
  CHECK(lines[4].starts_with("204 again  "));
}

TEST_CASE("Listen.PlaysAReceiverThatFails") {
  const auto answers = [](const std::vector<std::string>& flags, int times) {
    ListenProcess listener(flags);
    HttpClient client = client_of(listener);
    std::vector<int> statuses;
    for (int i = 0; i < times; ++i) statuses.push_back(client.post("/", delivery_of("a")).status);
    CHECK(listener.end().size() == static_cast<std::size_t>(times) + 1);
    return statuses;
  };
  CHECK(answers({"--status", "410"}, 2) == std::vector<int>{410, 410});
  CHECK(answers({"--fail", "100%"}, 2) == std::vector<int>{500, 500});
  CHECK(answers({"--fail", "0", "--status", "429"}, 2) == std::vector<int>{204, 204});
  const auto some = answers({"--fail", "50%", "--status", "429"}, 200);
  const auto failed = std::count(some.begin(), some.end(), 429);
  CHECK(failed + std::count(some.begin(), some.end(), 204) == 200);
  CHECK(failed > 0);
  CHECK(failed < 200);
}

TEST_CASE("Listen.EndsAfterSoManyDeliveries") {
  const WebhookSecret secret = WebhookSecret::make();
  ListenProcess listener = listen_with(secret, {"--count", "2", "--json"});
  const std::string body = delivery_of("a");
  HttpClient client = client_of(listener);
  CHECK(client.post("/", body).status == 401);  // does not count
  CHECK(client.post("/", body, "application/json", signed_by({secret}, "one", body)).status == 204);
  CHECK(listener.process().running());
  CHECK(client.post("/", body, "application/json", signed_by({secret}, "two", body)).status == 204);
  CHECK(listener.process().wait() == 0);
  CHECK(lines_of(listener.process().out()).size() == 2);

  ListenProcess once({"--once"});
  once.process().signal(SIGINT);
  CHECK(once.process().wait() == 1);
  CHECK(contains(once.process().err(), "ended after 0 of 1 deliveries"));
}

TEST_CASE("Listen.SaysWhatIsWrongWithTheUsage") {
  const auto complaint = [](std::vector<std::string> arguments, const Environment& environment = {}) {
    arguments.insert(arguments.begin(), "listen");
    const auto result = run_stele(arguments, {}, environment);
    CHECK(result.exit_code == 2);
    return result.err;
  };
  CHECK(contains(complaint({"--address", "here"}), "--address is like"));
  CHECK(contains(complaint({}, {{"STELE_WEBHOOK_SECRET", "whsec_short"}}), "STELE_WEBHOOK_SECRET holds something"));
  CHECK_FALSE(contains(complaint({}, {{"STELE_WEBHOOK_SECRET", "whsec_short"}}), "whsec_short"));
  CHECK(contains(complaint({"--once", "--count", "2"}), "exclude each other"));
  CHECK(contains(complaint({"--fail", "101%"}), "is not a percentage"));
  CHECK(contains(complaint({"--fail", "-1"}), "is not a percentage"));
  CHECK(contains(complaint({"--status", "600"}), "is outside 200 .. 599"));
  // A secret on a command line is everyone's: there is no such flag.
  complaint({"--secret", WebhookSecret::make().text()});
  ListenProcess listener;
  const auto taken = run_stele({"listen", "--address", "127.0.0.1:" + std::to_string(listener.port())});
  CHECK(taken.exit_code == 1);
}

}  // namespace stele::tests

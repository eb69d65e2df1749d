// What an answer of a webhook's receiver means, class by class.

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/subscriptions/webhook_sink.h"
#include "engine/base/clock.h"
#include "engine/base/uuid.h"

using namespace stele;
using namespace stele::api;

namespace {

using Kind = DeliveryFailure::Kind;
using Outcome = WebhookAnswer::Outcome;

struct Judgement {
  Outcome outcome = Outcome::Answered;
  int status = 0;
  std::string error;
  Kind kind = Kind::Retry;
  bool is_outage = false;
};

}  // namespace

TEST_CASE("WebhookSink.WhatAnAnswerMeans") {
  const std::vector<Judgement> table{
      // No answer: others would fail as well.
      {Outcome::NameFailed, 0, "name-failed", Kind::Retry, true},
      {Outcome::ConnectFailed, 0, "connect-failed", Kind::Retry, true},
      {Outcome::TlsFailed, 0, "tls-failed", Kind::Retry, true},
      {Outcome::TimedOut, 0, "timed-out", Kind::Retry, true},
      {Outcome::BrokenOff, 0, "broken-off", Kind::Retry, true},
      {Outcome::BrokenOff, 200, "broken-off", Kind::Retry, true},
      {Outcome::NotHttp, 0, "not-http", Kind::Retry, true},
      {Outcome::HeadTooLarge, 0, "head-too-large", Kind::Retry, true},
      // It would be the same each time.
      {Outcome::AddressRefused, 0, "address-refused", Kind::Final, false},
      {Outcome::Unsendable, 0, "unsendable", Kind::Final, false},
      // Overload.
      {Outcome::Answered, 429, "status", Kind::Retry, true},
      {Outcome::Answered, 502, "status", Kind::Retry, true},
      {Outcome::Answered, 503, "status", Kind::Retry, true},
      {Outcome::Answered, 504, "status", Kind::Retry, true},
      // This batch alone, perhaps.
      {Outcome::Answered, 408, "status", Kind::Retry, false},
      {Outcome::Answered, 425, "status", Kind::Retry, false},
      {Outcome::Answered, 500, "status", Kind::Retry, false},
      {Outcome::Answered, 501, "status", Kind::Retry, false},
      {Outcome::Answered, 301, "status", Kind::Retry, false},
      {Outcome::Answered, 400, "status", Kind::Retry, false},
      {Outcome::Answered, 404, "status", Kind::Retry, false},
      {Outcome::Answered, 199, "status", Kind::Retry, false},
      {Outcome::Answered, 300, "status", Kind::Retry, false},
      {Outcome::Answered, 999, "status", Kind::Retry, false},
      // What the receiver says of it.
      {Outcome::Answered, 410, "gone", Kind::Stop, false},
      {Outcome::Answered, 413, "status", Kind::TooLarge, false},
  };
  for (const Judgement& expected : table) {
    CAPTURE(expected.status);
    CAPTURE(expected.error);
    WebhookAnswer answer;
    answer.outcome = expected.outcome;
    answer.status = expected.status;
    answer.body = std::string(5'000, 'x');
    answer.detail = expected.outcome == Outcome::Answered ? "" : "in words";
    answer.duration = std::chrono::milliseconds(7);
    const AttemptOutcome judged = judge_webhook_answer(answer, {});
    CHECK_FALSE(judged.delivered);
    CHECK_FALSE(judged.abandoned);
    CHECK(judged.failure.kind == expected.kind);
    CHECK(judged.failure.error == expected.error);
    CHECK(judged.failure.status == expected.status);
    CHECK_FALSE(judged.failure.retry_after);
    CHECK(judged.is_outage == expected.is_outage);
    CHECK(judged.status == expected.status);
    CHECK_FALSE(judged.detail.empty());
    CHECK(judged.answer == std::string(1'024, 'x'));
    CHECK(judged.duration == std::chrono::milliseconds(7));
  }
}

TEST_CASE("WebhookSink.WhatWasNotAttemptedDoesNotCount") {
  for (const Outcome outcome : {Outcome::Busy, Outcome::Cancelled}) {
    WebhookAnswer answer;
    answer.outcome = outcome;
    const AttemptOutcome judged = judge_webhook_answer(answer, {});
    CHECK(judged.abandoned);
    CHECK_FALSE(judged.delivered);
    CHECK_FALSE(judged.is_outage);
  }
}

TEST_CASE("WebhookSink.WhatTheReceiverAsksToWaitIsKept") {
  for (const int status : {408, 425, 429, 500, 503}) {
    CAPTURE(status);
    WebhookAnswer answer;
    answer.outcome = Outcome::Answered;
    answer.status = status;
    answer.retry_after = std::chrono::seconds(30);
    const AttemptOutcome judged = judge_webhook_answer(answer, {});
    CHECK(judged.failure.kind == Kind::Retry);
    CHECK(judged.failure.retry_after == std::optional<std::chrono::milliseconds>(std::chrono::seconds(30)));
  }
}

TEST_CASE("WebhookSink.AGoodAnswerMayTakeSomeEventsBack") {
  const Uuid a{{1}}, b{{2}}, c{{3}};
  const std::vector<SentEvent> sent{{a, Position{4}}, {b, Position{5}}, {c, Position{7}}};
  const std::string failed =
      R"({"failed":[")" + to_string(c) + R"(",null,")" + to_string(a) + R"(",")" + to_string(Uuid{{9}}) + R"("]})";
  const auto judge = [&](int status, const std::string& body, bool cut = false) {
    WebhookAnswer answer;
    answer.outcome = Outcome::Answered;
    answer.status = status;
    answer.body = body;
    answer.body_cut = cut;
    return judge_webhook_answer(answer, sent);
  };
  for (const int status : {200, 204, 299}) {
    CAPTURE(status);
    const AttemptOutcome judged = judge(status, failed);
    CHECK(judged.delivered);
    CHECK(judged.refused == std::vector<Position>{Position{4}, Position{7}});
    CHECK_FALSE(judged.is_outage);
  }
  for (const char* body : {"", "ok", R"({"failed":[]})", R"({"failed":{}})", R"({"failed":)", R"([{"failed":1}])"}) {
    CAPTURE(body);
    const AttemptOutcome judged = judge(200, body);
    CHECK(judged.delivered);
    CHECK(judged.refused.empty());
  }
  CHECK(judge(200, failed, true).refused.empty());
  CHECK_FALSE(judge(500, failed).delivered);
  CHECK(judge(500, failed).refused.empty());
}

TEST_CASE("WebhookSink.SaysWhoseItsRequestsAre") {
  struct KeepsOwner final : WebhookSender {
    void send(WebhookRequest request, Done) override { owner = *request.owner; }
    [[nodiscard]] std::string url_objection(std::string_view) const override { return {}; }
    [[nodiscard]] std::string tls_objection(const WebhookTls&) const override { return {}; }
    void stop() override {}
    std::string owner;
  } sender;
  const auto owner_of = [&](const std::string& name, bool has_key) {
    SubscriptionDefinition definition;
    definition.id = "sub_1";
    definition.owner.name = name;
    definition.owner.has_key = has_key;
    WebhookSink(sender, system_clock(), definition, {}).attempt({"id", {}}, [](const AttemptOutcome&) {});
    return sender.owner;
  };
  CHECK(owner_of("ada", true) == owner_of("ada", true));
  CHECK(owner_of("ada", true) != owner_of("bob", true));
  // The subject of a JWT is nobody's key, whatever it is called.
  CHECK(owner_of("ada", true) != owner_of("ada", false));
  CHECK(owner_of("ada", true) != owner_of("key ada", false));
}

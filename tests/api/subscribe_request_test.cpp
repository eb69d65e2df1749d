#include "api/subscriptions/subscribe_request.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace stele;
using namespace stele::api;

namespace {

/// A server that refuses callbacks to one host and one authority.
class RequestChecks final : public SubscribeChecks {
 public:
  const SubscriptionLimits& limits() const override { return bounds; }
  std::string url_objection(std::string_view url) const override {
    return url.find("refused") == std::string_view::npos ? "" : "that address is not allowed";
  }
  std::string tls_objection(const WebhookTls& tls) const override {
    return tls.ca == "bad" ? "the authority is no certificate" : "";
  }
  bool has_redis() const override { return redis; }
  std::uint32_t newest_version(const std::vector<std::string>& /*event_types*/) const override { return 3; }
  bool redis = true;
  SubscriptionLimits bounds;
};

const RequestChecks kChecks;

simdjson::padded_string padded(const std::string& body) { return simdjson::padded_string(body.data(), body.size()); }

SubscribeRequest good_request(const std::string& body) {
  const auto text = padded(body);
  auto parsed = parse_subscribe_request(text, kChecks);
  if (const auto* problem = std::get_if<Problem>(&parsed)) FAIL(problem->detail());
  return std::get<SubscribeRequest>(std::move(parsed));
}

/// Kind of the refusal, and where each of its errors is.
template <class Parsed>
std::string refusal_of(const Parsed& parsed) {
  const auto* const problem = std::get_if<Problem>(&parsed);
  if (problem == nullptr) return "none";
  std::string text(problem->kind().slug);
  for (const FieldError& error : problem->field_errors()) text += ' ' + error.where;
  return text;
}
std::string refused(const std::string& body, const RequestChecks& checks = kChecks) {
  const auto text = padded(body);
  return refusal_of(parse_subscribe_request(text, checks));
}
/// The same of a webhook with these members of `delivery`.
std::string refused_delivery(const std::string& members) {
  return refused(R"({"delivery":{"type":"webhook","url":"https://a.example/")" + members + "}}");
}

std::variant<ChangeRequest, Problem> changed(const std::string& body, const SubscriptionDefinition& before) {
  const auto text = padded(body);
  return parse_change_request(text, before, kChecks);
}
ChangeRequest good_change(const std::string& body, const SubscriptionDefinition& before) {
  auto parsed = changed(body, before);
  if (const auto* problem = std::get_if<Problem>(&parsed)) FAIL(problem->detail());
  return std::get<ChangeRequest>(std::move(parsed));
}

std::string list_of(std::size_t count, const std::string& prefix) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "\"" : ",\"") + prefix + std::to_string(i) + '"';
  return text + "]";
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("SubscribeRequest.TheShortFormIsAWebhookWithAllDefaults") {
  const SubscribeRequest request =
      good_request(R"({"eventType":"MissionCreated","callbackUrl":"https://a.example/hook"})");
  SubscriptionDefinition expected;
  expected.event_types = {"MissionCreated"};
  expected.url = "https://a.example/hook";
  CHECK(request.definition == expected);
  CHECK(request.definition.kind == DeliveryKind::Webhook);
  CHECK(request.definition.batch_events == 1);
  CHECK(request.definition.in_flight_max == 16);
  CHECK(request.definition.attempts_max == 10);
  CHECK(request.definition.on_dead_letter == OnDeadLetter::Skip);
  CHECK_FALSE(request.from);
  CHECK_FALSE(request.replaces);
  CHECK_FALSE(request.secrets.headers);
  CHECK_FALSE(request.secrets.tls);
  CHECK(good_request(R"({"callbackUrl":"https://a.example"})").definition.event_types.empty());
}

TEST_CASE("SubscribeRequest.EverythingThatCanBeSaidIsTaken") {
  const SubscribeRequest request = good_request(R"({
    "eventTypes":["A","$SubscriptionCreated"],"aggregateTypes":["Mission"],"aggregateIds":["m/1","m/2"],
    "tags":["red","blue"],"replayUntil":41,"from":17,"replaces":"sub_1",
    "delivery":{"type":"webhook","url":"https://a.example/x","headers":{"Authorization":"Bearer s","X-a":""},
                "tls":{"ca":"CA","clientCertificate":"CERT","clientKey":"KEY"},"timeoutMs":60000,"batchSize":1000,
                "maxPerSecond":5,"maxInFlight":1},
    "retry":{"maxAttempts":50,"initialDelayMs":100,"maxDelayMs":86400000},"onDeadLetter":"park"})");
  const SubscriptionDefinition& definition = request.definition;
  CHECK(definition.event_types == Texts{"A", "$SubscriptionCreated"});
  CHECK(definition.aggregate_types == Texts{"Mission"});
  CHECK(definition.aggregate_ids == Texts{"m/1", "m/2"});
  CHECK(definition.tags == Texts{"red", "blue"});
  CHECK(definition.replay_until == Position{41});
  CHECK(definition.url == "https://a.example/x");
  CHECK(definition.header_names == Texts{"Authorization", "X-a"});
  CHECK(definition.has_ca);
  CHECK(definition.has_client_certificate);
  CHECK(definition.timeout == std::chrono::seconds(60));
  CHECK(definition.batch_events == 1000);
  CHECK(definition.per_second_max == 5);
  CHECK(definition.in_flight_max == 1);
  CHECK(definition.attempts_max == 50);
  CHECK(definition.initial_delay == std::chrono::milliseconds(100));
  CHECK(definition.delay_max == std::chrono::hours(24));
  CHECK(definition.on_dead_letter == OnDeadLetter::Park);
  CHECK(request.replaces == "sub_1");
  REQUIRE(request.secrets.headers);
  CHECK(*request.secrets.headers ==
        std::vector<std::pair<std::string, std::string>>{{"Authorization", "Bearer s"}, {"X-a", ""}});
  REQUIRE(request.secrets.tls);
  CHECK(request.secrets.tls->client_key == "KEY");
}

TEST_CASE("SubscribeRequest.WhereDeliveriesBegin") {
  const auto from = [](const std::string& value) {
    return good_request(R"({"delivery":{"type":"pull"},"from":)" + value + "}").from.value();
  };
  CHECK(from(R"("now")").kind == StartAt::Kind::Now);
  CHECK(from(R"("beginning")").kind == StartAt::Kind::Beginning);
  CHECK(from("0").kind == StartAt::Kind::Behind);
  CHECK(from("4711").position == Position{4711});
  const StartAt time = from(R"("1970-01-01T00:00:01.0000005Z")");
  CHECK(time.kind == StartAt::Kind::Time);
  CHECK(time.time == Timestamp{1'000'001});
  for (const char* bad : {"-1", "1.5", "1e3", "9223372036854775808", R"("")", R"("Now")", R"("yesterday")", "true",
                          "null", "[]", "{}", R"("17")"}) {
    CAPTURE(bad);
    CHECK(refused(R"({"delivery":{"type":"pull"},"from":)" + std::string(bad) + "}") == "invalid-request /from");
  }
}

TEST_CASE("SubscribeRequest.TheSeekHasToSayWhere") {
  const auto seek = [](const std::string& body) {
    const auto text = padded(body);
    return parse_seek_request(text);
  };
  const auto to = std::get<SeekRequest>(seek(R"({"from":"beginning"})"));
  CHECK(to.from.kind == StartAt::Kind::Beginning);
  CHECK_FALSE(to.dry_run);
  CHECK(std::get<SeekRequest>(seek(R"({"from":3,"dryRun":true})")).dry_run);
  CHECK(refusal_of(seek("{}")) == "invalid-request /from");
  CHECK(refusal_of(seek("")) == "invalid-request /from");
  CHECK(refusal_of(seek(R"({"from":1.5})")) == "invalid-request /from");
  CHECK(refusal_of(seek(R"({"from":1,"to":2})")) == "invalid-request /to");
  CHECK(refusal_of(seek(R"({"from":1,"dryRun":1})")) == "invalid-request /dryRun");
}

TEST_CASE("SubscribeRequest.WhatCannotBeIsRefusedAndNamed") {
  CHECK(refused("{") == "malformed-json");
  CHECK(refused("[]") == "invalid-request ");
  CHECK(refused("") == "invalid-request /delivery");
  CHECK(refused("{}") == "invalid-request /delivery");
  CHECK(refused(R"({"delivery":[]})") == "invalid-request /delivery");
  CHECK(refused(R"({"delivery":null})") == "invalid-request /delivery");
  CHECK(refused(R"({"delivery":{}})") == "invalid-request /delivery/type");
  CHECK(refused(R"({"delivery":{"type":"carrier-pigeon"}})") == "invalid-request /delivery/type");
  CHECK(refused(R"({"delivery":{"type":7}})") == "invalid-request /delivery/type");
  CHECK(refused(R"({"delivery":{"type":"webhook"}})") == "invalid-request /delivery/url");
  CHECK(refused(R"({"delivery":{"type":"redis-stream"}})") == "invalid-request /delivery/key");
  CHECK(refused(R"({"delivery":{"type":"redis-pubsub"}})") == "invalid-request /delivery/channel");
  CHECK(refused(R"({"callbackUrl":"https://a.example","callbackURL":"x"})") == "invalid-request /callbackURL");
  CHECK(refused(R"({"callbackUrl":"https://a.example","delivery":{"type":"pull"}})") == "invalid-request /callbackUrl");
  CHECK(refused(R"({"callbackUrl":"https://a.example","eventType":"A","eventTypes":["A"]})") ==
        "invalid-request /eventType");
  CHECK(refused(R"({"callbackUrl":"https://a.example/)" + std::string(2048, 'a') + R"("})") ==
        "invalid-request /callbackUrl");
  for (const char* const version : {"4", "0", "\"newest\"", "true", "-1"}) {
    CHECK(refused(R"({"callbackUrl":"https://a.example","schemaVersion":)" + std::string(version) + "}") ==
          "invalid-request /schemaVersion");
  }
  CHECK(refused(R"({"callbackUrl":"https://a.example","replayUntil":-1})") == "invalid-request /replayUntil");
  CHECK(refused(R"({"callbackUrl":"https://a.example","onDeadLetter":"drop"})") == "invalid-request /onDeadLetter");
  CHECK(refused(R"({"callbackUrl":"https://a.example","onDeadLetter":null})") == "invalid-request /onDeadLetter");
  CHECK(refused(R"({"delivery":{"type":"pull"},"tags":[],"from":{},"retry":7})") ==
        "invalid-request /tags /retry /from");
}

TEST_CASE("SubscribeRequest.ListsHaveDistinctTextsAndABound") {
  const auto with = [](const std::string& members) {
    return refused(R"({"delivery":{"type":"pull"},)" + members + "}");
  };
  for (const std::string name : {"eventTypes", "aggregateTypes", "aggregateIds", "tags"}) {
    CAPTURE(name);
    const std::string at = "invalid-request /" + name;
    CHECK(with("\"" + name + "\":[]") == at);
    CHECK(with("\"" + name + "\":\"A\"") == at);
    CHECK(with("\"" + name + "\":null") == at);
    CHECK(with("\"" + name + "\":[\"a\",7]") == at + "/1");
    CHECK(with("\"" + name + "\":[\"\"]") == at + "/0");
    CHECK(with("\"" + name + "\":[\"a\\u0000\"]") == at + "/0");
    CHECK(with("\"" + name + "\":[\"a\",\"b\",\"a\"]") == at + "/2");
    CHECK(with("\"" + name + "\":[\"" + std::string(256, 'x') + "\"]") == at + "/0");
    CHECK(with("\"" + name + "\":" + list_of(101, "x")) == at);
  }
  CHECK(with("\"tags\":" + list_of(17, "x")) == "invalid-request /tags");
  CHECK(with("\"tags\":" + list_of(16, "x")) == "none");
  CHECK(with("\"eventTypes\":" + list_of(100, "x")) == "none");
  CHECK(with("\"eventTypes\":" + list_of(60, "x") + ",\"aggregateIds\":" + list_of(40, "x")) == "none");
  CHECK(with("\"eventTypes\":" + list_of(60, "x") + ",\"aggregateIds\":" + list_of(41, "x")) ==
        "invalid-request /eventTypes");
}

TEST_CASE("SubscribeRequest.NumbersHaveBounds") {
  struct Bound {
    std::string name;
    std::uint64_t min, max;
  };
  for (const Bound& bound : {Bound{"batchSize", 1, 1000}, Bound{"maxInFlight", 1, 1000}, Bound{"timeoutMs", 1, 60'000},
                             Bound{"maxPerSecond", 1, 1'000'000}}) {
    CAPTURE(bound.name);
    const std::string at = "invalid-request /delivery/" + bound.name;
    const auto with = [&](const std::string& value) { return refused_delivery(",\"" + bound.name + "\":" + value); };
    CHECK(with(std::to_string(bound.min)) == "none");
    CHECK(with(std::to_string(bound.max)) == "none");
    CHECK(with(std::to_string(bound.min - 1)) == at);
    CHECK(with(std::to_string(bound.max + 1)) == at);
    CHECK(with("null") == at);
    CHECK(with("\"1\"") == at);
  }
  const auto retry = [](const std::string& members) {
    return refused(R"({"delivery":{"type":"pull"},"retry":{)" + members + "}}");
  };
  CHECK(retry(R"("maxAttempts":1)") == "none");
  CHECK(retry(R"("maxAttempts":0)") == "invalid-request /retry/maxAttempts");
  CHECK(retry(R"("maxAttempts":51)") == "invalid-request /retry/maxAttempts");
  CHECK(retry(R"("initialDelayMs":99)") == "invalid-request /retry/initialDelayMs");
  CHECK(retry(R"("maxDelayMs":86400001)") == "invalid-request /retry/maxDelayMs");
  CHECK(retry(R"("initialDelayMs":5000,"maxDelayMs":4999)") == "invalid-request /retry/initialDelayMs");
  CHECK(retry(R"("initialDelayMs":5000,"maxDelayMs":5000)") == "none");
  CHECK(retry(R"("maxattempts":3)") == "invalid-request /retry/maxattempts");
}

TEST_CASE("SubscribeRequest.EachKindOfDeliveryHasMembersOfItsOwn") {
  const auto at = [](const std::string& name) { return "invalid-request /delivery/" + name; };
  CHECK(refused_delivery(R"(,"key":"k")") == at("key"));
  CHECK(refused_delivery(R"(,"channel":"c")") == at("channel"));
  CHECK(refused_delivery(R"(,"secret":"s")") == at("secret"));
  for (const std::string name : {"url", "headers", "tls", "timeoutMs", "key", "channel", "batchSize", "maxPerSecond"}) {
    CAPTURE(name);
    const std::string value = name == "headers" ? R"({"a":"b"})" : name == "tls" ? R"({"ca":"x"})" : "1";
    CHECK(refused(R"({"delivery":{"type":"pull",")" + name + "\":" + value + "}}").starts_with(at(name)));
  }
  CHECK(refused(R"({"delivery":{"type":"pull","maxInFlight":3}})") == "none");
  CHECK(refused(R"({"delivery":{"type":"redis-stream","key":"k","maxInFlight":3}})") == at("maxInFlight"));
  CHECK(refused(R"({"delivery":{"type":"redis-stream","key":"k","channel":"c"}})") == at("channel"));
}

TEST_CASE("SubscribeRequest.RedisIsDeliveredToInOrderAndOnlyWhereThereIsOne") {
  for (const std::string delivery :
       {R"({"type":"redis-stream","key":"orders"})", R"({"type":"redis-pubsub","channel":"orders"})"}) {
    CAPTURE(delivery);
    const SubscriptionDefinition definition = good_request("{\"delivery\":" + delivery + "}").definition;
    CHECK(definition.redis_name == "orders");
    CHECK(definition.on_dead_letter == OnDeadLetter::Stop);
    CHECK(definition.batch_events == 100);
    CHECK(refused("{\"onDeadLetter\":\"stop\",\"delivery\":" + delivery + "}") == "none");
    for (const char* other : {"skip", "park"}) {
      CHECK(refused("{\"onDeadLetter\":\"" + std::string(other) + "\",\"delivery\":" + delivery + "}") ==
            "invalid-request /onDeadLetter");
    }
    RequestChecks without;
    without.redis = false;
    CHECK(refused("{\"delivery\":" + delivery + "}", without) == "redis-not-configured /delivery/type");
    CHECK(refused("{\"x\":1,\"delivery\":" + delivery + "}", without) == "invalid-request /x");
  }
}

TEST_CASE("SubscribeRequest.HeadersAndKeysAreCheckedAndNeverToldOf") {
  const auto headers = [](const std::string& object) { return refused_delivery(",\"headers\":" + object); };
  const std::string at = "invalid-request /delivery/headers";
  CHECK(headers(R"({"X-Key":"secret"})") == "none");
  CHECK(headers("{}") == at);
  CHECK(headers("[]") == at);
  CHECK(headers(R"({"X-Key":7})") == at + "/X-Key");
  CHECK(headers(R"({"Webhook-Id":"x"})") == at + "/Webhook-Id");
  CHECK(headers(R"({"Content-Type":"x"})") == at + "/Content-Type");
  CHECK(headers(R"({"Host":"x"})") == at + "/Host");
  CHECK(headers(R"({"a b":"x"})") == at + "/a b");
  CHECK(headers(R"({"X":"a\r\nY: b"})") == at + "/X");
  CHECK(headers(R"({"X":"a","x":"b"})") == at + "/x");
  CHECK(headers(R"({"X":")" + std::string(4096, 'a') + R"("})") == at + "/X");
  std::string many = "{\"h0\":\"\"";
  for (int i = 1; i < 32; ++i) many += ",\"h" + std::to_string(i) + "\":\"\"";
  CHECK(headers(many + "}") == "none");
  CHECK(headers(many + ",\"h32\":\"\"}") == at);

  const auto tls = [](const std::string& object) { return refused_delivery(",\"tls\":" + object); };
  CHECK(tls(R"({"ca":"x"})") == "none");
  CHECK(tls("{}") == "invalid-request /delivery/tls");
  CHECK(tls(R"({"ca":"bad"})") == "invalid-request /delivery/tls");
  CHECK(tls(R"({"clientKey":"x"})") == "invalid-request /delivery/tls/clientCertificate");
  CHECK(tls(R"({"clientCertificate":"x"})") == "invalid-request /delivery/tls/clientKey");
  CHECK(tls(R"({"ca":")" + std::string(65'537, 'x') + R"("})") == "invalid-request /delivery/tls/ca");

  for (const char* body : {R"({"delivery":{"type":"webhook","url":"https://a","headers":{"X":"top secret\n"}}})",
                           R"({"delivery":{"type":"pull","headers":{"X":"top secret"}}})"}) {
    const auto text = padded(body);
    const auto parsed = parse_subscribe_request(text, kChecks);
    REQUIRE(std::holds_alternative<Problem>(parsed));
    CHECK(std::get<Problem>(parsed).response("/x").body.find("secret") == std::string::npos);
  }
}

TEST_CASE("SubscribeRequest.ACallbackThatMayNotBeIsAKindOfItsOwn") {
  CHECK(refused(R"({"callbackUrl":"https://refused.example"})") == "callback-refused /callbackUrl");
  CHECK(refused(R"({"delivery":{"type":"webhook","url":"https://refused.example"}})") ==
        "callback-refused /delivery/url");
  CHECK(refused(R"({"delivery":{"type":"webhook","url":"https://refused.example","x":1}})") ==
        "invalid-request /delivery/x");
}

TEST_CASE("SubscribeRequest.AChangeTakesThePlaceOfWhatWasThere") {
  SubscriptionDefinition before = good_request(R"({"eventTypes":["A"],"tags":["t"],"replayUntil":5,
      "delivery":{"type":"webhook","url":"https://a.example","headers":{"X":"1"},"tls":{"ca":"x"},"maxPerSecond":9,
                  "batchSize":7},
      "retry":{"maxAttempts":3,"initialDelayMs":200}})")
                                      .definition;
  before.id = "sub_0";
  before.owner.name = "ada";
  const ChangeRequest nothing = good_change("{}", before);
  CHECK(nothing.definition == before);
  CHECK_FALSE(nothing.secrets.headers);
  CHECK_FALSE(nothing.secrets.tls);

  SubscriptionDefinition after = before;
  after.event_types = {"B", "C"};
  after.url = "https://b.example";
  after.attempts_max = 4;
  after.on_dead_letter = OnDeadLetter::Stop;
  after.header_names = {"Y"};
  const ChangeRequest some = good_change(R"({"eventTypes":["B","C"],"onDeadLetter":"stop","retry":{"maxAttempts":4},
      "delivery":{"type":"webhook","url":"https://b.example","headers":{"Y":"2"}}})",
                                         before);
  CHECK(some.definition == after);
  REQUIRE(some.secrets.headers);
  CHECK(some.secrets.headers->size() == 1);
  CHECK_FALSE(some.secrets.tls);

  after = before;
  after.event_types.clear();
  after.tags.clear();
  after.replay_until.reset();
  after.header_names.clear();
  after.has_ca = false;
  after.per_second_max = 0;
  const ChangeRequest cleared = good_change(R"({"eventTypes":null,"tags":null,"replayUntil":null,
                      "delivery":{"headers":null,"tls":null,"maxPerSecond":null}})",
                                            before);
  CHECK(cleared.definition == after);
  REQUIRE(cleared.secrets.headers);
  CHECK(cleared.secrets.headers->empty());
  REQUIRE(cleared.secrets.tls);
  CHECK(cleared.secrets.tls->ca.empty());

  const auto refused_change = [&](const std::string& body) { return refusal_of(changed(body, before)); };
  CHECK(refused_change(R"({"delivery":{"type":"pull"}})") == "invalid-request /delivery/type");
  CHECK(refused_change(R"({"delivery":{"url":null}})") == "invalid-request /delivery/url");
  CHECK(refused_change(R"({"delivery":{"url":"https://refused.example"}})") == "callback-refused /delivery/url");
  CHECK(refused_change(R"({"delivery":null})") == "invalid-request /delivery");
  CHECK(refused_change(R"({"retry":{"maxDelayMs":100}})") == "invalid-request /retry/initialDelayMs");
  CHECK(refused_change(R"({"from":"now"})") == "invalid-request /from");
  CHECK(refused_change(R"({"callbackUrl":"https://b.example"})") == "invalid-request /callbackUrl");
  CHECK(refused_change(R"({"replaces":"x"})") == "invalid-request /replaces");
  CHECK(refused_change(R"({"eventTypes":[]})") == "invalid-request /eventTypes");
  CHECK(refused_change("7") == "invalid-request ");

  // What is no longer allowed does not stand in the way of another change.
  before.url = "https://refused.example";
  CHECK(
      good_change(R"({"delivery":{"url":"https://refused.example","batchSize":8}})", before).definition.batch_events ==
      8);
}

TEST_CASE("SubscribeRequest.TheOperatorsBoundsHold") {
  RequestChecks checks;
  checks.bounds.filter_entries_max = 3;
  checks.bounds.batch_events_max = 7;
  checks.bounds.headers_max = 2;
  checks.bounds.header_bytes_max = 20;
  checks.bounds.attempts_max = 4;
  checks.bounds.delay_min = std::chrono::milliseconds(2'000);
  checks.bounds.delay_max = std::chrono::milliseconds(60'000);
  const auto refused_with = [&](const std::string& members, const std::string& of_delivery = {}) {
    return refused(R"({"delivery":{"type":"webhook","url":"https://a.example/")" + of_delivery + "}" + members + "}",
                   checks);
  };
  const std::string kind = "invalid-request ";
  CHECK(refused_with(R"(,"eventTypes":["a","b"],"tags":["t"])") == "none");
  CHECK(refused_with(R"(,"eventTypes":["a","b"],"tags":["t","u"])") == kind + "/eventTypes");
  CHECK(refused_with(R"(,"aggregateIds":["a","b","c","d"])") == kind + "/aggregateIds");
  CHECK(refused_with("", R"(,"batchSize":7)") == "none");
  CHECK(refused_with("", R"(,"batchSize":8)") == kind + "/delivery/batchSize");
  CHECK(refused_with("", R"(,"headers":{"X-A":"1","X-B":"2"})") == "none");
  CHECK(refused_with("", R"(,"headers":{"X-A":"1","X-B":"2","X-C":"3"})") == kind + "/delivery/headers");
  CHECK(refused_with("", R"(,"headers":{"X-A":")" + std::string(17, 'v') + "\"}") == "none");
  CHECK(refused_with("", R"(,"headers":{"X-A":")" + std::string(18, 'v') + "\"}") == kind + "/delivery/headers/X-A");
  CHECK(refused_with(R"(,"retry":{"maxAttempts":4,"initialDelayMs":2000,"maxDelayMs":60000})") == "none");
  CHECK(refused_with(R"(,"retry":{"maxAttempts":5})") == kind + "/retry/maxAttempts");
  CHECK(refused_with(R"(,"retry":{"initialDelayMs":1999})") == kind + "/retry/initialDelayMs");
  CHECK(refused_with(R"(,"retry":{"maxDelayMs":60001})") == kind + "/retry/maxDelayMs");

  // What is left out keeps to them too.
  const auto webhook = padded(R"({"callbackUrl":"https://a.example/"})");
  const SubscriptionDefinition made = std::get<SubscribeRequest>(parse_subscribe_request(webhook, checks)).definition;
  CHECK(made.attempts_max == 4);
  CHECK(made.initial_delay == checks.bounds.delay_min);
  CHECK(made.delay_max == checks.bounds.delay_max);
  const auto stream = padded(R"({"delivery":{"type":"redis-stream","key":"k"}})");
  CHECK(std::get<SubscribeRequest>(parse_subscribe_request(stream, checks)).definition.batch_events == 7);

  // What was there under wider ones stays, until it is touched.
  SubscriptionDefinition before = made;
  before.event_types = {"a", "b", "c", "d"};
  before.batch_events = 1'000;
  before.attempts_max = 50;
  const auto change = [&](const std::string& body) {
    return refusal_of(parse_change_request(padded(body), before, checks));
  };
  CHECK(change(R"({"onDeadLetter":"park","delivery":{"maxInFlight":2},"retry":{"maxDelayMs":30000}})") == "none");
  CHECK(change(R"({"tags":["t"]})") == kind + "/eventTypes");
  CHECK(change(R"({"eventTypes":["a"],"tags":["t"]})") == "none");
}

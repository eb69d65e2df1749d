// Expected values were computed by Python's hmac; the first is the example of the reference libraries.

#include "api/subscriptions/webhook_signature.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace stele;
using namespace stele::api;

TEST_CASE("WebhookSignature.IsWhatTheSpecificationSays") {
  struct Case {
    const char* secret;
    const char* id;
    std::int64_t timestamp;
    std::string_view body;
    const char* signature;
  };
  using namespace std::string_view_literals;
  for (const Case& c : {
           Case{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                R"({"test": 2432232314})"sv, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
           Case{"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "a", 0, ""sv,
                "v1,N+Hx3edQLOlFWLC6mCr/sY5tyN1fcB3a/kg4SRyryWQ="},
           Case{"whsec_wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==",
                "sub-1_42", 1700000000, "{\"\xc3\xa4\":\"\0\"}"sv, "v1,Nj1XYUNY2LJKFABAF+5Utpr6Ik8m7WGonHGJnT2OubE="},
       }) {
    CAPTURE(c.id);
    const auto secret = WebhookSecret::parse(c.secret);
    REQUIRE(secret);
    CHECK(secret->text() == c.secret);
    CHECK(secret->sign(c.id, c.timestamp, c.body) == c.signature);
  }
}

TEST_CASE("WebhookSignature.TwoSecretsGiveTwoSignaturesWhileTheyAreRotated") {
  const auto now = WebhookSecret::make(), before = WebhookSecret::make();
  const std::vector<WebhookSecret> one{now}, both{now, before};
  const auto headers = webhook_headers(both, "msg_1", 1700000000, "{}");
  REQUIRE(headers.size() == 3);
  CHECK(headers[0] == std::pair<std::string, std::string>{"webhook-id", "msg_1"});
  CHECK(headers[1] == std::pair<std::string, std::string>{"webhook-timestamp", "1700000000"});
  CHECK(headers[2].first == "webhook-signature");
  CHECK(headers[2].second == now.sign("msg_1", 1700000000, "{}") + " " + before.sign("msg_1", 1700000000, "{}"));
  CHECK(webhook_headers(one, "msg_1", 1700000000, "{}")[2].second == now.sign("msg_1", 1700000000, "{}"));
}

TEST_CASE("WebhookSecret.EachOneMadeIsAnother") {
  std::set<std::string> texts;
  for (int i = 0; i < 100; ++i) {
    const std::string text = WebhookSecret::make().text();
    CHECK(text.size() == 6 + 44);  // 32 bytes
    REQUIRE(WebhookSecret::parse(text));
    CHECK(WebhookSecret::parse(text)->text() == text);
    texts.insert(text);
  }
  CHECK(texts.size() == 100);
}

TEST_CASE("WebhookSecret.NothingElseIsOne") {
  const std::string a24(32, 'A'), a23 = std::string(31, 'A') + "=", a65 = std::string(87, 'A') + "=";
  CHECK(WebhookSecret::parse("whsec_" + a24));
  CHECK(WebhookSecret::parse("whsec_" + std::string(86, 'A') + "=="));
  for (const std::string& text :
       {std::string(), a24, "whsec_" + a23, "whsec_" + a65, "whsec-" + a24, "WHSEC_" + a24, "whsec_" + a24 + " ",
        "whsec_" + std::string(31, 'A'), "whsec_" + std::string(33, 'A') + "B==", "whsec_" + std::string(31, 'A') + "-",
        "whsec_" + std::string(33, 'A') + "===", "whpk_" + a24, "whsec_" + a24 + "\n", std::string("whsec_")}) {
    CAPTURE(text);
    CHECK_FALSE(WebhookSecret::parse(text));
  }
}

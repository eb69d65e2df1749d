// The first example is that of the reference libraries.

#include "api/subscriptions/webhook_verification.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace stele;
using namespace stele::api;

namespace {

constexpr std::int64_t kNow = 1614265330;
constexpr const char* kNow10 = "1614265330";
constexpr const char* kRightSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
constexpr const char* kBody = R"({"test": 2432232314})";
constexpr const char* kId = "msg_p5jXN8AQM9LWM0D4loKWxJek";

std::vector<WebhookSecret> reference_secret() {
  return {*WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")};
}

std::string objection_to(const WebhookClaim& claim, std::string_view body = kBody, std::int64_t now = kNow) {
  return webhook_objection(reference_secret(), claim, body, now);
}

}  // namespace

TEST_CASE("WebhookVerification.TheExampleOfTheReferenceLibrariesIsBelieved") {
  CHECK(objection_to({kId, kNow10, kRightSignature}) == "");
  CHECK(objection_to({kId, kNow10, kRightSignature}, R"({"test": 2432232315})") ==
        "no signature is that of the secret");
  CHECK(objection_to({"msg_other", kNow10, kRightSignature}) == "no signature is that of the secret");
  CHECK(objection_to({kId, "1614265331", kRightSignature}) == "no signature is that of the secret");
  CHECK(webhook_objection({}, {kId, kNow10, kRightSignature}, kBody, kNow) == "no signature is that of the secret");
}

TEST_CASE("WebhookVerification.OneOfSeveralSignaturesIsEnough") {
  const std::string right = kRightSignature;
  for (const std::string& list :
       {"v1,AAAA " + right, right + " v1,AAAA", "v1a,xyz v2," + right.substr(3) + "  " + right, right + " " + right,
        " " + right + " "}) {
    CAPTURE(list);
    CHECK(objection_to({kId, kNow10, list}).empty());
  }
  for (const std::string& list :
       {"v2," + right.substr(3), "v1a," + right.substr(3), "V1," + right.substr(3), right.substr(3), right + ",",
        right.substr(0, right.size() - 1), right + "=", std::string(" "), std::string("v1,"), std::string(10'000, ' '),
        "v1," + std::string(10'000, 'A')}) {
    CAPTURE(list);
    CHECK(objection_to({kId, kNow10, list}) == "no signature is that of the secret");
  }
}

TEST_CASE("WebhookVerification.WhileSecretsAreRotatedEitherOneIsBelieved") {
  const WebhookSecret now = WebhookSecret::make(), before = WebhookSecret::make(), other = WebhookSecret::make();
  const std::vector<WebhookSecret> both{now, before};
  const auto headers = webhook_headers(both, "sub_1_7", kNow, "{}");
  const WebhookClaim claim{headers[0].second, headers[1].second, headers[2].second};
  for (const auto& known : {std::vector{now}, std::vector{before}, std::vector{other, before}}) {
    CHECK(webhook_objection(known, claim, "{}", kNow).empty());
  }
  CHECK_FALSE(webhook_objection(std::vector{other}, claim, "{}", kNow).empty());
}

TEST_CASE("WebhookVerification.ClocksMayBeFiveMinutesApart") {
  const WebhookClaim claim{kId, kNow10, kRightSignature};
  CHECK(objection_to(claim, kBody, kNow + 300).empty());
  CHECK(objection_to(claim, kBody, kNow - 300).empty());
  CHECK(objection_to(claim, kBody, kNow + 301) == "webhook-timestamp is more than five minutes ago");
  CHECK(objection_to(claim, kBody, kNow - 301) == "webhook-timestamp is more than five minutes ahead");
}

TEST_CASE("WebhookVerification.GarbageIsRefused") {
  for (const char* const timestamp : {"+1614265330", "-1", "01614265330", "1614265330.0", " 1614265330", "1e9", "now",
                                      "99999999999999999999", "-9223372036854775808", "0x10"}) {
    CAPTURE(timestamp);
    CHECK(objection_to({kId, timestamp, kRightSignature}) == "webhook-timestamp is not a number of seconds since 1970");
  }
  CHECK(objection_to({kId, "9223372036854775807", kRightSignature}) ==
        "webhook-timestamp is more than five minutes ahead");
  for (const std::string& id : {std::string("a.b"), std::string("a b"), std::string("\x1b[31m"), std::string("a\x9b"),
                                std::string(257, 'a'), std::string("a\0b", 3)}) {
    CAPTURE(id);
    CHECK(objection_to({id, kNow10, kRightSignature}).starts_with("webhook-id must have"));
  }
  for (const WebhookClaim& claim : {WebhookClaim{"", kNow10, kRightSignature}, WebhookClaim{kId, "", kRightSignature},
                                    WebhookClaim{kId, kNow10, ""}, WebhookClaim{}}) {
    CHECK(objection_to(claim).starts_with("it is not signed"));
  }
}

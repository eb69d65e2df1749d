// What receivers that others have written say of our webhooks.

#include <doctest/doctest.h>

#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "api/json/json_writer.h"
#include "api/subscriptions/webhook_signature.h"
#include "tests/support/client_script.h"

namespace stele::tests {

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

std::string verdict(const api::WebhookSecret& secret, const Headers& headers, std::string_view body) {
  std::string input;
  api::JsonWriter json(input);
  json.begin_object().key("headers").begin_object();
  for (const auto& [name, value] : headers) json.key(name).string(value);
  json.end_object().key("body").string(body).end_object();
  const ProcessResult result = run_client_script("verify_webhook", {secret.text()}, input);
  CHECK_EQ(result.exit_code, 0);
  return result.out;
}

}  // namespace

TEST_CASE("WebhookReceiver.TheReferenceLibraryVerifiesOurSignatures") {
  const api::WebhookSecret old_secret = api::WebhookSecret::make();
  const api::WebhookSecret new_secret = api::WebhookSecret::make();
  const std::string body = R"({"subscriptionId":"s","events":[{"data":{"name":"Jün"}}]})";
  const std::vector<api::WebhookSecret> both{new_secret, old_secret};
  const Headers headers = api::webhook_headers(both, "s_1_4711_3", std::time(nullptr), body);
  CHECK(verdict(old_secret, headers, body) == "good\n");
  CHECK(verdict(new_secret, headers, body) == "good\n");
  CHECK(verdict(api::WebhookSecret::make(), headers, body) == "No matching signature found\n");
  CHECK(verdict(new_secret, headers, body + " ") == "No matching signature found\n");
  const Headers late = api::webhook_headers(both, "s_1_4711_3", std::time(nullptr) - 3600, body);
  CHECK(verdict(new_secret, late, body) == "Message timestamp too old\n");
}

}  // namespace stele::tests

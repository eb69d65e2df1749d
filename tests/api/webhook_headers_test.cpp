#include "api/subscriptions/webhook_headers.h"

#include <doctest/doctest.h>

#include <string>

using namespace stele::api;

TEST_CASE("WebhookHeaders.OrdinaryFieldsAreFine") {
  for (const char* name : {"Authorization", "x-api-key", "X_1", "traceparent", "Accept"}) {
    CHECK(custom_header_objection(name, "Bearer a.b-c=") == "");
  }
  CHECK(custom_header_objection("X-Empty", "") == "");
  CHECK(custom_header_objection("X-Long", std::string(kWebhookHeaderBytesMax - 6, 'a')) == "");
  CHECK(custom_header_objection("X-Long", std::string(10, 'a'), 16) == "");
  CHECK(webhook_header_objection("webhook-id", "msg_1") == "");
  CHECK(webhook_header_objection("Content-Type", "application/json") == "");
}

TEST_CASE("WebhookHeaders.NothingCanBeSmuggledIn") {
  for (const char* name :
       {"", "a b", "a:", "X\r\n", "X\xc3\xa4", "(x)", "a\"", "Host", "host", "CONTENT-LENGTH", "Transfer-Encoding",
        "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect", "Content-Encoding", "Proxy-Authorization"}) {
    CAPTURE(name);
    CHECK(webhook_header_objection(name, "x") != "");
    CHECK(custom_header_objection(name, "x") != "");
  }
  for (const char* value : {"a\r\nX-Evil: 1", "a\nb", "a\rb", " a", "a ", "\ta", "\x01", "\x7f", "\xc3\xa4"}) {
    CHECK(webhook_header_objection("X-A", value) != "");
  }
  CHECK(webhook_header_objection("X-Nul", std::string("a\0b", 3)) != "");
  CHECK(webhook_header_objection("X-Long", std::string(kWebhookHeaderBytesMax - 5, 'a')) != "");
  CHECK(custom_header_objection("X-Long", std::string(11, 'a'), 16) != "");
  const std::string why = webhook_header_objection("X-Key", "topsecret\n");
  CHECK(why.find("X-Key") != std::string::npos);
  CHECK(why.find("topsecret") == std::string::npos);
}

TEST_CASE("WebhookHeaders.WhatSteleWritesIsNotForSubscribers") {
  for (const char* name : {"webhook-id", "Webhook-Signature", "webhook-anything", "content-type", "User-Agent"}) {
    CHECK(custom_header_objection(name, "x") != "");
  }
}

// Content negotiation, header fields and problems.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <set>

#include "api/http/negotiation.h"
#include "api/http/problem.h"
#include "api/http/request_headers.h"

using namespace stele::api;

TEST_CASE("Negotiation.ContentTypes") {
  for (const char* type :
       {"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8",
        "application/json ; charset=\"utf-8\"", "application/json;", "application/json; profile=x",
        "application/json; profile=\"https://example.org/a;b,c\"; charset=utf-8",
        "application/json; v=\"\\\";charset=x\"", "application/json;charset=utf-8;q",
        "application/json; charset=\"ut\\f-8\"", "application/json; charset = utf-8",
        "application/json; xcharset=latin1", "application/json;;charset=utf8"}) {
    CAPTURE(type);
    CHECK(body_format(type) == BodyFormat::Json);
  }
  for (const std::string type :
       {"application/x-ndjson", "application/ndjson", "application/jsonl", "Application/JSONL"}) {
    CAPTURE(type);
    CHECK(body_format(type) == BodyFormat::Ndjson);
    CHECK(body_format(type + "; charset=utf-8") == BodyFormat::Ndjson);
    CHECK(body_format(type + ";profile=x") == BodyFormat::Ndjson);
    CHECK(!body_format(type + "; charset=latin1"));
  }
  for (const char* type : {"", "text/plain", "text/json", "application/jsonx", "application/json, application/json",
                           "application/json; charset=latin1", "application/json; charset",
                           "application/json; charset=", "application/json; profile=x; charset=\"utf-16\"",
                           "application/json; CHARSET=latin1", "application/json; charset=utf-8; charset=latin1",
                           "application/json; charset = latin1", "application/json; profile=x, text/plain",
                           "application/x-www-form-urlencoded", "application/cloudevents+json", "application/jsonlines",
                           "application/x-jsonl", "json", ";charset=utf-8"}) {
    CAPTURE(type);
    CHECK(!body_format(type));
  }
}

TEST_CASE("Negotiation.Accept") {
  using Format = std::optional<BodyFormat>;
  const Format json = BodyFormat::Json;
  const Format ndjson = BodyFormat::Ndjson;
  const std::tuple<const char*, Format, Format> cases[] = {
      // field, where NDJSON exists, where it does not
      {"", json, json},
      {"*/*", json, json},
      {"application/*", json, json},
      {"application/json", json, json},
      {"APPLICATION/JSON", json, json},
      {"application/x-ndjson", ndjson, {}},
      {"application/x-ndjson, */*", ndjson, json},
      {"application/x-ndjson, application/json", json, json},
      {"application/x-ndjson, application/json;q=0.9", ndjson, json},
      {"application/x-ndjson;q=0.5, application/json;q=0.9", json, json},
      {"text/html, application/xhtml+xml, */*;q=0.8", json, json},
      {"text/html", {}, {}},
      {"application/json;q=0", {}, {}},
      {"application/json;q=0, */*", ndjson, {}},
      {"*/*;q=0", {}, {}},
      {"application/json;q=0.001", json, json},
      {"text/*", {}, {}},
      {"application/problem+json, application/json", json, json},
      {"application/json; profile=x", json, json},
      {"application/json; profile=\"a, b;q=0\"; q=0.5", json, json},
      {"application/json; charset=utf-8; q=0", {}, {}},
      {"application/ndjson", ndjson, {}},
      {"application/jsonl", ndjson, {}},
      {"application/jsonl; profile=x, application/json; q=0.9", ndjson, json},
      {"application/ndjson;q=0.1, application/json", json, json},
      {"application/x-ndjson;q=0, application/jsonl", ndjson, {}},
  };
  const auto format = [](const std::optional<AcceptedForm>& form) { return form ? Format(form->format) : Format(); };
  for (const auto& [field, with, without] : cases) {
    CAPTURE(field);
    CHECK(format(accepted_form(field, true)) == with);
    CHECK(format(accepted_form(field, false)) == without);
  }
}

TEST_CASE("Negotiation.LinesAreCalledAsTheClientCallsThem") {
  const std::pair<const char*, const char*> cases[] = {
      {"application/x-ndjson", "application/x-ndjson"},
      {"Application/NDJSON", "application/ndjson"},
      {"application/jsonl;q=0.5, text/html", "application/jsonl"},
      {"application/x-ndjson;q=0, application/jsonl", "application/jsonl"},
      {"application/ndjson;q=0.8, application/jsonl;q=0.9, application/json;q=0.1", "application/jsonl"},
      {"application/json;q=0, */*", "application/x-ndjson"},
      {"application/json, application/jsonl;q=0.1", "application/json"},
      {"", "application/json"},
  };
  for (const auto& [field, expected] : cases) {
    CAPTURE(field);
    const auto form = accepted_form(field, true);
    REQUIRE(form);
    CHECK(form->type == expected);
  }
}

TEST_CASE("Traceparent.OnlyValidOnesGiveATraceId") {
  const std::string id = "0af7651916cd43dd8448eb211c80319c";
  CHECK(trace_id_of("00-" + id + "-b7ad6b7169203331-01") == id);
  CHECK(trace_id_of("01-" + id + "-b7ad6b7169203331-01-extra") == id);
  for (const std::string& text :
       {std::string(), "00-" + id, "00-" + id + "-b7ad6b7169203331-01-x", "ff-" + id + "-b7ad6b7169203331-01",
        "00-" + std::string(32, '0') + "-b7ad6b7169203331-01", "00-" + id + "-0000000000000000-01",
        std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"), "00-" + id + "-b7ad6b7169203331-0g",
        "00 " + id + "-b7ad6b7169203331-01", "01-" + id + "-b7ad6b7169203331-01x"}) {
    CAPTURE(text);
    CHECK(trace_id_of(text).empty());
  }
}

TEST_CASE("IdempotencyKey.QuotedOrBare") {
  CHECK(idempotency_key_of("\"8e03978e-40d5-43dd\"") == "8e03978e-40d5-43dd");
  CHECK(idempotency_key_of("8e03978e-40d5-43dd") == "8e03978e-40d5-43dd");
  CHECK(idempotency_key_of(R"("a\"b\\c")") == R"(a"b\c)");
  CHECK(idempotency_key_of(std::string(255, 'k')) == std::string(255, 'k'));
  for (const std::string& text :
       {std::string(), std::string("\"\""), std::string("\""), std::string("\"a"), std::string("\"a\"b\""),
        std::string("a b"), std::string("\"a b\""), std::string("\"a\\\""), std::string("\"a\\x\""),
        std::string("k\xc3\xa4"), std::string(256, 'k'), std::string("\"a\", \"b\"")}) {
    CAPTURE(text);
    CHECK(!idempotency_key_of(text));
  }
}

TEST_CASE("Problem.EveryKindIsDocumentedOnce") {
  std::set<std::string_view> slugs;
  for (const ProblemKind& kind : problem_kinds()) {
    CHECK(slugs.insert(kind.slug).second);
    CHECK(kind.status >= 400);
    CHECK(kind.status < 600);
    CHECK(!kind.title.empty());
    CHECK(!kind.meaning.empty());
    simdjson::dom::parser parser;
    CHECK(parser.parse(describe(kind)).error() == simdjson::SUCCESS);
  }
  simdjson::dom::parser parser;
  CHECK(parser.parse(describe_problem_kinds()).error() == simdjson::SUCCESS);
  // What net says on its own.
  for (const char* slug : {"malformed-request", "request-timeout", "payload-too-large", "uri-too-long",
                           "expectation-failed", "header-too-large", "busy", "http-version-not-supported"}) {
    CAPTURE(slug);
    CHECK(find_problem_kind(slug) != nullptr);
  }
}

TEST_CASE("Problem.ResponseHasAllMembersEvenForHostileText") {
  Problem problem("invalid-event", "bad \"text\"\n\xff");
  problem.error({"pointer", "/3/a~1b", "no", 7}).member("extra", "[1]").header("Retry-After", "1");
  const Response response = problem.response("/v1/events");
  CHECK(response.status == 422);
  CHECK(response.content_type == "application/problem+json");
  CHECK(
      response.body ==
      R"({"type":"/problems/invalid-event","title":"Invalid event or condition","status":422,"detail":"bad \"text\"\n?",)"
      R"("instance":"/v1/events","errors":[{"pointer":"/3/a~1b","detail":"no","line":7}],"extra":[1]})");
  CHECK(problem_response("busy", "x").body.find("\"instance\":\"urn:uuid:") != std::string::npos);
}

TEST_CASE("Problem.FilePathsAreCutToTheirLastPart") {
  CHECK(without_paths("write failed: /var/lib/stele/log/0001.seg at 7: EIO") == "write failed: 0001.seg at 7: EIO");
  CHECK(without_paths("(/a/b)") == "(b)");
  CHECK(without_paths("either/or and 1 / 2") == "either/or and 1 / 2");
  CHECK(without_paths("/data/x") == "x");
  CHECK(without_paths("damaged [/data/x at byte 7]") == "damaged [x at byte 7]");
  CHECK(without_paths("") == "");
}

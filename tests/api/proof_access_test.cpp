// Proofs show nothing to anybody that events themselves do not show him, nor what was taken out of them.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/audit/checkpoint.h"
#include "engine/audit/signed_note.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"
#include "engine/log/record.h"
#include "tests/api/access_support.h"
#include "tests/api/support.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_folder.h"

namespace stele::api::test {
namespace {

constexpr std::string_view kNobodysEvent = "0192f0c4-9000-7000-8000-000000000041";

/// The bytes of every string in it that is base64, one behind the other.
std::string decoded_strings(simdjson::dom::element json) {
  std::string bytes;
  if (json.is_object()) {
    for (const auto field : json.get_object()) bytes += decoded_strings(field.value);
  } else if (json.is_array()) {
    for (const simdjson::dom::element element : json.get_array()) bytes += decoded_strings(element);
  } else if (json.is_string()) {
    bytes = base64_decode(json.get_string().value_unsafe()).value_or("");
  }
  return bytes + '\n';
}

std::string all_bytes_in(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  REQUIRE(parser.parse(body).get(root) == simdjson::SUCCESS);
  return body + decoded_strings(root);
}

template <class Bytes>
std::string_view view_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void read_stored(TestService& service, const std::string& event_id, Record& to) {
  const auto view = service.store().view();
  const auto position = view->find_event(*parse_uuid(event_id));
  REQUIRE((position && *position));
  REQUIRE(view->read(**position, to));
}

/// The position of the newest record that is one of what only the store may see.
std::optional<Position> record_with_private_fields(TestService& service) {
  const auto view = service.store().view();
  Record record;
  for (std::uint64_t i = service.store().head().size; i > 0; --i) {
    REQUIRE(view->read(Position{i - 1}, record));
    if (record.header().private_length) return Position{i - 1};
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("ProofAccess.WhatACallerMayNotSeeHasNoProofForIt") {
  TestKeys keys;
  const stele::test::TempFolder signing;
  const auto bearer = [](const std::string& token) {
    return TestService::Headers{{"Authorization", "Bearer " + token}, {"Content-Type", "application/json"}};
  };
  const auto service_key = bearer(keys.add(Role::Service, "service"));
  const auto reader = bearer(keys.add(Role::Reader, "reader"));
  const auto limited = bearer(keys.add(Role::Reader, "limited", {"A"}));
  const auto limited_writer = bearer(keys.add(Role::Writer, "limited-writer", {"A"}));
  const auto auditor = bearer(keys.add(Role::Auditor, "auditor"));
  const auto limited_auditor = bearer(keys.add(Role::Auditor, "limited-auditor", {"A"}));
  ServiceOptions options;
  options.checkpoints.keys_folder = signing.path() + "/keys";
  options.checkpoints.interval = std::chrono::milliseconds{1};
  options.authenticator = keys.open(AuthenticatorOptions{});
  TestService service(std::move(options));
  const auto add = [&](const std::string& aggregate, const std::string& members) {
    const Answer stored =
        service.send(Method::Post, "/v1/events?wait=checkpoint", event(aggregate, R"("secret")", members), service_key);
    REQUIRE_MESSAGE(stored.status == 201, stored.body);
    CHECK(stored.at("/proof/checkpoint") != "none");
    return stored.text("/eventId");
  };
  const std::string own = add("a", R"("aggregateType":"A")");
  const std::string foreign = add("b", R"("aggregateType":"B")");
  const std::string untyped = add("c", "");
  const auto proof = [&](const std::string& id, TestService::Headers as, const std::string& accept,
                         const std::string& query) {
    as["Accept"] = accept;
    return service.get("/v1/events/" + id + "/proof" + query, as);
  };
  std::string key_event;
  {
    const Answer listed = service.get("/v1/events?includeSystem=true&aggregateId=%24key%2Fstele", auditor);
    key_event = listed.text("/events/0/eventId");
  }
  for (const std::string accept : {"application/json", "text/plain"}) {
    for (const std::string query : {"", "?wait=checkpoint"}) {
      CAPTURE(accept);
      CAPTURE(query);
      const auto hidden = [&](const std::string& id, const TestService::Headers& as) {
        const Answer unknown = proof(std::string(kNobodysEvent), as, accept, query);
        const Answer answer = proof(id, as, accept, query);
        CHECK(answer.status == 404);
        CHECK(answer.slug() == "event-not-found");
        // Nothing tells it from one that there is not.
        CHECK(answer.text("/detail").size() == unknown.text("/detail").size());
        CHECK(answer.at("/title") == unknown.at("/title"));
      };
      for (const auto& headers : {limited, limited_writer, limited_auditor}) {
        CHECK(proof(own, headers, accept, query).status == 200);
        hidden(foreign, headers);
        hidden(untyped, headers);
        hidden(key_event, headers);
      }
      for (const auto& headers : {reader, service_key}) {
        CHECK(proof(foreign, headers, accept, query).status == 200);
        CHECK(proof(untyped, headers, accept, query).status == 200);
        hidden(key_event, headers);
      }
      CHECK(proof(key_event, auditor, accept, query).status == 200);
    }
  }
  // Nor does a receipt show what the caller has not written.
  const Answer taken =
      service.send(Method::Post, "/v1/events?wait=checkpoint",
                   event("b", R"("secret")", R"("aggregateType":"B","eventId":")" + foreign + '"'), limited_writer);
  CHECK(taken.status == 403);
  const Answer disguised =
      service.send(Method::Post, "/v1/events?wait=checkpoint",
                   event("a", R"("secret")", R"("aggregateType":"A","eventId":")" + foreign + '"'), limited_writer);
  CHECK(disguised.status == 409);
  for (const Answer* const answer : {&taken, &disguised}) {
    CHECK(answer->body.find("preimage") == std::string::npos);
    CHECK(answer->body.find("hashes") == std::string::npos);
    CHECK(answer->body.find(R"("b")") == std::string::npos);
  }
}

TEST_CASE("ProofAccess.NeitherSeedsNorSaltsOfWhatIsNotShownAreInProofs") {
  const stele::test::TempFolder signing;
  ServiceOptions options;
  options.checkpoints.keys_folder = signing.path() + "/keys";
  options.checkpoints.interval = std::chrono::milliseconds{1};
  options.audit.emplace().window = std::chrono::milliseconds{5};
  TestService service(std::move(options));
  const Answer stored = service.post(event("a", R"("4711")", R"("metadata":{"n":"0815"})"));
  const std::string id = stored.text("/eventId");
  Record whole;
  read_stored(service, id, whole);
  const Seed seed = whole.seed();
  const Salt data_salt = *whole.salt(BodyMember::Data), metadata_salt = *whole.salt(BodyMember::Metadata);
  const Digest leaf = whole.leaf();
  const auto proof_now = [&] {
    const Answer answer = service.get("/v1/events/" + id + "/proof?wait=checkpoint");
    REQUIRE(answer.status == 200);
    CHECK(answer.text("/leaf/leafHash") == base64_encode(as_bytes(leaf)));
    return all_bytes_in(answer.body);
  };
  const auto shows = [](const std::string& bytes, std::string_view what) {
    return bytes.find(what) != std::string::npos;
  };
  std::string bytes = proof_now();
  CHECK(shows(bytes, view_of(data_salt)));
  CHECK(shows(bytes, view_of(metadata_salt)));
  CHECK(shows(bytes, "4711"));
  CHECK(shows(bytes, "0815"));
  CHECK_FALSE(shows(bytes, view_of(seed)));

  const auto redact = [&](const std::string& members) {
    const Answer asked = service.send(Method::Post, "/v1/events/" + id + "/redact",
                                      R"({"reason":"a court says so","members":[)" + members + "]}",
                                      {{"Content-Type", "application/json"}});
    REQUIRE_MESSAGE(asked.status == 202, asked.body);
    REQUIRE(eventually([&] { return service.get(asked.header("Location")).text("/state") == "completed"; }));
  };
  redact(R"("metadata")");
  bytes = proof_now();
  CHECK(shows(bytes, view_of(data_salt)));
  CHECK(shows(bytes, "4711"));
  CHECK_FALSE(shows(bytes, view_of(metadata_salt)));
  CHECK_FALSE(shows(bytes, "0815"));
  CHECK_FALSE(shows(bytes, view_of(seed)));
  redact(R"("data")");
  bytes = proof_now();
  CHECK_FALSE(shows(bytes, view_of(data_salt)));
  CHECK_FALSE(shows(bytes, "4711"));
  CHECK_FALSE(shows(bytes, view_of(metadata_salt)));
  CHECK_FALSE(shows(bytes, view_of(seed)));

  // What only the store sees: the address of a caller, in the record about his call.
  CHECK(service.get("/v1/events?limit=many").status == 400);
  std::optional<Position> position;
  REQUIRE(eventually([&] { return (position = record_with_private_fields(service)).has_value(); }));
  Record action;
  REQUIRE(service.store().view()->read(*position, action));
  REQUIRE(action.salt(BodyMember::Private));
  const std::string_view address = *action.bytes_of(BodyMember::Private);
  REQUIRE(shows(std::string(address), "127.0.0.1"));
  const Answer shown = service.get("/v1/events/" + to_string(action.header().event_id) + "/proof?wait=checkpoint");
  if (shown.status == 200) {
    CHECK(shown.text("/leaf/members/private/digest") ==
          base64_encode(as_bytes(action.member_digest(BodyMember::Private))));
    CHECK(shown.at("/leaf/members/private/salt") == "none");
    bytes = all_bytes_in(shown.body);
    CHECK_FALSE(shows(bytes, address));
    CHECK_FALSE(shows(bytes, view_of(*action.salt(BodyMember::Private))));
    CHECK_FALSE(shows(bytes, view_of(action.seed())));
  } else {
    CHECK(shown.slug() == "event-not-found");
  }

  // Entries are what leaves are made of, without any of that.
  std::uint64_t size = 0;
  REQUIRE(eventually([&] {
    size = parse_checkpoint(parse_note(service.get("/log/checkpoint").body)->text)->size;
    return size > position->value();
  }));
  REQUIRE(size < 256);
  const Answer entries = service.get("/log/tile/entries/000.p/" + std::to_string(size));
  REQUIRE(entries.status == 200);
  CHECK_FALSE(shows(entries.body, address));
  Record record;
  for (std::uint64_t i = 0; i < size; ++i) {
    REQUIRE(service.store().view()->read(Position{i}, record));
    for (const BodyMember member : {BodyMember::Data, BodyMember::Metadata, BodyMember::Private}) {
      if (const auto salt = record.salt(member)) CHECK_FALSE(shows(entries.body, view_of(*salt)));
    }
    if (record.redacted_members().empty() && !record.members().empty()) {
      CHECK_FALSE(shows(entries.body, view_of(record.seed())));
    }
  }
}

}  // namespace stele::api::test

// What is asked about events that were pulled, and about those that were given up.

#include "api/subscriptions/pull_request.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <string>
#include <vector>

#include "api/subscriptions/redrive_request.h"

using namespace stele;
using namespace stele::api;

namespace {

using Lease = LeaseRequest::Kind;
using std::chrono::milliseconds;

constexpr const char* kId = "0192f0c4-9000-7000-8000-000000000001";

template <class Parsed>
std::string errors_of(const Parsed& parsed) {
  const auto* const problem = std::get_if<Problem>(&parsed);
  if (problem == nullptr) return "none";
  std::string text(problem->kind().slug);
  for (const FieldError& error : problem->field_errors()) text += ' ' + error.where;
  return text;
}

simdjson::padded_string pull_body(const std::string& body) { return simdjson::padded_string(body.data(), body.size()); }

std::variant<PullRequest, Problem> pull_of(const std::string& body) {
  const auto text = pull_body(body);
  return parse_pull_request(text, SubscriptionLimits());
}
std::variant<LeaseRequest, Problem> lease_of(const std::string& body, Lease kind) {
  return parse_lease_request(pull_body(body), kind, SubscriptionLimits());
}
std::variant<RedriveRequest, Problem> redrive_of(const std::string& body) {
  return parse_redrive_request(pull_body(body), Timestamp{10'000'000'000});
}

std::string ids_of(std::size_t count) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) {
    std::string number = std::to_string(i);
    number.insert(0, 12 - number.size(), '0');
    text += (i == 0 ? "\"" : ",\"") + std::string("0192f0c4-9000-7000-8000-") + number + '"';
  }
  return text + "]";
}

}  // namespace

TEST_CASE("PullRequest.HasDefaultsAndBounds") {
  const auto plain = std::get<PullRequest>(pull_of(""));
  CHECK(plain.limit == 100);
  CHECK(plain.wait == milliseconds{0});
  CHECK(plain.lease == milliseconds{30'000});
  const auto full = std::get<PullRequest>(pull_of(R"({"limit":1000,"wait":"30s","lease":"12h"})"));
  CHECK(full.limit == 1000);
  CHECK(full.wait == milliseconds{30'000});
  CHECK(full.lease == milliseconds{12 * 3'600'000});
  CHECK(std::get<PullRequest>(pull_of(R"({"wait":"0","lease":"1.5s"})")).lease == milliseconds{1'500});
  CHECK(errors_of(pull_of(R"({"limit":0})")) == "invalid-request /limit");
  CHECK(errors_of(pull_of(R"({"limit":1001})")) == "invalid-request /limit");
  for (const char* bad : {"31s", "30001ms", "-1s", "5", "s", "1x", "", "1e3s", "1 day", "99999999999999999999s"}) {
    CAPTURE(bad);
    CHECK(errors_of(pull_of(R"({"wait":")" + std::string(bad) + "\"}")) == "invalid-request /wait");
  }
  CHECK(errors_of(pull_of(R"({"wait":5})")) == "invalid-request /wait");
  CHECK(errors_of(pull_of(R"({"lease":"999ms"})")) == "invalid-request /lease");
  CHECK(errors_of(pull_of(R"({"lease":"13h"})")) == "invalid-request /lease");
  CHECK(errors_of(pull_of(R"({"max":1})")) == "invalid-request /max");
  CHECK(errors_of(pull_of("{")) == "malformed-json");
}

TEST_CASE("LeaseRequest.NamesALeaseAndPerhapsEvents") {
  const auto all = std::get<LeaseRequest>(lease_of(R"({"leaseId":"7.1"})", Lease::Ack));
  CHECK(all.lease_id == "7.1");
  CHECK_FALSE(all.event_ids);
  const auto some = std::get<LeaseRequest>(
      lease_of(R"({"leaseId":"7.1","eventIds":[")" + std::string(kId) + R"("],"delay":"24h"})", Lease::Nack));
  REQUIRE(some.event_ids);
  REQUIRE(some.event_ids->size() == 1);
  CHECK(some.event_ids->front().bytes[15] == 1);
  CHECK(some.delay == milliseconds{24 * 3'600'000});
  CHECK_FALSE(std::get<LeaseRequest>(lease_of(R"({"leaseId":"7.1"})", Lease::Nack)).delay);
  CHECK(std::get<LeaseRequest>(lease_of(R"({"leaseId":"7.1","lease":"1s"})", Lease::Extend)).lease ==
        milliseconds{1'000});
  for (const Lease kind : {Lease::Ack, Lease::Nack, Lease::Extend}) {
    CHECK(errors_of(lease_of(R"({"lease_id":"7.1"})", kind)).find(" /leaseId") != std::string::npos);
    CHECK(errors_of(lease_of(R"({"leaseId":7,"lease":"1s"})", kind)).find(" /leaseId") != std::string::npos);
  }
  CHECK(errors_of(lease_of(R"({"leaseId":"a"})", Lease::Extend)) == "invalid-request /lease");
  CHECK(errors_of(lease_of(R"({"leaseId":"a","lease":"0"})", Lease::Extend)) == "invalid-request /lease");
  CHECK(errors_of(lease_of(R"({"leaseId":"a","lease":"1s","eventIds":[]})", Lease::Extend)) ==
        "invalid-request /eventIds");
  CHECK(errors_of(lease_of(R"({"leaseId":"a","delay":"1s"})", Lease::Ack)) == "invalid-request /delay");
  CHECK(errors_of(lease_of(R"({"leaseId":"a","delay":"25h"})", Lease::Nack)) == "invalid-request /delay");
  const auto events = [](const std::string& list) {
    return errors_of(lease_of(R"({"leaseId":"a","eventIds":)" + list + "}", Lease::Ack));
  };
  CHECK(events("[]") == "invalid-request /eventIds");
  CHECK(events(R"(["x"])") == "invalid-request /eventIds/0");
  CHECK(events("[7]") == "invalid-request /eventIds/0");
  CHECK(events(ids_of(1000)) == "none");
  CHECK(events(ids_of(1001)) == "invalid-request /eventIds");
}

TEST_CASE("RedriveRequest.SaysWhichDeadLettersAreMeant") {
  const auto all = std::get<RedriveRequest>(redrive_of(""));
  CHECK_FALSE(all.filter.positions);
  CHECK_FALSE(all.filter.error);
  CHECK(all.per_second_max == 0);
  CHECK_FALSE(all.dry_run);
  const auto some = std::get<RedriveRequest>(redrive_of(R"({"positions":[7,3],"perSecond":5,"dryRun":true})"));
  REQUIRE(some.filter.positions);
  CHECK(*some.filter.positions == std::vector<Position>{Position{7}, Position{3}});
  CHECK(some.per_second_max == 5);
  CHECK(some.dry_run);
  const auto where = std::get<RedriveRequest>(redrive_of(
      R"({"where":{"error":"status","status":503,"eventTypes":["A"],"aggregateIds":["m/1"],"olderThan":"1h"}})"));
  CHECK(where.filter.error == "status");
  CHECK(where.filter.status == 503);
  CHECK(where.filter.event_types == std::vector<std::string>{"A"});
  CHECK(where.filter.aggregate_ids == std::vector<std::string>{"m/1"});
  CHECK(where.filter.before == Timestamp{10'000'000'000 - 3'600'000'000});

  CHECK(errors_of(redrive_of(R"({"positions":[]})")) == "invalid-request /positions");
  CHECK(errors_of(redrive_of(R"({"positions":[1,1]})")) == "invalid-request /positions/1");
  CHECK(errors_of(redrive_of(R"({"positions":[-1]})")) == "invalid-request /positions/0");
  CHECK(errors_of(redrive_of(R"({"positions":["1"]})")) == "invalid-request /positions/0");
  CHECK(errors_of(redrive_of(R"({"positions":1})")) == "invalid-request /positions");
  CHECK(errors_of(redrive_of(R"({"positions":[1],"where":{}})")) == "invalid-request /where");
  CHECK(errors_of(redrive_of(R"({"where":{"olderThan":"x","status":1000,"eventTypes":[],"more":1}})")) ==
        "invalid-request /where/more /where/status /where/eventTypes /where/olderThan");
  CHECK(errors_of(redrive_of(R"({"perSecond":0})")) == "invalid-request /perSecond");
  CHECK(errors_of(redrive_of(R"({"dryRun":"yes"})")) == "invalid-request /dryRun");
}

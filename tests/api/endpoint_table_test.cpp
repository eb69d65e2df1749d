// Which endpoint a path names, and what may stand in the table.

#include "api/endpoint/endpoint_table.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/traffic_metrics.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

Endpoint line(std::string_view pattern, Method method = Method::Get) {
  return {method, pattern, Permission::Read, {}, RunsOn::IoThread, [](const std::shared_ptr<Call>&) {}};
}

void add_patterns(EndpointTable& table, const std::vector<std::string_view>& patterns) {
  std::vector<Endpoint> lines;
  for (const std::string_view pattern : patterns) lines.push_back(line(pattern));
  table.add(std::move(lines));
}

/// Pattern and segments: `/a/{x} 1`; "none" if nothing is there.
std::string found(const EndpointTable& table, std::string_view path) {
  const RouteMatch match = table.find(path);
  if (match.route == nullptr) return "none";
  std::string text(match.route->pattern);
  for (std::size_t i = 0; i < match.route->parameters.size(); ++i) text.append(" ").append(match.segments[i]);
  return text;
}

}  // namespace

TEST_CASE("EndpointTable.FindsTheEndpointsOfTheService") {
  TestService service;
  const EndpointTable& table = service.service().endpoints();
  CHECK(found(table, "/v1/events") == "/v1/events");
  CHECK(found(table, "/v1/events/abc") == "/v1/events/{eventId} abc");
  CHECK(found(table, "/v1/events/abc/data") == "/v1/events/{eventId}/data abc");
  CHECK(found(table, "/v1/aggregates/src%2Fserver.c") == "/v1/aggregates/{aggregateId} src%2Fserver.c");
  CHECK(found(table, "/readyz") == "/readyz");
  // Aggregates and events may be called what others have a literal for.
  for (const std::string name : {"data", "proof", "deliveries", "aggregates", "{eventId}"}) {
    CAPTURE(name);
    CHECK(found(table, "/v1/aggregates/" + name) == "/v1/aggregates/{aggregateId} " + name);
    CHECK(found(table, "/v1/events/" + name) == "/v1/events/{eventId} " + name);
    CHECK(found(table, "/v1/events/" + name + "/data") == "/v1/events/{eventId}/data " + name);
  }
  for (const char* path : {"", "/", "*", "/v1", "/v1/", "/v1/events/", "/v1/events//data", "/v1/aggregates/a/b",
                           "/V1/events", "/v1/eventsx", "/v1/events/abc/none", "/healthz/", "//v1/events", "v1/events",
                           "/v1/%65vents", "/v1/events/abc/data/"}) {
    CAPTURE(path);
    CHECK(found(table, path) == "none");
  }
}

TEST_CASE("EndpointTable.ALiteralWinsOverAParameterFromTheLeft") {
  EndpointTable table;
  add_patterns(table, {"/v1/a/{id}/data", "/v1/a/{id}/{x}", "/v1/a/data/{x}", "/v1/a/{id}"});
  CHECK(found(table, "/v1/a/7/data") == "/v1/a/{id}/data 7");
  CHECK(found(table, "/v1/a/7/proof") == "/v1/a/{id}/{x} 7 proof");
  CHECK(found(table, "/v1/a/data/7") == "/v1/a/data/{x} 7");
  CHECK(found(table, "/v1/a/data/data") == "/v1/a/data/{x} data");
  CHECK(found(table, "/v1/a/data") == "/v1/a/{id} data");
  CHECK(found(table, "/v1/a/deliveries/deliveries") == "/v1/a/{id}/{x} deliveries deliveries");
}

TEST_CASE("EndpointTable.TheLastParameterMayStandForAllThatFollows") {
  EndpointTable table;
  add_patterns(table, {"/log/{level}/{tile...}", "/log/entries/{tile...}", "/log/{level}/{tile}/x/{y}", "/log/keys"});
  CHECK(found(table, "/log/0/7") == "/log/{level}/{tile...} 0 7");
  CHECK(found(table, "/log/0/x001/x234/067.p/3") == "/log/{level}/{tile...} 0 x001/x234/067.p/3");
  CHECK(found(table, "/log/0/a//b/") == "/log/{level}/{tile...} 0 a//b/");
  CHECK(found(table, "/log/entries/a/b") == "/log/entries/{tile...} a/b");
  CHECK(found(table, "/log/keys/a/b") == "/log/{level}/{tile...} keys a/b");
  CHECK(found(table, "/log/0/a/x/b") == "/log/{level}/{tile}/x/{y} 0 a b");
  CHECK(found(table, "/log/0/a/x/b/c") == "/log/{level}/{tile...} 0 a/x/b/c");
  for (const char* path : {"/log/0", "/log/0/", "/log/entries", "/log/entries/", "/log//a/b"}) {
    CAPTURE(path);
    CHECK(found(table, path) == "none");
  }
  CHECK(!table.objection(line("/a/{b...}/c")).empty());
  CHECK(!table.objection(line("/a/{...}")).empty());
  CHECK(!table.objection(line("/a/{b}/{b...}")).empty());
  CHECK(!table.objection(line("/log/keys...}")).empty());
  CHECK(!table.objection(line("/log/{level}/{other}")).empty());
  CHECK(table.objection(line("/a/{b...}")).empty());
}

TEST_CASE("EndpointTable.ALiteralThatLeadsNowhereLeavesItToTheParameter") {
  EndpointTable table;
  add_patterns(table, {"/a/b/c", "/a/{x}/d", "/{w}/b/{y}/e", "/{w}/{x}/{y}/{z}"});
  CHECK(found(table, "/a/b/c") == "/a/b/c");
  CHECK(found(table, "/a/b/d") == "/a/{x}/d b");
  CHECK(found(table, "/a/b/c/e") == "/{w}/b/{y}/e a c");
  CHECK(found(table, "/a/b/c/f") == "/{w}/{x}/{y}/{z} a b c f");
  CHECK(found(table, "/a/b/d/d") == "/{w}/{x}/{y}/{z} a b d d");
  CHECK(found(table, "/a/b/e") == "none");
  CHECK(found(table, "/a/b//e") == "none");
  CHECK(found(table, "/a/b/c/e/g") == "none");
}

TEST_CASE("EndpointTable.AllowIsWhatIsRegistered") {
  EndpointTable table;
  table.add({line("/a", Method::Delete), line("/a"), line("/b", Method::Post), line("/c/{x}", Method::Put),
             line("/c/{x}", Method::Patch)});
  table.add({line("/c/{x}", Method::Post)});
  const auto route = [&](std::string_view path) -> const Route& { return *table.find(path).route; };
  CHECK(route("/a").allow == "GET, HEAD, DELETE, OPTIONS");
  CHECK(route("/b").allow == "POST, OPTIONS");
  CHECK(route("/c/1").allow == "POST, PUT, PATCH, OPTIONS");
  CHECK(table.methods() == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  CHECK(route("/a").endpoint(Method::Head) == route("/a").endpoint(Method::Get));
  CHECK(route("/a").endpoint(Method::Head)->method == Method::Get);
  CHECK(route("/b").endpoint(Method::Head) == nullptr);
  CHECK(route("/c/1").endpoint(Method::Put)->method == Method::Put);
  for (const Method method : {Method::Post, Method::Put, Method::Patch, Method::Options, Method::Other}) {
    CHECK(route("/a").endpoint(method) == nullptr);
  }
  CHECK(table.routes().size() == 3);
}

TEST_CASE("EndpointTable.LabelsDoNotNameParameters") {
  EndpointTable table;
  add_patterns(table, {"/v1/a/{id}/b/{other}", "/v1"});
  CHECK(table.routes()[0].label == "/v1/a/{}/b/{}");
  CHECK(table.routes()[1].label == "/v1");
  CHECK(table.routes()[0].number == 1);
  CHECK(table.routes()[1].number == 2);
}

TEST_CASE("EndpointTable.WhatCannotBeToldApartOrIsNoneIsObjectedTo") {
  EndpointTable table;
  add_patterns(table, {"/a/{id}", "/a/{id}/b"});
  for (const std::string_view pattern : {"/a/b", "/a/{x}/c", "/a/{id}/{x}", "/{a}/{b}", "/a"}) {
    CAPTURE(pattern);
    CHECK(table.objection(line(pattern)).empty());
  }
  CHECK(table.objection(line("/a/{id}", Method::Put)).empty());
  CHECK(table.objection(line("/a/{id}")) == "it is there already");
  for (const Method method : {Method::Get, Method::Put}) {
    CHECK(table.objection(line("/a/{x}", method)) == "another pattern differs in the names of parameters only");
    CHECK(table.objection(line("/a/{x}/b", method)) == "another pattern differs in the names of parameters only");
  }
  for (const std::string_view pattern : {"", "a", "/", "/a/", "//a", "/a//b", "/{}", "/{a", "/a}", "/x{a}", "/{a}x",
                                         "/{a}{b}", "/{{a}}", "/{a}/{a}", "/{a}/{b}/{c}/{d}/{e}"}) {
    CAPTURE(pattern);
    CHECK_FALSE(table.objection(line(pattern)).empty());
  }
  for (const Method method : {Method::Head, Method::Options, Method::Other}) {
    CHECK_FALSE(table.objection(line("/new", method)).empty());
  }
  Endpoint idle = line("/new");
  idle.handler = nullptr;
  CHECK_FALSE(table.objection(idle).empty());
}

TEST_CASE("EndpointTable.WhatIsObjectedToEndsTheProgramAtItsStart") {
  const auto ends = [](const std::vector<std::string_view>& patterns) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(STDERR_FILENO);
      (void)::signal(SIGABRT, SIG_DFL);
      EndpointTable table;
      add_patterns(table, patterns);
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  };
  CHECK_FALSE(ends({"/a", "/{x}"}));
  CHECK(ends({"/a", "/a"}));
  CHECK(ends({"/a/{x}", "/a/{y}"}));
}

TEST_CASE("EndpointTable.HasRoomForAsManyPatternsAsCanBeCounted") {
  EndpointTable table;
  std::vector<std::string> patterns;
  for (std::size_t i = 0; i <= kRoutesMax; ++i) patterns.push_back("/" + std::to_string(i));
  for (std::size_t i = 0; i < kRoutesMax; ++i) table.add({line(patterns[i])});
  CHECK(table.objection(line(patterns.back())) == "there are too many patterns");
  CHECK(table.objection(line(patterns.front(), Method::Put)).empty());
  // The last of them is counted under its own label, apart from what has no route.
  TrafficMetrics traffic;
  RequestCounts& counts = traffic.add_thread();
  Response response;
  response.route = table.find(patterns[kRoutesMax - 1]).route;
  counts.record(response, Method::Other, 1);
  counts.record({}, Method::Get, 1);
  std::string seen;
  traffic.answers([&](std::string_view route, std::string_view method, std::string_view status, std::uint64_t count) {
    seen.append(route)
        .append(" ")
        .append(method)
        .append(" ")
        .append(status)
        .append(" ")
        .append(std::to_string(count))
        .append(";");
  });
  CHECK(seen == "none GET 200 1;/127 other 200 1;");
}

TEST_CASE("Call.TakesDecodedParametersByName") {
  EndpointTable table;
  add_patterns(table, {"/a/{id}/b/{x}"});
  TestScheduler scheduler;
  const ServiceOptions options;
  const auto take = [&](const std::string& path) {
    const TestRequest request(Method::Get, path, {}, {}, scheduler);
    int status = 0;
    Call call(
        request, [&](Response response) { status = response.status; }, options);
    if (!call.take(table.find(path))) return std::to_string(status);
    return call.parameter("x") + "|" + call.parameter("id");
  };
  CHECK(take("/a/1/b/2") == "2|1");
  CHECK(take("/a/src%2Fserver.c/b/a+b%20%C3%BC") == "a+b \xC3\xBC|src/server.c");
  for (const char* const path : {"/a/%zz/b/2", "/a/1/b/%", "/a/1/b/%f", "/a/%ff/b/2", "/a/1/b/%C3"}) {
    CAPTURE(path);
    CHECK(take(path) == "400");
  }
}

TEST_CASE("Call.WhatAnEndpointDoesNotTakeIsRefused") {
  TestScheduler scheduler;
  const ServiceOptions options;
  using Headers = TestService::Headers;
  // The slug of the refusal, or the form of the body and of the answer.
  const auto bound = [&](const EndpointLimits& limits, const std::string& target, const Headers& headers,
                         const std::string& body) {
    const TestRequest request(Method::Put, target, body, headers, scheduler);
    std::string_view slug;
    Call call(
        request, [&](Response response) { slug = response.problem->slug; }, options);
    if (!call.bound(limits)) return std::string(slug);
    return std::string(call.body_format() == BodyFormat::Ndjson ? "lines " : "json ") +
           std::string(call.accepted().type);
  };
  const EndpointLimits one;
  CHECK(bound(one, "/a", {{"Content-Type", "text/html"}, {"Content-Encoding", "br"}}, "ignored") ==
        "json application/json");
  CHECK(bound(one, "/a?b=1", {}, "") == "unknown-parameter");
  CHECK(bound(one, "/a", {{"Accept", "application/x-ndjson"}}, "") == "not-acceptable");
  const EndpointLimits list{.answer = AnswerForm::JsonOrLines, .query = QueryUse::Read};
  CHECK(bound(list, "/a?b=1", {{"Accept", "application/jsonl"}}, "") == "json application/jsonl");
  CHECK(bound(list, "/a", {{"Accept", "image/png"}}, "") == "not-acceptable");
  const EndpointLimits probe{.answer = AnswerForm::Any, .query = QueryUse::Ignored};
  CHECK(bound(probe, "/a?b=%zz", {{"Accept", "image/png"}}, "") == "json application/json");
  const EndpointLimits events{.body = BodyForm::Events, .body_bytes_max = 4};
  const Headers json = {{"Content-Type", "application/json"}};
  CHECK(bound(events, "/a", json, "1234") == "json application/json");
  CHECK(bound(events, "/a", json, "12345") == "payload-too-large");
  CHECK(bound(events, "/a", {{"Content-Type", "application/jsonl"}}, "1") == "lines application/json");
  CHECK(bound(events, "/a", {}, "1") == "unsupported-media-type");
  CHECK(bound(events, "/a", {{"Content-Type", "application/json"}, {"Content-Encoding", "br"}}, "1") ==
        "unsupported-media-type");
  const EndpointLimits text{.body = BodyForm::Json, .body_bytes_max = 4};
  CHECK(bound(text, "/a", json, "1234") == "json application/json");
  CHECK(bound(text, "/a", {}, "") == "json application/json");
  CHECK(bound(text, "/a", json, "12345") == "payload-too-large");
  CHECK(bound(text, "/a", {}, "1") == "unsupported-media-type");
  CHECK(bound(text, "/a", {{"Content-Type", "application/x-ndjson"}}, "1") == "unsupported-media-type");
  CHECK(bound(text, "/a", {{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}}, "1") ==
        "unsupported-media-type");
  // How long a compressed body is, is known when it was decompressed.
  CHECK(bound(events, "/a", {{"Content-Type", "application/json"}, {"Content-Encoding", "zstd"}}, "12345") ==
        "json application/json");
}

TEST_CASE("Service.AMethodThatAResourceDoesNotHaveIsRefusedWithThoseThatItHas") {
  TestService service;
  for (const Method method : {Method::Put, Method::Patch, Method::Delete, Method::Other}) {
    const Answer answer = service.send(method, "/v1/events");
    CHECK(answer.slug() == "method-not-allowed");
    CHECK(answer.header("Allow") == "GET, HEAD, POST, OPTIONS");
  }
  CHECK(service.send(Method::Post, "/v1/aggregates/data").header("Allow") == "GET, HEAD, OPTIONS");
  CHECK(service.send(Method::Options, "*").header("Allow") == service.service().endpoints().methods());
  CHECK(service.send(Method::Delete, "/v1/events/%zz").slug() == "invalid-path");
  CHECK(service.send(Method::Delete, "/v1/nothing/%zz").slug() == "not-found");
}

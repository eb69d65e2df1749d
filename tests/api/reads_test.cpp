// Lists, single events, aggregates, the head and the service's own resources, over a real store.

#include <doctest/doctest.h>

#include "api/json/timestamp.h"
#include "api/operations/openapi.h"
#include "tests/api/access_support.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

std::size_t lines_of(const std::string& body) {
  return static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n'));
}

/// Appends `count` events of a few aggregates and types; the data of event i is i.
void fill(TestService& service, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    const Answer answer = service.post(
        R"({"eventType":"T)" + std::to_string(i % 3) + R"(","aggregateId":"a)" + std::to_string(i % 4) +
        R"(","aggregateType":"t)" + std::to_string(i % 4 / 2) + R"(","data": )" + n + R"( ,"userId":"u)" +
        std::to_string(i % 2) + R"(","correlationId":"c)" + std::to_string(i / 10) +
        R"(","occurredAt":"2026-03-01T00:00:)" + (i % 60 < 10 ? "0" : "") + std::to_string(i % 60) + R"(Z"})");
    REQUIRE(answer.status == 201);
  }
}

/// The data of the listed events.
std::string datas(const Answer& answer) {
  std::string text;
  for (int i = 0; answer.at("/events/" + std::to_string(i)) != "none"; ++i) {
    text += (i == 0 ? "" : ",") + answer.at("/events/" + std::to_string(i) + "/data");
  }
  return text;
}

}  // namespace

TEST_CASE("Reads.OneEventAndItsExactData") {
  TestService service;
  const Answer stored = service.post(event("a", R"( { "x" : 1, "x":2 } )", R"("metadata":{ "m":1 })"));
  const std::string path = stored.header("Location");
  const Answer shown = service.get(path);
  CHECK(shown.status == 200);
  CHECK(shown.body.find(R"("data":{ "x" : 1, "x":2 },"metadata":{ "m":1 })") != std::string::npos);
  const Answer data = service.get(path + "/data");
  CHECK(data.body == R"({ "x" : 1, "x":2 })");
  CHECK(data.type == "application/json");
  CHECK(service.get("/v1/events/0190a6b2-7c3e-7d10-8a4b-1f2e3d4c5b6a").slug() == "event-not-found");
  CHECK(service.get("/v1/events/17").slug() == "event-not-found");
  CHECK(service.get("/v1/events/17/data").slug() == "event-not-found");
  CHECK(service.get(path + "?x=1").slug() == "unknown-parameter");
  CHECK(service.get(path, {{"Accept", "text/html"}}).status == 406);
  service.scheduler().full = true;
  const Answer busy = service.get(path);
  CHECK(busy.status == 503);
  CHECK(busy.slug() == "busy");
  CHECK(!busy.header("Retry-After").empty());
}

TEST_CASE("Reads.EveryFilter") {
  TestService service;
  fill(service, 12);
  const auto list = [&](const std::string& query) { return datas(service.get("/v1/events" + query)); };
  CHECK(list("") == "0,1,2,3,4,5,6,7,8,9,10,11");
  CHECK(list("?order=desc") == "11,10,9,8,7,6,5,4,3,2,1,0");
  CHECK(list("?aggregateId=a1") == "1,5,9");
  CHECK(list("?aggregateId=a1&order=desc") == "9,5,1");
  CHECK(list("?aggregateId=a%31&fromSequence=2") == "5,9");
  CHECK(list("?aggregateId=a1&toSequence=2") == "1,5");
  CHECK(list("?aggregateType=t1") == "2,3,6,7,10,11");
  CHECK(list("?eventType=T0") == "0,3,6,9");
  CHECK(list("?eventType=T0&eventType=T2") == "0,2,3,5,6,8,9,11");
  CHECK(list("?eventType=T0&userId=u1") == "3,9");
  CHECK(list("?userId=u1") == "1,3,5,7,9,11");
  CHECK(list("?correlationId=c1") == "10,11");
  CHECK(list("?occurredFrom=2026-03-01T00:00:03Z&occurredTo=2026-03-01T00:00:06Z") == "3,4,5");
  CHECK(list("?occurredFrom=2026-03-01T02:00:10%2B02:00") == "10,11");
  CHECK(list("?afterPosition=9") == "9,10,11");
  CHECK(list("?from=2000-01-01T00:00:00Z&to=2000-01-02T00:00:00Z") == "");
  CHECK(list("?from=2000-01-01T00:00:00Z") == "0,1,2,3,4,5,6,7,8,9,10,11");
  CHECK(list("?aggregateId=none") == "");
  CHECK(list("?schemaVersion=stored&limit=1") == "0");
  CHECK(list("?schemaVersion=1&limit=1") == "0");
  CHECK(list("?minPosition=12&limit=1") == "0");
  CHECK(service.get("/v1/events?limit=1").body.find(R"("data":0)") != std::string::npos);
  CHECK(service.get("/v1/events?includeSystem=true&limit=1").text("/events/0/kind") == "genesis");
  const std::string time = service.get("/v1/events?limit=1&afterPosition=5").text("/events/0/timestamp");
  CHECK(list("?to=" + time).size() + list("?from=" + time).size() + 1 == list("").size());
}

TEST_CASE("Reads.BoundsOfTimeCountToTheirLastDigit") {
  TestService service;
  const std::string day = "2026-03-01T00:00:00.";
  for (const std::string micros : {"000000", "123456", "123457", "999999"}) {
    REQUIRE(service.post(event("a", "\"" + micros + "\"", R"("occurredAt":")" + day + micros + R"(Z")")).status == 201);
  }
  REQUIRE(service.post(event("a", R"("end")", R"("occurredAt":"9999-12-31T23:59:59.999999Z")")).status == 201);
  const auto list = [&](const std::string& query) { return datas(service.get("/v1/events?" + query)); };
  const std::string a = R"("000000")", b = R"("123456")", c = R"("123457")", d = R"("999999")", end = R"("end")";
  for (const std::string digits : {"1234561", "12345601", "123456789", "123456999"}) {
    CAPTURE(digits);
    CHECK(list("occurredTo=" + day + digits + "Z") == a + "," + b);
    CHECK(list("occurredFrom=" + day + digits + "Z") == c + "," + d + "," + end);
  }
  for (const std::string digits : {"123456", "1234560", "123456000"}) {
    CAPTURE(digits);
    CHECK(list("occurredTo=" + day + digits + "Z") == a);
    CHECK(list("occurredFrom=" + day + digits + "Z") == b + "," + c + "," + d + "," + end);
  }
  CHECK(list("occurredTo=" + day + "9999999Z") == a + "," + b + "," + c + "," + d);
  CHECK(list("occurredFrom=" + day + "0000001Z&occurredTo=" + day + "123457001Z") == b + "," + c);
  // The last microsecond there is.
  CHECK(list("occurredFrom=9999-12-31T23:59:59.9999989Z") == end);
  CHECK(list("occurredFrom=9999-12-31T23:59:59.999999Z&occurredTo=9999-12-31T23:59:59.9999999Z") == end);
  CHECK(list("occurredFrom=9999-12-31T23:59:59.9999999Z") == "");
  CHECK(list("to=9999-12-31T23:59:59.9999999Z").size() == list("").size());
  CHECK(list("from=9999-12-31T23:59:59.9999999Z") == "");
  // When they were stored.
  const Answer all = service.get("/v1/events");
  const std::string time = all.text("/events/2/timestamp");
  const std::string behind = time.substr(0, time.size() - 1) + "001Z";
  CHECK(list("to=" + behind).find(c) != std::string::npos);
  CHECK(list("from=" + behind).find(c) == std::string::npos);
}

TEST_CASE("Reads.ABrokenEscapeInAPathIsToldAsThat") {
  TestService service;
  for (const std::string path :
       {"/v1/aggregates/%zz", "/v1/aggregates/%ff", "/v1/events/%", "/v1/events/%c3/data", "/problems/%1"}) {
    CAPTURE(path);
    const Answer answer = service.get(path);
    CHECK(answer.status == 400);
    CHECK(answer.slug() == "invalid-path");
    CHECK(answer.text("/title") == "Invalid path");
  }
}

TEST_CASE("Reads.LinesByAnyOfTheirNames") {
  TestService service;
  fill(service, 3);
  for (const std::string target : {"/v1/events", "/v1/aggregates"}) {
    const Answer usual = service.get(target, {{"Accept", "application/x-ndjson"}});
    CHECK(lines_of(usual.body) == 3);
    for (const std::string type : {"application/ndjson", "application/jsonl"}) {
      CAPTURE(type);
      const Answer lines = service.get(target, {{"Accept", type + "; profile=x"}});
      CHECK(lines.status == 200);
      CHECK(lines.type == type);
      CHECK(lines.body == usual.body);
      CHECK(service.get(target, {{"Accept", type}, {"Accept-Encoding", "gzip"}}).header("Content-Encoding") == "gzip");
    }
  }
}

TEST_CASE("Reads.ACursorOfAnotherStoreIsRefused") {
  TestService one, another;
  for (TestService* service : {&one, &another}) fill(*service, 8);
  for (const std::string target :
       {"/v1/events?limit=3", "/v1/events?aggregateId=a1&order=desc&limit=1", "/v1/aggregates?limit=2"}) {
    CAPTURE(target);
    const std::string cursor = one.get(target).text("/nextCursor");
    CHECK(one.get(target + "&cursor=" + cursor).status == 200);
    const Answer refused = another.get(target + "&cursor=" + cursor);
    CHECK(refused.status == 400);
    CHECK(refused.slug() == "invalid-cursor");
    CHECK(refused.text("/detail").find("another store") != std::string::npos);
  }
}

TEST_CASE("Reads.BadParametersAre400") {
  TestService service;
  const auto error = [&](const std::string& query) {
    const Answer answer = service.get("/v1/events?" + query);
    CHECK(answer.status == 400);
    return answer.slug() + " " + answer.text("/errors/0/parameter");
  };
  CHECK(error("agregateId=a") == "unknown-parameter agregateId");
  CHECK(error("aggregateId=a&aggregateId=b") == "invalid-parameter aggregateId");
  CHECK(error("aggregateId=") == "invalid-parameter aggregateId");
  CHECK(error("aggregateId=%ff") == "invalid-parameter aggregateId");
  CHECK(error("limit=0") == "invalid-parameter limit");
  CHECK(error("limit=1001") == "invalid-parameter limit");
  CHECK(error("order=up") == "invalid-parameter order");
  CHECK(error("from=now") == "invalid-parameter from");
  CHECK(error("to=2026-03-01T12:00:00.1234567890Z") == "invalid-parameter to");
  CHECK(error("fromSequence=-1") == "invalid-parameter fromSequence");
  CHECK(error("afterPosition=x") == "invalid-parameter afterPosition");
  CHECK(error("schemaVersion=0") == "invalid-parameter schemaVersion");
  CHECK(error("schemaVersion=newest") == "invalid-parameter schemaVersion");
  CHECK(error("schemaVersion=2") == "invalid-parameter schemaVersion");
  CHECK(error("minPosition=x") == "invalid-parameter minPosition");
  CHECK(error("includeSystem=yes") == "invalid-parameter includeSystem");
  CHECK(error("cursor=abc") == "invalid-cursor cursor");
  CHECK(error("cursor=") == "invalid-parameter cursor");
}

TEST_CASE("Reads.AParameterWithNothingInItIsAFaultAndNeverNoFilter") {
  TestService service;
  for (const char* name : {"aggregateId", "aggregateType", "eventType", "userId", "correlationId", "from", "to",
                           "occurredFrom", "occurredTo", "fromSequence", "toSequence", "afterPosition", "order",
                           "limit", "cursor", "schemaVersion", "minPosition", "includeSystem"}) {
    for (const std::string& query : {std::string(name), std::string(name) + "="}) {
      CAPTURE(query);
      const Answer answer = service.get("/v1/events?" + query);
      CHECK(answer.slug() == "invalid-parameter");
      CHECK(answer.text("/errors/0/parameter") == name);
    }
  }
  for (const char* name : {"aggregateType", "prefix", "limit", "cursor", "includeSystem"}) {
    CAPTURE(name);
    CHECK(service.get("/v1/aggregates?" + std::string(name) + "=").slug() == "invalid-parameter");
  }
}

TEST_CASE("Reads.PagesFollowEachOtherAndStayStable") {
  TestService service;
  fill(service, 25);
  for (const std::string order : {"asc", "desc"}) {
    std::string target = "/v1/events?eventType=T1&eventType=T0&limit=4&order=" + order;
    std::string seen;
    int pages = 0;
    for (;; ++pages) {
      const Answer page = service.get(target);
      REQUIRE(page.status == 200);
      seen += datas(page) + ";";
      if (page.at("/nextCursor") == "null") {
        CHECK(page.header("Link").empty());
        break;
      }
      const std::string link = page.header("Link");
      REQUIRE(link.starts_with("<"));
      REQUIRE(link.ends_with(">; rel=\"next\""));
      target = link.substr(1, link.find('>') - 1);
      CHECK(target.find(page.text("/nextCursor")) != std::string::npos);
      REQUIRE(service.post(event("new", "1")).status == 201);
    }
    CHECK(pages == 4);
    CHECK(seen == (order == "asc" ? "0,1,3,4;6,7,9,10;12,13,15,16;18,19,21,22;24;"
                                  : "24,22,21,19;18,16,15,13;12,10,9,7;6,4,3,1;0;"));
  }
  const std::string cursor = service.get("/v1/events?userId=u1&limit=2").text("/nextCursor");
  CHECK(service.get("/v1/events?userId=u1&limit=7&cursor=" + cursor).status == 200);
  CHECK(service.get("/v1/events?userId=u0&limit=2&cursor=" + cursor).slug() == "invalid-cursor");
  CHECK(service.get("/v1/events?limit=2&cursor=" + cursor).slug() == "invalid-cursor");
  CHECK(service.get("/v1/events?userId=u1&order=desc&cursor=" + cursor).slug() == "invalid-cursor");
  CHECK(service.get("/v1/aggregates?cursor=" + cursor).slug() == "invalid-cursor");
  CHECK(service.get("/v1/events?userId=u1&cursor=" + cursor.substr(1)).slug() == "invalid-cursor");
}

TEST_CASE("Reads.APageOfExactlyTheRestHasNoCursor") {
  TestService service;
  fill(service, 4);
  CHECK(service.get("/v1/events?limit=4").at("/nextCursor") == "null");
  CHECK(service.get("/v1/events?limit=3").at("/nextCursor") != "null");
}

TEST_CASE("Reads.PagesAreBoundedInBytes") {
  TestService service;
  const std::string big = event("a", "\"" + std::string(1'000'000, 'x') + "\"");
  for (int i = 0; i < 12; ++i) REQUIRE(service.post(big).status == 201);
  const Answer page = service.get("/v1/events?limit=1000");
  CHECK(page.body.size() < 10'000'000);
  CHECK(page.at("/nextCursor") != "null");
  const Answer rest = service.get("/v1/events?cursor=" + page.text("/nextCursor"));
  CHECK(rest.at("/nextCursor") == "null");
  const Answer all = service.get("/v1/events", {{"Accept", "application/x-ndjson"}});
  CHECK(lines_of(all.body) == 12);
}

TEST_CASE("Reads.LinesStreamEverythingMinified") {
  TestService service;
  fill(service, 300);
  REQUIRE(service.post(event("a", "{ \"a b\" :\n [ 1 , 2 ] }")).status == 201);
  const TestService::Headers lines{{"Accept", "application/x-ndjson"}};
  const Answer all = service.get("/v1/events", lines);
  CHECK(all.status == 200);
  CHECK(all.streamed);
  CHECK(all.type == "application/x-ndjson");
  CHECK(lines_of(all.body) == 301);
  CHECK(all.body.find(R"("data":{"a b":[1,2]})") != std::string::npos);
  CHECK(lines_of(service.get("/v1/events?eventType=T1", lines).body) == 100);
  CHECK(lines_of(service.get("/v1/events?limit=7", lines).body) == 7);
  CHECK(service.get("/v1/events?aggregateId=none", lines).body.empty());
  CHECK(lines_of(service.get("/v1/aggregates", lines).body) == 5);
  const Answer head = service.send(Method::Head, "/v1/events", {}, lines);
  CHECK(head.status == 200);
  CHECK(head.type == "application/x-ndjson");
}

TEST_CASE("Reads.MinPositionWaitsUntilItIsReadable") {
  TestService service;
  auto waiting = service.begin(Method::Get, "/v1/events?minPosition=2");
  REQUIRE(service.post(event("a", "1")).status == 201);
  CHECK(waiting.wait_for(std::chrono::milliseconds(0)) == std::future_status::timeout);
  REQUIRE(service.post(event("a", "2")).status == 201);
  CHECK(datas(waiting.get()) == "1,2");
}

TEST_CASE("Reads.MinPositionGivesUp") {
  ServiceOptions options;
  options.min_position_wait = std::chrono::milliseconds(20);
  options.min_position_waiters_max = 2;
  TestService service(options);
  const Answer late = service.get("/v1/events?minPosition=1000");
  CHECK(late.status == 503);
  CHECK(late.slug() == "position-not-reached");
  CHECK(!late.header("Retry-After").empty());
}

TEST_CASE("Reads.WaitersAreBoundedAndEndWithTheServer") {
  ServiceOptions options;
  options.min_position_wait = std::chrono::hours(1);
  options.min_position_waiters_max = 2;
  TestService service(options);
  auto one = service.begin(Method::Get, "/v1/events?minPosition=1000");
  auto two = service.begin(Method::Get, "/v1/events?minPosition=1000");
  CHECK(service.get("/v1/events?minPosition=1000").slug() == "busy");
  service.service().begin_shutdown();
  CHECK(one.get().slug() == "unavailable");
  CHECK(two.get().slug() == "unavailable");
  CHECK(service.get("/v1/events?minPosition=1000").slug() == "unavailable");
}

TEST_CASE("Reads.Aggregates") {
  TestService service;
  fill(service, 10);
  REQUIRE(service.post(event("src/server.c")).status == 201);
  const Answer all = service.get("/v1/aggregates");
  CHECK(all.text("/aggregates/0/aggregateId") == "a0");
  CHECK(all.at("/aggregates/0/sequenceNumber") == "3");
  CHECK(all.at("/aggregates/0/count") == "3");
  CHECK(all.text("/aggregates/0/aggregateType") == "t0");
  CHECK(all.text("/aggregates/0/firstTimestamp").size() == 27);
  CHECK(all.text("/aggregates/4/aggregateId") == "src/server.c");
  CHECK(all.at("/aggregates/4/aggregateType") == "none");
  CHECK(all.at("/aggregates/5") == "none");
  CHECK(all.at("/nextCursor") == "null");
  CHECK(service.get("/v1/aggregates?aggregateType=t1").text("/aggregates/0/aggregateId") == "a2");
  CHECK(service.get("/v1/aggregates?prefix=src%2F").text("/aggregates/0/aggregateId") == "src/server.c");
  std::string target = "/v1/aggregates?prefix=a&limit=3";
  const Answer page = service.get(target);
  CHECK(page.text("/aggregates/2/aggregateId") == "a2");
  const std::string link = page.header("Link");
  const Answer next = service.get(link.substr(1, link.find('>') - 1));
  CHECK(next.text("/aggregates/0/aggregateId") == "a3");
  CHECK(next.at("/nextCursor") == "null");
  CHECK(service.get("/v1/aggregates?prefix=s&cursor=" + page.text("/nextCursor")).slug() == "invalid-cursor");
  CHECK(service.get("/v1/aggregates?order=asc").slug() == "unknown-parameter");

  CHECK(service.get("/v1/aggregates/src%2Fserver.c").text("/aggregateId") == "src/server.c");
  CHECK(service.get("/v1/aggregates/none").slug() == "aggregate-not-found");
  CHECK(service.get("/v1/aggregates/src/server.c").slug() == "not-found");
}

TEST_CASE("Reads.HeadOfTheLog") {
  TestService service;
  const Answer genesis = service.get("/v1/head");
  CHECK(genesis.at("/size") == "1");
  CHECK(genesis.at("/position") == "0");
  REQUIRE(service.post(event("a")).status == 201);
  const Answer head = service.get("/v1/head");
  CHECK(head.at("/size") == "2");
  CHECK(head.at("/position") == "1");
  CHECK(head.text("/timestamp").size() == 27);
  CHECK(head.text("/root").size() == 44);
  CHECK(head.text("/root") != genesis.text("/root"));
  CHECK(head.text("/storeId").size() == 36);
  CHECK(head.text("/origin") == "stele");
}

TEST_CASE("Service.HealthAndReadiness") {
  TestService service;
  CHECK(service.get("/healthz").status == 200);
  const Answer ready = service.get("/readyz?probe=1");
  CHECK(ready.status == 200);
  CHECK(ready.at("/ready") == "true");
  CHECK(ready.at("/writable") == "true");
  CHECK(ready.at("/recovery/tailCase") != "none");
  service.service().begin_shutdown();
  const Answer closing = service.get("/readyz");
  CHECK(closing.status == 503);
  CHECK(closing.slug() == "not-ready");
  CHECK(closing.at("/shuttingDown") == "true");
  CHECK(closing.at("/ready") == "false");
  CHECK(service.get("/healthz").status == 200);
}

TEST_CASE("Service.CertificatesThatEndAreAWarningInTimeAndAMetric") {
  constexpr std::int64_t day = 86'400'000'000;
  SetClock clock;
  const Timestamp start = clock.time;
  const auto at = [&](double days) { return Timestamp{start.micros + static_cast<std::int64_t>(days * day)}; };
  std::vector<CertificateTerm> terms = {{CertificateUse::Server, "CN=server", at(0), at(90)},
                                        {CertificateUse::ClientCa, "CN=late", at(0), at(900)},
                                        {CertificateUse::ClientCa, "CN=early", at(0), at(800)}};
  ServiceOptions options;
  options.clock = &clock;
  options.certificates = [&] { return terms; };
  TestService service(options);
  const auto warnings = [&](double days) {
    clock.time = at(days);
    const Answer ready = service.get("/readyz");
    int count = 0;
    while (ready.at("/warnings/" + std::to_string(count)) != "none") ++count;
    CHECK(service.get("/metrics").body.find("\nstele_warnings " + std::to_string(count) + "\n") != std::string::npos);
    return ready.at("/warnings");
  };
  CHECK(warnings(1) == "[]");
  CHECK(warnings(75.9) == "[]");
  CHECK(warnings(76.1) ==
        R"(["TLS: the server's certificate, CN=server, expires at )" + format_timestamp(at(90)) + R"("])");
  CHECK(warnings(89.9) == warnings(76.1));
  CHECK(warnings(90.1) ==
        R"(["TLS: the server's certificate, CN=server, expired at )" + format_timestamp(at(90)) + R"("])");
  const std::string page = service.get("/metrics").body;
  const auto has = [&](const std::string& use, Timestamp end) {
    const std::string mark = "\nstele_tls_certificate_expiry_timestamp_seconds{use=\"" + use + "\"} ";
    const std::size_t found = page.find(mark);
    return found != std::string::npos &&
           std::stod(page.substr(found + mark.size())) == static_cast<double>(end.micros) / 1e6;
  };
  CHECK(has("server", at(90)));
  CHECK(has("client-ca", at(800)));
  // Renewed.
  terms[0] = {CertificateUse::Server, "CN=server", at(90), at(180)};
  CHECK(warnings(90.1) == "[]");
  CHECK(warnings(89) ==
        R"(["TLS: the server's certificate, CN=server, is not good before )" + format_timestamp(at(90)) + R"("])");
  // What never lives long is no constant warning.
  terms = {{CertificateUse::ClientCrl, "CN=daily", at(0), at(1)}, {CertificateUse::ServerChain, "", at(0), at(6)}};
  CHECK(warnings(0.6) == "[]");
  CHECK(warnings(0.7).find("a list of revoked client certificates, CN=daily, expires at ") != std::string::npos);
  CHECK(warnings(4.5).find("a certificate between the server's and the root expires at ") != std::string::npos);
}

TEST_CASE("Service.MethodsAndPaths") {
  TestService service;
  for (const Method method : {Method::Put, Method::Delete, Method::Patch, Method::Other}) {
    const Answer events = service.send(method, "/v1/events");
    CHECK(events.status == 405);
    CHECK(events.header("Allow") == "GET, HEAD, POST, OPTIONS");
    CHECK(service.send(method, "/v1/events/0190a6b2-7c3e-7d10-8a4b-1f2e3d4c5b6a").status == 405);
  }
  CHECK(service.send(Method::Post, "/v1/head").header("Allow") == "GET, HEAD, OPTIONS");
  CHECK(service.get("/v2/events").slug() == "not-found");
  CHECK(service.send(Method::Delete, "/nothing").status == 404);
  CHECK(service.get("/v1/aggregates/%zz").status == 400);
  const Answer options = service.send(Method::Options, "/v1/events");
  CHECK(options.status == 204);
  CHECK(options.header("Allow") == "GET, HEAD, POST, OPTIONS");
  CHECK(options.type.empty());
  CHECK(options.header("Access-Control-Allow-Origin").empty());
  CHECK(service.send(Method::Options, "*").status == 204);
  const Answer head = service.send(Method::Head, "/v1/head");
  CHECK(head.status == 200);
  CHECK(service.get("/v1/head", {{"X-Correlation-Id", "abc"}}).header("X-Correlation-Id") == "abc");
}

TEST_CASE("Service.OnlyConfiguredOriginsMayCall") {
  ServiceOptions options;
  options.cors_origins = {"https://console.example"};
  TestService service(options);
  const Answer allowed = service.send(Method::Options, "/v1/events", {}, {{"Origin", "https://console.example"}});
  CHECK(allowed.header("Access-Control-Allow-Origin") == "https://console.example");
  CHECK(allowed.header("Access-Control-Allow-Methods").find("POST") != std::string::npos);
  CHECK(allowed.header("Access-Control-Allow-Headers").find("Idempotency-Key") != std::string::npos);
  CHECK(allowed.header("Vary") == "Origin");
  const Answer other = service.get("/v1/head", {{"Origin", "https://elsewhere.example"}});
  CHECK(other.status == 200);
  CHECK(other.header("Access-Control-Allow-Origin").empty());
  CHECK(other.header("Vary") == "Origin");
  CHECK(service.get("/v1/head", {{"Origin", "https://console.example"}}).header("Access-Control-Allow-Origin") ==
        "https://console.example");
}

TEST_CASE("Service.AnswersThatNetGivesItselfHaveCorsFieldsToo") {
  const auto completed = [](std::vector<std::string> origins, const std::string& origin) {
    ServiceOptions options;
    options.cors_origins = std::move(origins);
    TestService service(std::move(options));
    std::map<std::string, std::string> headers;
    if (!origin.empty()) headers["Origin"] = origin;
    const TestRequest request(Method::Other, "", {}, headers, service.scheduler());
    Response response;
    service.service().complete(request, response);
    for (const auto& [name, value] : response.headers) {
      if (name == "Access-Control-Allow-Origin") return value;
    }
    return std::string("none");
  };
  CHECK(completed({}, "https://a") == "none");
  CHECK(completed({"https://a", "https://b"}, "https://b") == "https://b");
  CHECK(completed({"https://a", "https://b"}, "https://c") == "none");
  CHECK(completed({"*"}, "https://c") == "https://c");
  // Where the field could not be read any more, the only origin there can be is meant.
  CHECK(completed({"https://a"}, "") == "https://a");
  CHECK(completed({"*"}, "") == "*");
  CHECK(completed({"https://a", "https://b"}, "") == "none");
}

TEST_CASE("Service.ProblemsDescribeThemselves") {
  TestService service;
  CHECK(service.get("/problems/sequence-conflict").at("/status") == "409");
  CHECK(service.get("/problems/none").slug() == "not-found");
  CHECK(service.get("/problems").at("/problems/0/type") != "none");
}

TEST_CASE("Service.ServesItsDescription") {
  TestService service;
  const Answer answer = service.get("/openapi.json");
  REQUIRE(answer.status == 200);
  CHECK(answer.text("/openapi").starts_with("3.1"));
  CHECK(answer.body == openapi_json());
}

// Lists that examine more than a page may, or that nobody waits for.

#include <doctest/doctest.h>

#include "tests/api/access_support.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kLines = {{"Accept", "application/x-ndjson"}};

ServiceOptions with_limit(std::uint64_t records) {
  ServiceOptions options;
  options.read_limits = ReadLimits{.records = records, .time = std::chrono::hours{1}};
  return options;
}

/// Event i has the type Ti%10 and is of an aggregate of its own, whose type is ti%10.
void append_varied(TestService& service, int count) {
  std::string body;
  for (int i = 0; i < count; ++i) {
    const std::string kind = std::to_string(i % 10);
    body += (i == 0 ? "[" : ",") + (R"({"eventType":"T)" + kind) + R"(","aggregateId":"a)" + std::to_string(1000 + i) +
            R"(","aggregateType":"t)" + kind + R"(","userId":"u)" + std::to_string(i % 7) + R"(","data":)" +
            std::to_string(i) + R"(,"occurredAt":"20)" + std::to_string(10 + i % 10) + R"(-03-01T12:00:00Z"})";
  }
  REQUIRE(service.post(body + "]").status == 201);
}

struct Pages {
  std::string seen;       ///< what `member` of the items was
  std::size_t count = 0;  ///< of the pages
  std::size_t empty = 0;
};

Pages all_pages(TestService& service, std::string target, const std::string& list, const std::string& member,
                const TestService::Headers& headers = {}) {
  Pages pages;
  for (;;) {
    const Answer page = service.get(target, headers);
    REQUIRE(page.status == 200);
    ++pages.count;
    if (page.at("/" + list + "/0") == "none") ++pages.empty;
    for (int i = 0; page.at("/" + list + "/" + std::to_string(i)) != "none"; ++i) {
      pages.seen += (pages.seen.empty() ? "" : ",") + page.text("/" + list + "/" + std::to_string(i) + "/" + member);
    }
    const std::string link = page.header("Link");
    CHECK((page.at("/nextCursor") == "null") == link.empty());
    if (link.empty()) return pages;
    REQUIRE(pages.count < 10'000);
    target = link.substr(1, link.find('>') - 1);
  }
}

}  // namespace

TEST_CASE("BoundedReads.APageThatExaminedEnoughEndsEarlyWithACursor") {
  TestService service(with_limit(20));
  append_varied(service, 300);
  // Only the events themselves tell their numbers.
  for (const std::string order : {"asc", "desc"}) {
    const Pages none = all_pages(service, "/v1/events?fromSequence=2&order=" + order, "events", "data");
    CHECK(none.seen.empty());
    CHECK(none.count >= 15);
    const Pages all = all_pages(service, "/v1/events?toSequence=1&order=" + order, "events", "data");
    CHECK(std::count(all.seen.begin(), all.seen.end(), ',') == 299);
    CHECK(all.count >= 15);
  }
  // T3 and u3 meet once in seventy events.
  const Pages rare = all_pages(service, "/v1/events?eventType=T3&userId=u3&limit=1", "events", "data");
  CHECK(rare.seen == "3,73,143,213,283");
  // 2014 has every tenth event; between a day that is and one that is not the index tells.
  CHECK(all_pages(service, "/v1/events?occurredFrom=2020-01-01T00:00:00Z", "events", "data").count == 1);
  CHECK(all_pages(service, "/v1/events?occurredTo=2010-01-01T00:00:00Z", "events", "data").count == 1);
  CHECK(all_pages(service, "/v1/events?occurredFrom=2018-06-01T00:00:00Z&limit=1000", "events", "data")
            .seen.substr(0, 12) == "9,19,29,39,4");
  CHECK(all_pages(service, "/v1/events?occurredFrom=2015-01-01T00:00:00Z&occurredTo=2010-01-01T00:00:00Z", "events",
                  "data")
            .count == 1);
  CHECK(all_pages(service, "/v1/events?fromSequence=3&toSequence=2", "events", "data").count == 1);
}

TEST_CASE("BoundedReads.LinesGoOnInPieces") {
  TestService service(with_limit(20));
  append_varied(service, 300);
  const Answer whole = service.get("/v1/events", kLines);
  CHECK(whole.status == 200);
  CHECK(std::count(whole.body.begin(), whole.body.end(), '\n') == 300);
  CHECK(whole.pieces >= 15);
  const Answer none = service.get("/v1/events?fromSequence=2&order=desc", kLines);
  CHECK(none.status == 200);
  CHECK(none.body.empty());
  CHECK(none.pieces >= 15);
  const Answer limited = service.get("/v1/events?limit=70", kLines);
  CHECK(std::count(limited.body.begin(), limited.body.end(), '\n') == 70);
  const Answer aggregates = service.get("/v1/aggregates", kLines);
  CHECK(std::count(aggregates.body.begin(), aggregates.body.end(), '\n') == 300);
  CHECK(aggregates.pieces >= 15);
}

TEST_CASE("BoundedReads.AnExportOfTheAuditTrailReadsNoMoreThanIsTaken") {
  constexpr std::size_t kPieceBytes = 64U << 10;
  constexpr std::size_t kLineBytes = 1024;  // more than any of these
  for (const std::uint64_t limit : {20U, 1'000'000U}) {
    CAPTURE(limit);
    TestService service(with_limit(limit));
    append_varied(service, 600);
    const std::uint64_t records = service.store().durable_end().value();
    const auto request =
        std::make_shared<TestRequest>(Method::Get, "/v1/events/audit", "", kLines, service.scheduler());
    const Response response = service.open(request);
    REQUIRE(response.source != nullptr);
    std::uint64_t lines = 0;
    std::size_t pieces = 0;
    for (bool more = true; more; ++pieces) {
      REQUIRE(service.post(event("later")).status == 201);
      std::string piece;
      const auto step = response.source->next(piece);
      REQUIRE(step);
      more = *step;
      const auto in_piece = static_cast<std::uint64_t>(std::count(piece.begin(), piece.end(), '\n'));
      CHECK(in_piece <= limit);
      CHECK(piece.size() <= kPieceBytes + kLineBytes);
      lines += in_piece;
    }
    CHECK(lines == records);
    CHECK(pieces >= (limit == 20 ? 600 / 20 : 2));
  }
}

TEST_CASE("BoundedReads.LinesEndAtTheHeadOfTheirBegin") {
  TestService service(with_limit(20));
  append_varied(service, 100);
  for (const std::string target : {"/v1/events", "/v1/aggregates"}) {
    const auto request = std::make_shared<TestRequest>(Method::Get, target, "", kLines, service.scheduler());
    std::promise<std::unique_ptr<BodySource>> promise;
    auto begun = promise.get_future();
    service.service().handle(*request, [&](Response response) { promise.set_value(std::move(response.source)); });
    const auto source = begun.get();
    std::string lines;
    const std::size_t before = static_cast<std::size_t>(service.store().durable_end().value());
    for (bool more = true; more;) {
      // New aggregates, and an event more of one that is still to come.
      REQUIRE(service.post(event("a0999")).status == 201);
      REQUIRE(service.post(event("a1099", "1", R"("aggregateType":"t9")")).status == 201);
      const auto piece = source->next(lines);
      REQUIRE(piece);
      more = *piece;
    }
    CHECK(before < service.store().durable_end().value());
    if (target == "/v1/events") {
      CHECK(static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n')) == before - 1);
    } else {
      CHECK(lines.find("\"aggregateId\":\"a1099\"") != std::string::npos);
      const std::size_t last = lines.find("\"aggregateId\":\"a1099\"");
      const std::string count = lines.substr(lines.find("\"count\":", last) + 8, 2);
      // As many as there were when it began, though each piece has added one.
      CHECK(std::stoul(count) < before);
      const Answer now = service.get("/v1/aggregates/a1099");
      CHECK(std::stoul(now.at("/count")) > std::stoul(count));
    }
  }
}

TEST_CASE("BoundedReads.AggregatesOfATypeAreFoundWithoutLookingAtOthers") {
  TestService service(with_limit(20));
  append_varied(service, 300);
  const Pages pages = all_pages(service, "/v1/aggregates?aggregateType=t4&limit=7", "aggregates", "aggregateId");
  CHECK(pages.seen.starts_with("a1004,a1014,a1024"));
  CHECK(std::count(pages.seen.begin(), pages.seen.end(), ',') == 29);
  CHECK(pages.count == 5);  // of seven, though all 300 would take fifteen
  CHECK(all_pages(service, "/v1/aggregates?aggregateType=nobody", "aggregates", "aggregateId").seen.empty());
}

TEST_CASE("BoundedReads.CursorsOfALimitedCallerDoNotNameWhatIsHiddenFromIt") {
  TestKeys keys;
  const std::string all = keys.add(Role::Admin, "all");
  const std::string limited = keys.add(Role::Reader, "limited", {"t4"});
  ServiceOptions options = with_limit(1);
  options.authenticator = keys.open();
  TestService service(std::move(options));
  const auto bearer = [](const std::string& key) { return TestService::Headers{{"Authorization", "Bearer " + key}}; };
  for (const std::string name : {"1-secret", "2-secret", "3-shown", "4-secret"}) {
    const std::string type = name == "3-shown" ? "t4" : "t5";
    REQUIRE(service.post(event(name, "1", R"("aggregateType":")" + type + '"'), bearer(all)).status == 201);
  }
  std::string target = "/v1/aggregates";
  std::string seen;
  for (;;) {
    const Answer page = service.get(target, bearer(limited));
    REQUIRE(page.status == 200);
    if (page.at("/aggregates/0") != "none") seen += page.text("/aggregates/0/aggregateId") + ";";
    if (page.at("/nextCursor") == "null") break;
    const auto cursor = base64url_decode(page.text("/nextCursor"));
    REQUIRE(cursor);
    CHECK(cursor->find("secret") == std::string::npos);
    target = "/v1/aggregates?cursor=" + page.text("/nextCursor");
  }
  CHECK(seen == "3-shown;");
}

TEST_CASE("BoundedReads.AnAbandonedReadEndsSoon") {
  TestService service(with_limit(1'000'000));
  append_varied(service, 1000);
  const auto abandoned = [&](const std::string& target, const TestService::Headers& headers) {
    auto request = std::make_shared<TestRequest>(Method::Get, target, "", headers, service.scheduler());
    request->is_abandoned = true;
    return service.begin(request).get();
  };
  const std::string target = "/v1/events?fromSequence=2";
  const Answer page = abandoned(target, {});
  CHECK(page.status == 200);
  CHECK(page.at("/nextCursor") != "null");
  const Answer lines = abandoned(target, kLines);
  CHECK(lines.status == -1);  // it breaks off
  CHECK(lines.pieces == 0);
  CHECK(abandoned("/v1/aggregates?limit=1000", {}).at("/nextCursor") != "null");
  CHECK(abandoned("/v1/events?limit=1000", {}).at("/nextCursor") != "null");
  // Whoever still reads gets lines as long as some are found.
  const Answer found = abandoned("/v1/events", kLines);
  CHECK(found.status == 200);
  CHECK(std::count(found.body.begin(), found.body.end(), '\n') == 1000);
}

TEST_CASE("BoundedReads.WhatIsCutOffBeforeItsTurnIsNotBegun") {
  TestService service;
  append_varied(service, 10);
  for (const std::string target : {"/v1/events", "/v1/aggregates", "/v1/aggregates/a1001", "/openapi.json"}) {
    auto request = std::make_shared<TestRequest>(Method::Get, target, "", TestService::Headers{}, service.scheduler());
    request->cut_off();
    CHECK(service.begin(request).get().slug() == "request-timeout");
  }
}

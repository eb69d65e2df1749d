// Real input: what the audit search finds is what is found by looking through the whole trail, one record after the
// other.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

struct AuditRecord {
  std::string text;  ///< as the list has it
  std::uint64_t position = 0;
  std::string time, user, action, outcome;
};

AuditRecord parse_audit_record(const std::string& text) {
  const Json json(text);
  AuditRecord record{.text = json.minified(),
                     .position = json.number("/position"),
                     .time = json.text("/timestamp"),
                     .user = json.is_null("/userId") ? "" : json.text("/userId"),
                     .action = json.text("/action"),
                     .outcome = json.text("/outcome")};
  return record;
}

/// The whole trail as it is now.
std::vector<AuditRecord> whole_trail(HttpClient& client) {
  const HttpResponse response = client.get("/v1/events/audit", {{"Accept", "application/x-ndjson"}});
  REQUIRE(response.status == 200);
  std::vector<AuditRecord> records;
  std::istringstream lines(response.body);
  for (std::string line; std::getline(lines, line);) records.push_back(parse_audit_record(line));
  return records;
}

struct AuditSearch {
  std::string user, from, to, action, outcome;

  [[nodiscard]] bool matches(const AuditRecord& record) const {
    // The times are all of one form, so that texts compare as times do.
    return (user.empty() || record.user == user) && (from.empty() || record.time >= from) &&
           (to.empty() || record.time < to) && (action.empty() || record.action == action) &&
           (outcome.empty() || record.outcome == outcome);
  }
  [[nodiscard]] std::string target(const std::string& order) const {
    std::string text = "/v1/events/audit?order=" + order;
    for (const auto& [name, value] : {std::pair{"userId", &user}, std::pair{"from", &from}, std::pair{"to", &to},
                                      std::pair{"action", &action}, std::pair{"outcome", &outcome}}) {
      if (!value->empty()) text += "&" + std::string(name) + "=" + percent(*value);
    }
    return text;
  }
};

/// What the search finds up to a position, behind which its own traces are, page by page.
std::vector<std::string> found_in_pages(HttpClient& client, const std::string& target, std::size_t limit,
                                        std::uint64_t last) {
  std::vector<std::string> found;
  std::string cursor;
  do {
    const Json page = get_json(
        client, target + "&limit=" + std::to_string(limit) + (cursor.empty() ? "" : "&cursor=" + percent(cursor)));
    const auto records = page.list("/records");
    REQUIRE(records.size() <= limit);
    for (const Json& record : records) {
      if (record.number("/position") <= last) found.push_back(record.minified());
    }
    // Behind the last position nothing is asked for any more: each page would leave another trace.
    if (!records.empty() && records.back().number("/position") > last && contains(target, "order=asc")) break;
    cursor = page.is_null("/nextCursor") ? "" : page.text("/nextCursor");
  } while (!cursor.empty());
  return found;
}

std::vector<std::string> found_in_lines(HttpClient& client, const std::string& target, std::uint64_t last) {
  const HttpResponse response = client.get(target, {{"Accept", "application/x-ndjson"}});
  REQUIRE(response.status == 200);
  std::vector<std::string> found;
  std::istringstream lines(response.body);
  for (std::string line; std::getline(lines, line);) {
    if (AuditRecord record = parse_audit_record(line); record.position <= last) found.push_back(std::move(record.text));
  }
  return found;
}

}  // namespace

TEST_CASE("AuditHistory.SearchesAgreeWithAScanOfTheWholeTrail") {
  Api api({"--audit-reads", "all"});
  HttpClient client = api.client();
  const std::string sample = source_path("tests/data/redis-history.ndjson.zst");
  const ProcessResult imported = run_stele({"import", sample, "--url", api.server().url()});
  REQUIRE_MESSAGE(imported.exit_code == 0, imported.err);
  // Actions beside the events, refused and done.
  CHECK(client.get("/v1/events?limit=1").status == 200);
  CHECK(client.get("/v1/aggregates/nothing").status == 404);
  check_problem(client.post("/v1/events", "{}"), 422);
  for (const std::string kind : {"action=events.query&outcome=done", "action=event.append&outcome=refused"}) {
    REQUIRE(eventually([&] { return get_json(client, "/v1/events/audit?" + kind).has("/records/0"); }));
  }
  const std::vector<AuditRecord> trail = whole_trail(client);
  const std::uint64_t last = trail.back().position;
  REQUIRE(trail.size() > 28'069);
  REQUIRE(trail.size() == last + 1);

  std::map<std::string, std::size_t> by_user, by_action;
  for (const AuditRecord& record : trail) {
    ++by_user[record.user];
    ++by_action[record.action];
  }
  by_user.erase("");
  REQUIRE(by_user.size() > 100);
  const auto more = [](const auto& a, const auto& b) { return a.second < b.second; };
  const std::string busiest = std::max_element(by_user.begin(), by_user.end(), more)->first;
  const std::string rarest = std::min_element(by_user.begin(), by_user.end(), more)->first;

  std::vector<AuditSearch> searches{
      {.user = busiest},
      {.user = rarest},
      {.user = "nobody of that name"},
      {.outcome = "refused"},
      {.action = "event.append", .outcome = "refused"},
      {.from = trail.front().time, .to = trail.front().time},
      {.from = trail.back().time},
      {.to = trail[trail.size() / 100].time},
  };
  for (const auto& [action, count] : by_action) {
    searches.push_back({.to = trail[trail.size() / 50].time, .action = action});
    if (action != "event.append") searches.push_back({.action = action});
  }
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto any = [&]() -> const AuditRecord& { return trail[random() % trail.size()]; };
  for (int i = 0; i < 40; ++i) {
    AuditSearch search{.user = random() % 3 == 0 ? "" : any().user};
    const std::size_t first = random() % trail.size();
    const std::size_t length = random() % 2000;
    // From a record's own time, and to another's.
    if (search.user.empty() || random() % 2 == 0) {
      search.from = trail[first].time;
      search.to = trail[std::min(first + length, trail.size() - 1)].time;
    }
    if (random() % 3 == 0) search.action = random() % 4 == 0 ? any().action : "event.append";
    searches.push_back(std::move(search));
  }

  for (const AuditSearch& search : searches) {
    std::vector<std::string> expected;
    for (const AuditRecord& record : trail) {
      if (search.matches(record)) expected.push_back(record.text);
    }
    for (const std::string order : {"asc", "desc"}) {
      const std::string target = search.target(order);
      CAPTURE(target);
      if (order == "desc") std::reverse(expected.begin(), expected.end());
      const std::size_t limit = expected.size() < 100 ? 3 : expected.size() < 500 ? 17 : 250;
      CHECK((found_in_pages(client, target, limit, last) == expected));
      CHECK((found_in_lines(client, target, last) == expected));
    }
  }
}

}  // namespace stele::tests

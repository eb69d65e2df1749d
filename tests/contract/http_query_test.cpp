// GET /v1/events: every filter alone and in random combination against a plain filter over a known data set, order,
// pages, lines.

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/http_fixture.h"

namespace stele::tests {
namespace {

/// An event as its receipt tells it. Timestamps have a fixed form, so they compare as text.
struct Stored {
  std::string id;
  std::string aggregate_id;
  std::string aggregate_type;  ///< empty: none
  std::string event_type;
  std::string user_id;  ///< empty: none
  std::string correlation_id;
  std::string time;
  std::string occurred_at;  ///< empty: none
  std::uint64_t sequence = 0;
  std::uint64_t position = 0;
  std::vector<std::string> tags;
};

bool has_tag(const Stored& event, const std::string& tag) {
  return std::find(event.tags.begin(), event.tags.end(), tag) != event.tags.end();
}

Stored stored_of(const Json& event) {
  const auto optional_text = [&](const char* name) { return event.has(name) ? event.text(name) : std::string(); };
  std::vector<std::string> tags;
  for (std::string at = "/tags/0"; event.has(at); at = "/tags/" + std::to_string(tags.size())) {
    tags.push_back(event.text(at));
  }
  return {event.text("/eventId"),
          event.text("/aggregateId"),
          optional_text("/aggregateType"),
          event.text("/eventType"),
          optional_text("/userId"),
          event.text("/correlationId"),
          event.text("/timestamp"),
          optional_text("/occurredAt"),
          event.number("/sequenceNumber"),
          event.number("/position"),
          std::move(tags)};
}

struct Filter {
  std::optional<std::string> aggregate_id, aggregate_type, user_id, correlation_id, from, to, occurred_from,
      occurred_to;
  std::vector<std::string> event_types;
  std::vector<std::string> tags;  ///< all of them
  std::optional<std::uint64_t> from_sequence, to_sequence, after;
  bool descending = false;

  [[nodiscard]] bool matches(const Stored& event) const {
    if (aggregate_id && event.aggregate_id != *aggregate_id) return false;
    if (aggregate_type && event.aggregate_type != *aggregate_type) return false;
    if (user_id && event.user_id != *user_id) return false;
    if (correlation_id && event.correlation_id != *correlation_id) return false;
    if (!event_types.empty() &&
        std::find(event_types.begin(), event_types.end(), event.event_type) == event_types.end()) {
      return false;
    }
    if (!std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) { return has_tag(event, tag); }))
      return false;
    if (from && event.time < *from) return false;
    if (to && event.time >= *to) return false;
    if ((occurred_from || occurred_to) && event.occurred_at.empty()) return false;
    if (occurred_from && event.occurred_at < *occurred_from) return false;
    if (occurred_to && event.occurred_at >= *occurred_to) return false;
    if (from_sequence && event.sequence < *from_sequence) return false;
    if (to_sequence && event.sequence > *to_sequence) return false;
    return !after || event.position > *after;
  }

  [[nodiscard]] std::string query() const {
    std::string text;
    const auto add = [&](const char* name, const std::string& value) {
      text += (text.empty() ? "?" : "&") + std::string(name) + "=" + percent(value);
    };
    if (aggregate_id) add("aggregateId", *aggregate_id);
    if (aggregate_type) add("aggregateType", *aggregate_type);
    for (const std::string& type : event_types) add("eventType", type);
    for (const std::string& tag : tags) add("tag", tag);
    if (user_id) add("userId", *user_id);
    if (correlation_id) add("correlationId", *correlation_id);
    if (from) add("from", *from);
    if (to) add("to", *to);
    if (occurred_from) add("occurredFrom", *occurred_from);
    if (occurred_to) add("occurredTo", *occurred_to);
    if (from_sequence) add("fromSequence", std::to_string(*from_sequence));
    if (to_sequence) add("toSequence", std::to_string(*to_sequence));
    if (after) add("afterPosition", std::to_string(*after));
    if (descending) add("order", "desc");
    return text;
  }
};

constexpr int kEvents = 240;

/// A server with a small known history, made once; only read afterwards.
class History {
 public:
  History() {
    HttpClient client = api_.client();
    std::mt19937 random(20260301);
    const auto below = [&](unsigned n) { return static_cast<int>(random() % n); };
    while (static_cast<int>(events_.size()) < kEvents) {
      std::string body;
      const int count = 1 + below(3);
      for (int i = 0; i < count; ++i) {
        const int aggregate = below(12);
        std::string extra;
        if (aggregate % 3 != 0)
          extra += R"(,"aggregateType":")" + std::string(aggregate % 3 == 1 ? "Mission" : "Source File") + "\"";
        if (const int user = below(5); user != 0) extra += R"(,"userId":"user )" + std::to_string(user) + "\"";
        if (below(2) == 0) extra += R"(,"correlationId":"c&)" + std::to_string(below(9)) + "\"";
        if (below(3) != 0) {
          extra += R"(,"occurredAt":"2025-0)" + std::to_string(1 + below(9)) + "-1" + std::to_string(below(10)) +
                   R"(T08:00:00Z")";
        }
        std::string tags;
        for (int tag = 0; tag < 6; ++tag) {
          if (below(3) == 0)
            tags += (tags.empty() ? "\"" : ",\"") + std::string("é & ") + std::to_string(5 - tag) + "\"";
        }
        if (!tags.empty()) extra += R"(,"tags":[)" + tags + "]";
        const std::string type = below(20) == 0 ? "Rare:Event" : "Type" + std::to_string(below(4));
        body += (i == 0 ? "" : ",") +
                event_json("src/file " + std::to_string(aggregate) + "%é", type,
                           R"({"n": )" + std::to_string(events_.size()) + R"(, "text": " a  b "})", extra);
      }
      const Json receipt = append(client, "[" + body + "]");
      for (const Json& event : receipt.list("/events")) events_.push_back(stored_of(event));
    }
  }

  [[nodiscard]] HttpClient client() const { return api_.client(); }
  [[nodiscard]] const std::vector<Stored>& events() const { return events_; }

  [[nodiscard]] std::vector<std::string> expected(const Filter& filter) const {
    std::vector<std::string> ids;
    for (const Stored& event : events_) {
      if (filter.matches(event)) ids.push_back(event.id);
    }
    if (filter.descending) std::reverse(ids.begin(), ids.end());
    return ids;
  }

 private:
  Api api_;
  std::vector<Stored> events_;
};

const History& history() {
  static const History made;
  return made;
}

std::vector<std::string> ids_of(const std::vector<Json>& events) {
  std::vector<std::string> ids;
  for (const Json& event : events) ids.push_back(event.text("/eventId"));
  return ids;
}

std::string joined(const std::string& query, const std::string& more) {
  return (query.empty() ? "?" : query + "&") + more;
}

/// All matches, page by page through nextCursor.
std::vector<std::string> read_pages(HttpClient& client, const std::string& query, int limit) {
  std::vector<std::string> ids;
  std::string cursor;
  for (int page = 0; page < 1000; ++page) {
    std::string target = "/v1/events" + joined(query, "limit=" + std::to_string(limit));
    if (!cursor.empty()) target += "&cursor=" + percent(cursor);
    const Json body = get_json(client, target);
    const std::vector<std::string> found = ids_of(body.list("/events"));
    CHECK(found.size() <= static_cast<std::size_t>(limit));
    ids.insert(ids.end(), found.begin(), found.end());
    if (body.is_null("/nextCursor")) return ids;
    CHECK(found.size() == static_cast<std::size_t>(limit));
    cursor = body.text("/nextCursor");
  }
  FAIL_CHECK("the pages do not end");
  return ids;
}

std::vector<std::string> body_lines(const std::string& body) {
  std::vector<std::string> lines;
  for (std::size_t from = 0; from < body.size();) {
    const std::size_t end = std::min(body.find('\n', from), body.size());
    lines.push_back(body.substr(from, end - from));
    from = end + 1;
  }
  return lines;
}

std::vector<std::string> read_lines(HttpClient& client, const std::string& query) {
  const HttpResponse response = client.get("/v1/events" + query, {{"Accept", "application/x-ndjson"}});
  REQUIRE(response.status == 200);
  CHECK(response.header("Content-Type").starts_with("application/x-ndjson"));
  std::vector<std::string> ids;
  for (const std::string& line : body_lines(response.body)) ids.push_back(Json(line).text("/eventId"));
  return ids;
}

void check_filter(HttpClient& client, const Filter& filter, int limit) {
  INFO("GET /v1/events", filter.query(), " in pages of ", limit);
  const std::vector<std::string> expected = history().expected(filter);
  CHECK(read_pages(client, filter.query(), limit) == expected);
  CHECK(read_lines(client, filter.query()) == expected);
}

}  // namespace

TEST_CASE("Query.EveryFilterAlone") {
  HttpClient client = history().client();
  const Stored& some = history().events()[kEvents / 2];
  const auto check = [&](auto&& set) {
    for (const bool descending : {false, true}) {
      Filter filter;
      set(filter);
      filter.descending = descending;
      check_filter(client, filter, 7);
    }
  };
  check([](Filter&) {});
  check([&](Filter& f) { f.aggregate_id = some.aggregate_id; });
  check([&](Filter& f) { f.aggregate_type = "Source File"; });
  check([&](Filter& f) { f.event_types = {"Rare:Event"}; });
  check([&](Filter& f) { f.event_types = {"Type1", "Rare:Event", "Nothing"}; });
  check([&](Filter& f) { f.tags = {"é & 2"}; });
  check([&](Filter& f) { f.tags = {"é & 4", "é & 0"}; });
  check([&](Filter& f) { f.tags = {"é & 4", "é & 1", "é & 4"}; });
  check([&](Filter& f) { f.tags = {"é & 1", "none"}; });
  check([&](Filter& f) { f.user_id = "user 2"; });
  check([&](Filter& f) { f.correlation_id = "c&3"; });
  check([&](Filter& f) { f.from = some.time; });
  check([&](Filter& f) { f.to = some.time; });
  check([&](Filter& f) { f.from = f.to = some.time; });
  check([&](Filter& f) { f.occurred_from = "2025-05-14T08:00:00.000000Z"; });
  check([&](Filter& f) { f.occurred_to = "2025-05-14T08:00:00.000000Z"; });
  check([&](Filter& f) { f.from_sequence = 5; });
  check([&](Filter& f) { f.to_sequence = 2; });
  check([&](Filter& f) { f.after = some.position; });
  check([&](Filter& f) { f.aggregate_id = "no such aggregate"; });
  check([&](Filter& f) { f.event_types = {"NoSuchType"}; });
}

TEST_CASE("Query.RandomCombinationsOfFilters") {
  HttpClient client = history().client();
  const unsigned seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random(seed);
  const auto& events = history().events();
  const auto chance = [&](unsigned one_in) { return random() % one_in == 0; };
  for (int round = 0; round < 250; ++round) {
    // Values mostly of one event, so that combinations match something.
    const auto pick = [&]() -> const Stored& { return events[random() % events.size()]; };
    const Stored& same = pick();
    const auto from_some = [&]() -> const Stored& { return chance(4) ? pick() : same; };
    Filter filter;
    if (chance(3)) filter.aggregate_id = from_some().aggregate_id;
    if (const Stored& e = from_some(); chance(3) && !e.aggregate_type.empty()) filter.aggregate_type = e.aggregate_type;
    if (chance(3)) filter.event_types.push_back(from_some().event_type);
    if (chance(6)) filter.event_types.push_back(pick().event_type);
    if (const Stored& e = from_some(); chance(4) && !e.user_id.empty()) filter.user_id = e.user_id;
    if (chance(6)) filter.correlation_id = from_some().correlation_id;
    for (int i = chance(3) ? 1 + static_cast<int>(random() % 3) : 0; i > 0; --i) {
      if (const Stored& e = from_some(); !e.tags.empty()) filter.tags.push_back(e.tags[random() % e.tags.size()]);
    }
    if (chance(6)) filter.from = pick().time;
    if (chance(6)) filter.to = pick().time;
    if (const Stored& e = pick(); chance(6) && !e.occurred_at.empty()) filter.occurred_from = e.occurred_at;
    if (const Stored& e = pick(); chance(6) && !e.occurred_at.empty()) filter.occurred_to = e.occurred_at;
    if (chance(6)) filter.from_sequence = 1 + random() % 20;
    if (chance(6)) filter.to_sequence = 1 + random() % 20;
    if (chance(6)) filter.after = pick().position;
    filter.descending = chance(2);
    check_filter(client, filter, 1 + static_cast<int>(random() % 40));
  }
}

TEST_CASE("Query.ItemsAreWholeEventsWithDataAsSent") {
  HttpClient client = history().client();
  const HttpResponse list = client.get("/v1/events?limit=1");
  CHECK(list.body.find(R"("data":{"n": 0, "text": " a  b "})") != std::string::npos);
  const Json event = Json(list.body).at("/events/0");
  CHECK(event.minified() == get_json(client, "/v1/events/" + event.text("/eventId")).minified());
  // In lines the white space outside strings goes away.
  const HttpResponse lines = client.get("/v1/events?limit=1", {{"Accept", "application/x-ndjson"}});
  CHECK(lines.body.find(R"("data":{"n":0,"text":" a  b "})") != std::string::npos);
}

TEST_CASE("Query.LinesAreCompactEvenIfDataHasLineBreaks") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("breaks");
  append(client, event_json(aggregate, "T", "{\n \"a\" :\r\n [ 1,\t2 ]\n}", ",\"metadata\":{\n}"));
  const HttpResponse lines = client.get("/v1/events?aggregateId=" + aggregate, {{"Accept", "application/x-ndjson"}});
  REQUIRE(body_lines(lines.body).size() == 1);
  CHECK(lines.body.back() == '\n');
  CHECK(lines.body.find(R"("data":{"a":[1,2]})") != std::string::npos);
  CHECK(lines.body.find(R"("metadata":{})") != std::string::npos);
}

TEST_CASE("Query.NextLinkLeadsThroughAllPages") {
  HttpClient client = history().client();
  std::vector<std::string> ids;
  std::string target = "/v1/events?aggregateType=Mission&eventType=Type1&eventType=Type2&limit=9";
  for (int page = 0; page < 100 && !target.empty(); ++page) {
    const HttpResponse response = client.get(target);
    REQUIRE(response.status == 200);
    const Json body(response.body);
    for (const std::string& id : ids_of(body.list("/events"))) ids.push_back(id);
    const std::string link = response.header("Link");
    CHECK(link.empty() == body.is_null("/nextCursor"));
    target.clear();
    if (!link.empty()) {
      CHECK(link.find("rel=\"next\"") != std::string::npos);
      const std::size_t slash = link.find("/v1/events");
      REQUIRE(slash != std::string::npos);
      target = link.substr(slash, link.find('>') - slash);
    }
  }
  Filter filter;
  filter.aggregate_type = "Mission";
  filter.event_types = {"Type1", "Type2"};
  CHECK(ids == history().expected(filter));
}

TEST_CASE("Query.APageThatExaminesMuchEndsEarlyAndTheNextOneGoesOn") {
  Api api({"--read-records-max", "7"});
  HttpClient client = api.client();
  std::string events;
  for (int i = 0; i < 100; ++i) events += (i == 0 ? "[" : ",") + event_json(i == 60 ? "wanted" : "other");
  const std::uint64_t second = append(client, events + "]").number("/events/1/position");
  const std::uint64_t last = append(client, event_json("wanted", "Last")).number("/position");
  for (const std::string order : {"asc", "desc"}) {
    std::string target = "/v1/events?limit=2&fromSequence=2&toSequence=2&order=" + order;
    std::vector<std::uint64_t> found;
    std::size_t pages = 1;
    for (;; ++pages) {
      const HttpResponse page = client.get(target);
      REQUIRE(page.status == 200);
      const Json body(page.body);
      for (const Json& event : body.list("/events")) found.push_back(event.number("/position"));
      const std::string link = page.header("Link");
      CHECK(body.is_null("/nextCursor") == link.empty());
      if (link.empty()) break;
      target = link.substr(1, link.find('>') - 1);
    }
    CHECK(found ==
          (order == "asc" ? std::vector<std::uint64_t>{second, last} : std::vector<std::uint64_t>{last, second}));
    CHECK(pages > 10);
  }
  const ProcessResult lines =
      run_stele({"query", "--url", api.server().url(), "--from-sequence", "2", "--to-sequence", "2"});
  CHECK(lines.exit_code == 0);
  CHECK(std::count(lines.out.begin(), lines.out.end(), '\n') == 2);
}

TEST_CASE("Query.PagesAreStableWhileEventsArrive") {
  HttpClient client = shared_api().client();
  const std::string type = fresh("Arriving");
  const auto add = [&] { return append(client, event_json(fresh("arriving"), type)).text("/eventId"); };
  std::vector<std::string> before;
  for (int i = 0; i < 10; ++i) before.push_back(add());
  std::vector<std::string> newest_first(before.rbegin(), before.rend());

  std::vector<std::string> ascending;
  std::vector<std::string> descending;
  std::vector<std::string> added;
  std::string up, down;
  for (int page = 0; page < 4; ++page) {
    const auto read = [&](const std::string& order, std::string& cursor, std::vector<std::string>& to) {
      std::string target = "/v1/events?eventType=" + type + "&limit=3&order=" + order;
      if (!cursor.empty()) target += "&cursor=" + percent(cursor);
      const Json body = get_json(client, target);
      for (const std::string& id : ids_of(body.list("/events"))) to.push_back(id);
      cursor = body.is_null("/nextCursor") ? "" : body.text("/nextCursor");
    };
    read("asc", up, ascending);
    read("desc", down, descending);
    added.push_back(add());
  }
  // Upwards the new ones follow at the end; downwards they lie before the first page and never show.
  std::vector<std::string> all = before;
  all.insert(all.end(), added.begin(), added.end());
  REQUIRE(ascending.size() == 12);
  CHECK(std::equal(ascending.begin(), ascending.end(), all.begin()));
  CHECK(descending == newest_first);
}

TEST_CASE("Query.CursorOfAnotherQueryIsRefused") {
  HttpClient client = history().client();
  const std::string cursor = percent(get_json(client, "/v1/events?aggregateType=Mission&limit=2").text("/nextCursor"));
  const auto with = [&](const std::string& query) { return client.get("/v1/events?" + query + "&cursor=" + cursor); };
  CHECK(with("aggregateType=Mission&limit=2").status == 200);
  CHECK(with("aggregateType=Mission&limit=5").status == 200);
  check_problem(with("aggregateType=Source%20File&limit=2"), 400, "invalid-cursor");
  check_problem(with("limit=2"), 400, "invalid-cursor");
  check_problem(with("aggregateType=Mission&eventType=Type1"), 400, "invalid-cursor");
  check_problem(with("aggregateType=Mission&order=desc"), 400, "invalid-cursor");
  check_problem(client.get("/v1/aggregates?cursor=" + cursor), 400, "invalid-cursor");
}

TEST_CASE("Query.TagsAreBoundedAndBelongToTheCursor") {
  HttpClient client = shared_api().client();
  const auto repeated = [](int count) {
    std::string text = "/v1/events?limit=1";
    for (int i = 0; i < count; ++i) text += "&tag=t" + std::to_string(i);
    return text;
  };
  CHECK(get_json(client, repeated(16)).list("/events").empty());
  check_problem(client.get(repeated(17)), 400, "invalid-parameter");
  check_problem(client.get("/v1/events?tag="), 400, "invalid-parameter");
  check_problem(client.get("/v1/events?tag=" + std::string(129, 'x')), 400, "invalid-parameter");
  CHECK(client.get("/v1/events?tag=" + std::string(128, 'x')).status == 200);

  const std::string one = fresh("tag"), two = fresh("tag"), aggregate = fresh("tagged");
  for (int i = 0; i < 3; ++i) {
    append(client, event_json(aggregate, "T", "{}", R"(,"tags":[")" + one + R"(",")" + two + R"("])"));
  }
  const std::string page = "/v1/events?limit=2&tag=" + one;
  const std::string cursor = percent(get_json(client, page + "&tag=" + two).text("/nextCursor"));
  CHECK(get_json(client, page + "&tag=" + two + "&cursor=" + cursor).list("/events").size() == 1);
  const std::string swapped = "/v1/events?tag=" + two + "&limit=2&tag=" + one + "&cursor=" + cursor;
  CHECK(get_json(client, swapped).list("/events").size() == 1);
  check_problem(client.get(page + "&cursor=" + cursor), 400, "invalid-cursor");
  check_problem(client.get("/v1/events?limit=2&eventType=" + one + "&eventType=" + two + "&cursor=" + cursor), 400,
                "invalid-cursor");
}

TEST_CASE("Query.CursorOfAnotherStoreIsRefused") {
  Api one, another;
  HttpClient client = one.client(), stranger = another.client();
  for (HttpClient* to : {&client, &stranger}) {
    for (const char* const aggregate : {"a", "b", "c"}) append(*to, event_json(aggregate));
  }
  for (const std::string path : {"/v1/events?limit=2", "/v1/aggregates?limit=2"}) {
    INFO("path ", path);
    const std::string target = path + "&cursor=" + percent(get_json(client, path).text("/nextCursor"));
    CHECK(client.get(target).status == 200);
    check_problem(stranger.get(target), 400, "invalid-cursor");
  }
  // The store is the same after a restart.
  const std::string target =
      "/v1/events?limit=2&cursor=" + percent(get_json(client, "/v1/events?limit=2").text("/nextCursor"));
  one.kill_and_restart();
  HttpClient again = one.client();
  CHECK(again.get(target).status == 200);
}

TEST_CASE("Query.MangledCursorsAreRefused") {
  HttpClient client = history().client();
  const std::string cursor = get_json(client, "/v1/events?limit=2").text("/nextCursor");
  REQUIRE_FALSE(cursor.empty());
  std::vector<std::string> mangled{"x",
                                   "0",
                                   "AAAA",
                                   "%",
                                   cursor + "A",
                                   cursor.substr(1),
                                   cursor.substr(0, cursor.size() / 2),
                                   std::string(1000, 'A')};
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    std::string flipped = cursor;
    flipped[i] = flipped[i] == 'A' ? 'B' : 'A';
    mangled.push_back(flipped);
  }
  for (const std::string& text : mangled) {
    INFO("cursor: ", text);
    check_problem(client.get("/v1/events?limit=2&cursor=" + percent(text)), 400, "invalid-cursor");
  }
  check_problem(client.get("/v1/events?limit=2&cursor=" + std::string(5000, 'A')), 400);
}

TEST_CASE("Query.LimitHasBounds") {
  HttpClient client = history().client();
  CHECK(get_json(client, "/v1/events").list("/events").size() == 100);
  CHECK(get_json(client, "/v1/events?limit=1").list("/events").size() == 1);
  CHECK(get_json(client, "/v1/events?limit=1000").list("/events").size() >= static_cast<std::size_t>(kEvents));
  for (const char* const limit : {"0", "1001", "-1", "ten", "", "1.5", "99999999999999999999999"}) {
    check_problem(client.get("/v1/events?limit=" + std::string(limit)), 400, "invalid-parameter");
  }
}

TEST_CASE("Query.ParametersThatAreUnknownOrWrongAreRefused") {
  HttpClient client = history().client();
  for (const char* const query : {"eventtype=Type1", "aggregate=x", "foo", "limit=2&%20=1", "page=2"}) {
    INFO("query: ", query);
    check_problem(client.get("/v1/events?" + std::string(query)), 400, "unknown-parameter");
  }
  for (const char* const query :
       {"order=up", "order=", "from=yesterday", "to=2026-01-01", "occurredFrom=1", "occurredTo=2026-13-01T00:00:00Z",
        "fromSequence=x", "toSequence=-1", "afterPosition=1.0", "minPosition=x", "aggregateId=a&aggregateId=b",
        "userId=%FF", "userId=%G0", "limit=1&limit=2", "includeSystem=maybe"}) {
    INFO("query: ", query);
    check_problem(client.get("/v1/events?" + std::string(query)), 400);
  }
}

TEST_CASE("Query.TimesMayHaveAnOffset") {
  HttpClient client = history().client();
  Filter filter;
  filter.occurred_from = "2025-05-14T08:00:00.000000Z";
  const std::vector<std::string> expected = history().expected(filter);
  CHECK(read_pages(client, "?occurredFrom=" + percent("2025-05-14T10:00:00+02:00"), 50) == expected);
  CHECK(read_pages(client, "?occurredFrom=" + percent("2025-05-14T08:00:00Z"), 50) == expected);
}

TEST_CASE("Query.BoundsOfTimeCountToTheirLastDigit") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("bounds");
  append(client, event_json(aggregate, "T", "{}", R"(,"occurredAt":"2026-03-01T12:00:00.123456Z")"));
  const auto found = [&](const std::string& query) {
    return get_json(client, "/v1/events?aggregateId=" + percent(aggregate) + "&" + query).list("/events").size();
  };
  CHECK(found("occurredTo=2026-03-01T12:00:00.123456Z") == 0);
  CHECK(found("occurredTo=2026-03-01T12:00:00.123456789Z") == 1);
  CHECK(found("occurredTo=2026-03-01T12:00:00.1234561Z") == 1);
  CHECK(found("occurredFrom=2026-03-01T12:00:00.123456000Z") == 1);
  CHECK(found("occurredFrom=2026-03-01T12:00:00.123456001Z") == 0);
  const std::string time = get_json(client, "/v1/events?aggregateId=" + percent(aggregate)).text("/events/0/timestamp");
  const std::string stem = time.substr(0, time.size() - 1);
  CHECK(found("to=" + time) == 0);
  CHECK(found("to=" + stem + "1Z") == 1);
  CHECK(found("from=" + stem + "0Z") == 1);
  CHECK(found("from=" + stem + "1Z") == 0);
  check_problem(client.get("/v1/events?from=" + stem + "0001Z"), 400, "invalid-parameter");
}

TEST_CASE("Query.ListsLeaveTheStoresOwnRecordsOutUnlessAsked") {
  HttpClient client = history().client();
  const std::vector<Json> plain = get_json(client, "/v1/events?limit=1000").list("/events");
  for (const Json& event : plain) CHECK_FALSE(event.text("/aggregateId").starts_with("$"));
  const std::vector<Json> all = get_json(client, "/v1/events?limit=1000&includeSystem=true").list("/events");
  CHECK(all.size() > plain.size());
  CHECK(all[0].number("/position") == 0);
}

TEST_CASE("Query.ReadsItsOwnWritesAtOnce") {
  HttpClient writer = shared_api().client();
  HttpClient reader = shared_api().client();
  const std::string aggregate = fresh("own-writes");
  for (std::uint64_t i = 1; i <= 30; ++i) {
    const Json receipt = append(writer, event_json(aggregate));
    const Json page = get_json(reader, "/v1/events?aggregateId=" + aggregate + "&fromSequence=" + std::to_string(i));
    REQUIRE(page.list("/events").size() == 1);
    CHECK(page.text("/events/0/eventId") == receipt.text("/eventId"));
  }
}

TEST_CASE("Query.MinPositionWaitsUntilItIsReadable") {
  Api api({"--position-wait", "20s"});
  HttpClient client = api.client();
  const std::uint64_t next = log_end(client);
  std::string answer;
  std::thread waiting([&] {
    HttpClient reader = api.client();
    answer = reader.get("/v1/events?minPosition=" + std::to_string(next)).body;
  });
  const Json receipt = append(client, event_json("awaited"));
  waiting.join();
  CHECK(receipt.number("/position") == next);
  CHECK(answer.find(receipt.text("/eventId")) != std::string::npos);
}

TEST_CASE("Query.MinPositionThatDoesNotComeIsARefusalToRetry") {
  Api api({"--position-wait", "20ms"});
  HttpClient client = api.client();
  const HttpResponse response = client.get("/v1/events?minPosition=1000000");
  check_problem(response, 503, "position-not-reached");
  CHECK(response.has_header("Retry-After"));
}

}  // namespace stele::tests

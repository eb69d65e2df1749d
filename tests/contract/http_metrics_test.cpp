// GET /metrics: what a Prometheus server meets.

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/contract/metrics_text.h"
#include "tests/support/eventually.h"

namespace stele::tests {

namespace {

MetricsText scrape(HttpClient& client) {
  const HttpResponse response = client.get("/metrics");
  REQUIRE(response.status == 200);
  CHECK(response.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  return MetricsText(response.body);
}

/// An answer is counted just after it was sent: looks again until `is_there`.
MetricsText scrape_until(HttpClient& client, const std::function<bool(const MetricsText&)>& is_there) {
  std::optional<MetricsText> metrics;
  wait_until([&] { return is_there(metrics.emplace(scrape(client))); });
  return *metrics;
}

const MetricLabels kPostEvents201 = {{"route", "/v1/events"}, {"method", "POST"}, {"status", "201"}};

}  // namespace

TEST_CASE("Metrics.TheReaderOfTheTestsIsStrict") {
  const std::string good = "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\\n\\\"\\\\\"} 1\n";
  CHECK(MetricsText(good).value("a_total", {{"b", "c\n\"\\"}}) == 1);
  const std::string histogram = "# HELP h x\n# TYPE h histogram\n";
  for (const std::string& bad :
       {std::string("a_total 1\n"), std::string("# HELP a_total x\n# TYPE a_total counter\na_total 1"),
        std::string("# HELP a x\n# TYPE a counter\na 1\n"),
        std::string("# HELP a_total x\n# TYPE a_total counter\na_total -1\n"),
        std::string("# HELP a x\n# TYPE a gauge\na 1\na 1\n"),
        std::string("# HELP a x\n# TYPE a gauge\na{b=\"\\x\"} 1\n"),
        std::string("# HELP a x\n# TYPE a gauge\na{b=\"c} 1\n"),
        std::string("# HELP a x\n# TYPE a gauge\na{0=\"c\"} 1\n"), std::string("# HELP a x\n# TYPE a gauge\na one\n"),
        std::string("# TYPE a gauge\na 1\n"), histogram + "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
        histogram + "h_bucket{le=\"+Inf\"} 1\nh_count 1\n",
        histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(MetricsText{bad}, std::runtime_error);
  }
}

TEST_CASE("Metrics.NamesAndUnitsAreThoseOfTheManual") {
  Api api;
  HttpClient client = api.client();
  append(client, event_json("m"));
  const MetricsText metrics = scrape(client);
  const std::set<std::string> expected = {"process_cpu_seconds_total",
                                          "process_max_fds",
                                          "process_open_fds",
                                          "process_resident_memory_bytes",
                                          "process_start_time_seconds",
                                          "process_threads",
                                          "process_virtual_memory_bytes",
                                          "stele_access_log_lines_dropped_total",
                                          "stele_append_duration_seconds",
                                          "stele_append_queue_commits",
                                          "stele_audit_lost_total",
                                          "stele_audit_records_total",
                                          "stele_audit_waiting_bytes",
                                          "stele_build_info",
                                          "stele_checkpoint_size",
                                          "stele_checkpoints_total",
                                          "stele_commit_duration_seconds",
                                          "stele_commit_group_records",
                                          "stele_dead_letters",
                                          "stele_delivered_events_total",
                                          "stele_deliveries_held_aggregates",
                                          "stele_deliveries_in_flight_events",
                                          "stele_delivery_failures_total",
                                          "stele_durable_position",
                                          "stele_follower_overflows_total",
                                          "stele_follower_records_read_total",
                                          "stele_followers",
                                          "stele_followers_at_head",
                                          "stele_http_answers_cut_total",
                                          "stele_http_body_bytes",
                                          "stele_http_connections",
                                          "stele_http_connections_accepted_total",
                                          "stele_http_connections_refused_total",
                                          "stele_http_problems_total",
                                          "stele_http_request_duration_seconds",
                                          "stele_http_requests_total",
                                          "stele_index_compaction_due",
                                          "stele_index_damaged_runs",
                                          "stele_index_runs",
                                          "stele_index_size_bytes",
                                          "stele_index_waiting_parts",
                                          "stele_live_events_sent_total",
                                          "stele_live_streams",
                                          "stele_live_streams_cut_total",
                                          "stele_log_damaged_segments",
                                          "stele_log_segments",
                                          "stele_log_size_bytes",
                                          "stele_log_sync_duration_seconds",
                                          "stele_log_unprepared_segments_total",
                                          "stele_poisoned",
                                          "stele_read_queue_requests",
                                          "stele_ready",
                                          "stele_records_appended_total",
                                          "stele_recovery_cut_bytes",
                                          "stele_recovery_info",
                                          "stele_recovery_records",
                                          "stele_recovery_replayed_records",
                                          "stele_recovery_rewritten_bytes",
                                          "stele_replays_refused_total",
                                          "stele_replays_running",
                                          "stele_replays_waiting",
                                          "stele_retention_failed_looks_total",
                                          "stele_retention_looks_total",
                                          "stele_retention_redactions_total",
                                          "stele_retention_removed_total",
                                          "stele_schema_candidates",
                                          "stele_schema_validations_total",
                                          "stele_schemas_compiled",
                                          "stele_schemas_compiled_bytes",
                                          "stele_scrubber_bytes_total",
                                          "stele_scrubber_passes_total",
                                          "stele_snapshot_damaged_files_total",
                                          "stele_snapshot_files",
                                          "stele_snapshot_size_bytes",
                                          "stele_snapshots_dropped_total",
                                          "stele_snapshots_failed_total",
                                          "stele_snapshots_taken_total",
                                          "stele_snapshots_waiting",
                                          "stele_state_cache_bytes",
                                          "stele_state_cache_entries",
                                          "stele_state_cache_hits_total",
                                          "stele_state_cache_misses_total",
                                          "stele_subscriptions",
                                          "stele_tls_handshakes_failed_total",
                                          "stele_tree_rebuilding",
                                          "stele_tree_size",
                                          "stele_upcast_operations_total",
                                          "stele_upcast_scripts_total",
                                          "stele_warnings",
                                          "stele_workers",
                                          "stele_workers_busy",
                                          "stele_workers_ended_total",
                                          "stele_workers_started_total",
                                          "stele_workers_waiting",
                                          "stele_writable"};
  std::set<std::string> shown;
  for (const auto& [name, family] : metrics.families()) shown.insert(name);
  for (const std::string& name : expected) CHECK_MESSAGE(shown.contains(name), "not shown: " << name);
  for (const std::string& name : shown) CHECK_MESSAGE(expected.contains(name), "not listed here: " << name);
}

TEST_CASE("Metrics.CountersMoveWithTraffic") {
  Api api;
  HttpClient client = api.client();
  HttpClient scraper = api.client();
  const MetricsText before = scrape(scraper);
  // The log's own: its begin, the start of the server, the key that signs.
  const auto records = before.value("stele_records_appended_total");
  CHECK(records >= 1);
  CHECK(before.value("stele_durable_position") == records - 1);
  CHECK(before.value("stele_append_duration_seconds_count") == records - 1);
  for (int i = 0; i < 5; ++i) append(client, event_json("a"));
  append(client, "[" + event_json("b") + "," + event_json("b") + "]");
  const std::string id = append(client, event_json("c")).text("/eventId");
  CHECK(client.get("/v1/events/" + id).status == 200);
  check_problem(client.get("/v1/events/" + fresh_uuid()), 404);
  check_problem(client.get("/v1/events?limit=0"), 400);
  check_problem(client.get("/nowhere/" + fresh("x")), 404);
  check_problem(client.request("DELETE", "/v1/events"), 405);

  const MetricsText after = scrape_until(scraper, [](const MetricsText& metrics) {
    return metrics.value("stele_http_problems_total", {{"problem", "method-not-allowed"}}) == 1;
  });
  // Refusals are recorded within a second or so: perhaps they are there already.
  CHECK(after.value("stele_records_appended_total") >= 10);
  CHECK(after.value("stele_durable_position") >= 9);
  CHECK(after.value("stele_append_duration_seconds_count") >= 8);
  CHECK(after.value("stele_append_duration_seconds_sum") > 0);
  CHECK(after.value("stele_commit_duration_seconds_count") >= 9);
  CHECK(after.value("stele_log_sync_duration_seconds_count") >= 9);
  CHECK(after.value("stele_commit_group_records_count") >= 9);
  CHECK(after.value("stele_commit_group_records_sum") >= 10);
  CHECK(after.value("stele_commit_group_records_bucket", {{"le", "1"}}) >= 8);
  CHECK(after.value("stele_commit_group_records_bucket", {{"le", "2"}}) >= 9);
  CHECK(after.value("stele_log_size_bytes") > before.value("stele_log_size_bytes"));
  CHECK(after.value("stele_log_size_bytes") < 1'000'000);  // of 32 MiB that are reserved
  CHECK(after.value("stele_http_requests_total", kPostEvents201) == 7);
  CHECK(after.value("stele_http_requests_total", {{"route", "/v1/events/{}"}, {"method", "GET"}, {"status", "200"}}) ==
        1);
  CHECK(after.value("stele_http_requests_total", {{"route", "/v1/events/{}"}, {"method", "GET"}, {"status", "404"}}) ==
        1);
  CHECK(after.value("stele_http_requests_total", {{"route", "/v1/events"}, {"method", "GET"}, {"status", "400"}}) == 1);
  CHECK(after.value("stele_http_requests_total", {{"route", "/v1/events"}, {"method", "DELETE"}, {"status", "405"}}) ==
        1);
  CHECK(after.value("stele_http_requests_total", {{"route", "none"}, {"method", "GET"}, {"status", "404"}}) == 1);
  CHECK(after.value("stele_http_request_duration_seconds_count", {{"route", "/v1/events"}, {"method", "POST"}}) == 7);
  CHECK(after.value("stele_http_problems_total", {{"problem", "event-not-found"}}) == 1);
  CHECK(after.value("stele_http_problems_total", {{"problem", "invalid-parameter"}}) == 1);
  CHECK(after.value("stele_http_problems_total", {{"problem", "not-found"}}) == 1);
  CHECK(after.value("stele_http_connections") == 2);
  CHECK(after.value("stele_writable") == 1);
  CHECK(after.value("stele_ready") == 1);
  CHECK(after.value("stele_poisoned") == 0);
  CHECK(after.value("process_open_fds") > 3);
  CHECK(after.value("process_resident_memory_bytes") > 1'000'000);
  CHECK(after.value("process_start_time_seconds") > 1.6e9);
  CHECK(after.value("process_cpu_seconds_total") >= before.value("process_cpu_seconds_total"));
}

TEST_CASE("Metrics.RoutesAreThoseOfTheDescription") {
  Api api;
  HttpClient client = api.client();
  std::set<std::string> described;
  for (const std::string& path : get_json(client, "/openapi.json").at("/paths").names()) {
    std::string route, target;
    for (std::size_t at = 0; at < path.size(); ++at) {
      if (path[at] != '{') {
        route += path[at];
        target += path[at];
        continue;
      }
      at = path.find('}', at);
      route += "{}";
      target += "1";
    }
    described.insert(route);
    // No resource has that method, so that nothing happens.
    CHECK(client.request("BREW", target).status == 405);
  }
  CHECK(described.size() > 50);
  CHECK(client.request("BREW", "/nowhere").status == 404);
  described.insert("none");
  const auto routes = [](const MetricsText& metrics) {
    std::set<std::string> found;
    for (const MetricsText::Sample& sample : metrics.families().at("stele_http_requests_total").samples) {
      if (sample.labels.at("method") == "other") found.insert(sample.labels.at("route"));
    }
    return found;
  };
  const MetricsText metrics =
      scrape_until(client, [&](const MetricsText& now) { return routes(now).size() >= described.size(); });
  CHECK(routes(metrics) == described);
}

TEST_CASE("Metrics.SchemasAndUpcastersAreCounted") {
  Api api;
  HttpClient client = api.client();
  const auto post = [&](const std::string& path, const std::string& body, int status) {
    CHECK(client.post(path, body).status == status);
  };
  const std::string with_a = event_json("m", "Counted", R"({"a":1})");
  post("/v1/events", event_json("m", "Counted", R"({"b":1})"), 201);  // of a type without a schema
  CHECK(scrape(client).value("stele_schemas_compiled") == 0);
  post("/v1/schemas/Counted", R"({"schema":true})", 201);
  post("/v1/events", "[" + with_a + "," + with_a + "]", 201);
  post("/v1/events", event_json("m", "Counted", "1", R"(,"version":7)"), 422);
  post("/v1/schemas/Counted",
       R"({"schema":{"not":{"required":["a"]}},"upcaster":{"from":1,"operations":[{"op":"remove","path":"/a"}]}})",
       201);
  const MetricsText before = scrape(client);
  post("/v1/events", with_a, 422);
  CHECK(client.get("/v1/events?eventType=Counted").status == 200);
  const MetricsText after = scrape(client);
  const auto validations = [&](const char* outcome) {
    return after.value("stele_schema_validations_total", {{"outcome", outcome}});
  };
  CHECK(validations("valid") == 2);
  CHECK(validations("invalid") == 1);
  CHECK(validations("unknown-version") == 1);
  CHECK(validations("too-much-work") == 0);
  CHECK(after.value("stele_schemas_compiled") >= 2);
  CHECK(after.value("stele_schemas_compiled_bytes") > 0);
  CHECK(after.value("stele_schema_candidates") == 0);
  // The registration has upcast what was stored, and the list has.
  const auto steps = [](const MetricsText& metrics, const char* outcome) {
    return metrics.value("stele_upcast_operations_total", {{"outcome", outcome}});
  };
  CHECK(steps(before, "done") >= 3);
  CHECK(steps(after, "done") == steps(before, "done") + 3);
  CHECK(steps(after, "failed") == 0);
  CHECK(after.value("stele_upcast_scripts_total", {{"outcome", "done"}}) == 0);
}

TEST_CASE("Metrics.NoLabelHoldsWhatAClientChose") {
  Api api;
  HttpClient client = api.client();
  const std::string mark = "attackermark";
  CHECK(client.post("/v1/events", event_json(mark, mark, "{}", R"(,"userId":")" + mark + '"')).status == 201);
  CHECK(client.get("/v1/aggregates/" + mark).status == 200);
  CHECK(client.get("/" + mark).status == 404);
  CHECK(client.request("ATTACKERMARK", "/v1/events").status == 405);
  CHECK(client.get("/problems/" + mark).status == 404);
  const HttpResponse page = client.get("/metrics?" + mark);
  CHECK(page.status == 200);
  std::string lower = page.body;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  CHECK(lower.find(mark) == std::string::npos);
}

TEST_CASE("Metrics.RefusalsBeforeAHandlerAndRefusedConnectionsAreCounted") {
  Api api({"--connections-max", "2"});
  HttpClient client = api.client();
  {
    HttpClient broken = api.client();
    REQUIRE(broken.connect());
    REQUIRE(broken.send_raw("GET / HTTP/1.1\r\n\r\n"));  // no Host
    check_problem(broken.read_response(), 400, "malformed-request");
  }
  scrape_until(client, [](const MetricsText& metrics) {
    return metrics.value("stele_http_problems_total", {{"problem", "malformed-request"}}) == 1 &&
           metrics.value("stele_http_connections") == 1;
  });
  HttpClient second = api.client();
  CHECK(second.get("/healthz").status == 200);
  HttpClient third = api.client();
  REQUIRE(third.connect());
  check_problem(third.read_response(), 503, "busy");
  const MetricsText metrics = scrape_until(client, [](const MetricsText& m) {
    return m.value("stele_http_connections_refused_total", {{"reason", "too-many"}}) == 1 &&
           m.value("stele_http_problems_total", {{"problem", "busy"}}) == 1 &&
           m.value("stele_http_requests_total", {{"route", "none"}, {"method", "other"}, {"status", "503"}}) == 1;
  });
  CHECK(metrics.value("stele_http_connections_accepted_total") == 4);
}

TEST_CASE("Metrics.AfterARestartTheyTellWhatWasRecovered") {
  Api api;
  HttpClient client = api.client();
  for (int i = 0; i < 3; ++i) append(client, event_json("r"));
  const std::uint64_t records = get_json(client, "/v1/head").number("/size");
  api.kill_and_restart();
  HttpClient again = api.client();
  const MetricsText metrics = scrape(again);
  CHECK(metrics.value("stele_recovery_records") == records);
  CHECK(metrics.value("stele_recovery_replayed_records") == records);
  CHECK(metrics.value("stele_records_appended_total") == 1);  // that it has started again
  CHECK(metrics.value("stele_durable_position") == records);
  CHECK(metrics.value("stele_log_size_bytes") > 0);
  CHECK(metrics.families().at("stele_recovery_info").samples.size() == 1);
}

}  // namespace stele::tests

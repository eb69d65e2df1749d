// Reads that examine everything and find nothing, as many as the server has threads for them.

#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/hostile/target.h"
#include "tests/support/eventually.h"

namespace stele::tests {

namespace {

constexpr int kReadThreads = 2;

/// Asks for one page after the other, and begins again, until the server ends.
void search_for_ever(int port, std::atomic<int>& pages) {
  const std::string first = "/v1/events?fromSequence=1000000";
  HttpClient client(port);
  for (std::string target = first;;) {
    const HttpResponse page = client.get(target);
    if (page.status != 200) return;
    ++pages;
    const std::string link = page.header("Link");
    target = link.empty() ? first : link.substr(1, link.find('>') - 1);
  }
}

}  // namespace

TEST_CASE("HopelessReads.OthersAreAnsweredAndSigtermEndsTheServer") {
  Target target({"--read-threads", std::to_string(kReadThreads), "--read-records-max", "100"});
  HttpClient client = target.api().client();
  for (int batch = 0; batch < 5; ++batch) {
    std::string events;
    for (int i = 0; i < 1000; ++i) events += (i == 0 ? "[" : ",") + event_json(fresh("searched"));
    append(client, events + "]");
  }
  std::atomic<int> pages{0};
  std::vector<std::thread> searches;
  for (int i = 0; i < 2 * kReadThreads; ++i) {
    searches.emplace_back([&, port = target.port()] { search_for_ever(port, pages); });
  }
  std::vector<RawClient> lines;
  for (int i = 0; i < kReadThreads; ++i) {
    lines.push_back(target.connect());
    REQUIRE(lines.back().send(
        "GET /v1/events?fromSequence=1000000 HTTP/1.1\r\nHost: a\r\nAccept: application/x-ndjson\r\n\r\n"));
  }
  for (int i = 0; i < 20; ++i) CHECK(get_json(client, "/v1/events?limit=10").list("/events").size() == 10);
  wait_until([&] { return pages >= 100; });
  CHECK(target.api().server().stop() == 0);
  for (std::thread& search : searches) search.join();
}

}  // namespace stele::tests

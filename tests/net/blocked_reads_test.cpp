// Searches that find nothing, over a small store whose reads block, behind the real service and server.

#include <signal.h>
#include <unistd.h>

#include <future>

#include "api/service.h"
#include "net/server/server.h"
#include "net/server/signals.h"
#include "tests/support/eventually.h"
#include "tests/support/gated_file_system.h"
#include "tests/support/http_client.h"
#include "tests/support/raw_client.h"
#include "tests/support/sample_store.h"

namespace stele::tests {

namespace {

constexpr std::size_t kReadThreads = 2;
constexpr std::uint64_t kEvents = 1500;
/// No event has such a number, and nothing but the events themselves tells.
constexpr std::string_view kHopeless = "/v1/events?fromSequence=1000000";

class BlockedStore {
 public:
  explicit BlockedStore(ReadLimits read_limits) {
    StoreOptions options = test::sample_options(files_);
    options.index_part_records_max = 256;
    store_ = Store::open(options).value();
    test::append_sample(*store_, kEvents);
    net::ServerOptions server;
    server.io_threads = 1;
    server.read_threads = kReadThreads;
    server.limits.sweep_ms = 5;
    server.limits.linger_ms = 200;
    server.drain_ms = 3'600'000;  // what ends here does so by itself
    server_ = net::Server::start(server, [&](api::Scheduler& scheduler) {
                scheduler_ = &scheduler;
                api::ServiceOptions service;
                service.read_limits = read_limits;
                return std::make_unique<api::Service>(*store_, scheduler, service);
              }).value();
    gate_.close();
  }
  ~BlockedStore() {
    gate_.open();
    server_.reset();
  }

  [[nodiscard]] test::ReadGate& gate() { return gate_; }
  [[nodiscard]] net::Server& server() { return *server_; }
  [[nodiscard]] HttpClient client() const { return HttpClient(server_->port()); }
  /// A search for each read thread, as lines; all of them have begun to read.
  [[nodiscard]] std::vector<RawClient> search() {
    std::vector<RawClient> searches;
    for (std::size_t i = 0; i < kReadThreads; ++i) {
      searches.emplace_back(server_->port());
      REQUIRE(searches.back().send("GET " + std::string(kHopeless) +
                                   " HTTP/1.1\r\nHost: a\r\nAccept: application/x-ndjson\r\n\r\n"));
    }
    gate_.await_waiting(kReadThreads);
    return searches;
  }
  void await_queued(std::size_t reads) const {
    wait_until([&] { return scheduler_->reads_waiting() == reads; });
  }
  /// Whether the server ends, once it was told to.
  [[nodiscard]] bool ends() {
    auto ended = std::async(std::launch::async, [this] { server_->wait(); });
    const bool in_time = ended.wait_for(std::chrono::seconds(60)) == std::future_status::ready;
    gate_.open();
    return in_time;
  }

 private:
  SimulatedFileSystem disk_{1};
  test::ReadGate gate_;
  test::GatedFileSystem files_{disk_, gate_, "/log/"};
  std::unique_ptr<Store> store_;
  api::Scheduler* scheduler_ = nullptr;
  std::unique_ptr<net::Server> server_;
};

}  // namespace

TEST_CASE("BlockedReads.SearchesOnAllReadThreadsDoNotKeepAnotherReaderFromItsPage") {
  BlockedStore store(ReadLimits{.records = 16, .time = std::chrono::hours{1}});
  std::vector<RawClient> searches = store.search();
  HttpClient other = store.client();
  REQUIRE(other.send_raw("GET /v1/events?limit=2 HTTP/1.1\r\nHost: a\r\n\r\n"));
  store.await_queued(1);
  store.gate().admit(kEvents / 2);  // not enough for either search, each of which reads all events
  const HttpResponse page = other.read_response();
  CHECK(page.status == 200);
  CHECK(page.body.find("\"position\":2") != std::string::npos);
  for (RawClient& search : searches) {
    (void)search.poll();
    CHECK_FALSE(search.ended());
    CHECK_FALSE(search.received().ends_with("0\r\n\r\n"));
  }
}

TEST_CASE("BlockedReads.AWholeSearchInPiecesFindsNothingAndSaysSo") {
  BlockedStore store(ReadLimits{.records = 16, .time = std::chrono::hours{1}});
  std::vector<RawClient> searches = store.search();
  store.gate().open();
  for (RawClient& search : searches) CHECK(search.wait_for("\r\n\r\n0\r\n\r\n"));
}

TEST_CASE("BlockedReads.ShutdownDoesNotWaitForSearches") {
  net::Signals signals;  // before there are threads
  BlockedStore store(ReadLimits{.records = 1'000'000, .time = std::chrono::hours{1}});
  std::vector<RawClient> searches = store.search();
  HttpClient page = store.client();
  REQUIRE(page.send_raw("GET " + std::string(kHopeless) + " HTTP/1.1\r\nHost: a\r\n\r\n"));
  store.await_queued(1);
  signals.drain(store.server());
  REQUIRE(::kill(::getpid(), SIGTERM) == 0);
  wait_until([&] { return !store.client().connect(); });
  store.gate().admit(kEvents);  // not enough for one of them
  CHECK(store.ends());
  signals.on_signal({});
  // What has begun is cut or refused, what can be cut short is an answer.
  for (RawClient& search : searches) {
    CHECK(search.wait_for_end());
    CHECK(search.received().starts_with("HTTP/1.1 503"));
  }
  const HttpResponse early = page.read_response();
  CHECK(early.status == 200);
  CHECK(early.body.starts_with("{\"events\":[],\"nextCursor\":\""));
}

}  // namespace stele::tests

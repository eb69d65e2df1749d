// What the server's logs say about requests, and what no request can make them say.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/contract/metrics_text.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// A server with both logs, ended so that they are complete.
class LoggingServer {
 public:
  explicit LoggingServer(const std::string& format)
      : server_(ServerProcess::start(
            {folder_.file("data"),
             {"--segment-size", "1MiB", "--access-log", folder_.file("access.log"), "--log-format", format},
             {},
             0})) {}
  [[nodiscard]] HttpClient client() const { return HttpClient(server_.port()); }
  void end() { REQUIRE(server_.stop() == 0); }
  /// After end().
  [[nodiscard]] std::vector<std::string> access_lines() const {
    std::ifstream in(folder_.file("access.log"), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return lines_of(text.str());
  }
  [[nodiscard]] std::vector<std::string> log_lines() const { return lines_of(server_.err()); }

 private:
  test::TempFolder folder_;
  ServerProcess server_;
};

}  // namespace

TEST_CASE("Log.AccessLinesInJsonTieARequestToItsTraceAndItsAnswer") {
  LoggingServer server("json");
  HttpClient client = server.client();
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736", span = "00f067aa0ba902b7";
  const HttpResponse stored =
      client.post("/v1/events", event_json("logged"), "application/json",
                  {{"traceparent", "00-" + trace + "-" + span + "-01"}, {"X-Request-Id", "mine-1"}});
  CHECK(stored.status == 201);
  const HttpResponse refused = client.get("/v1/events?limit=secret", {{"X-Correlation-Id", "c 9"}});
  CHECK(refused.status == 400);
  server.end();

  const auto lines = server.access_lines();
  REQUIRE(lines.size() == 2);
  const Json first(lines[0]);
  CHECK(is_timestamp(first.text("/time")));
  CHECK(first.text("/level") == "info");
  CHECK(first.text("/remote") == "127.0.0.1");
  CHECK(first.text("/method") == "POST");
  CHECK(first.text("/path") == "/v1/events");
  CHECK(first.text("/route") == "/v1/events");
  CHECK(first.number("/status") == 201);
  CHECK(first.number("/bytes") == stored.body.size());
  CHECK(first.text("/traceId") == trace);
  CHECK(first.text("/spanId") == span);
  CHECK(first.text("/correlationId") == trace);
  CHECK(first.text("/clientRequestId") == "mine-1");
  CHECK(first.text("/requestId") == stored.header("X-Request-Id"));
  CHECK_FALSE(first.has("/problem"));
  const Json second(lines[1]);
  CHECK(second.text("/problem") == "invalid-parameter");
  CHECK(second.text("/requestId") == refused.header("X-Request-Id"));
  CHECK(second.text("/requestId") != first.text("/requestId"));
  CHECK(second.text("/correlationId") == "c 9");
  CHECK(lines[1].find("secret") == std::string::npos);
}

TEST_CASE("Log.EveryLineOfTheServersLogIsJson") {
  LoggingServer server("json");
  HttpClient client = server.client();
  CHECK(client.get("/healthz").status == 200);
  server.end();
  const auto lines = server.log_lines();
  REQUIRE(lines.size() >= 3);
  bool listening = false;
  for (const std::string& line : lines) {
    const Json entry(line);
    CHECK(is_timestamp(entry.text("/time")));
    CHECK_FALSE(entry.text("/level").empty());
    listening = listening || entry.text("/message").starts_with("listening on http://127.0.0.1:");
  }
  CHECK(listening);
}

TEST_CASE("Log.WhyTheServerDoesNotStartIsJsonToo") {
  const test::TempFolder folder;
  const auto failed = run_stele({"serve", "--data", folder.file("data"), "--log-format", "json", "--tls-cert",
                                 folder.file("none.pem"), "--tls-key", folder.file("none.pem")});
  CHECK(failed.exit_code == 1);
  const auto lines = lines_of(failed.err);
  REQUIRE_FALSE(lines.empty());
  for (const std::string& line : lines) CHECK(Json(line).has("/message"));
}

TEST_CASE("Log.LinesThatTheAccessLogLosesAreCountedAndTold") {
  const test::TempFolder folder;
  const std::string fifo = folder.file("access.fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  ServerProcess server = ServerProcess::start({folder.file("data"), {"--access-log", fifo}, {}, 0});
  // Nobody reads the log: what does not fit into the pipe and the queue is lost.
  HttpClient client(server.port());
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const auto dropped = [&] {
    HttpClient scraper(server.port());
    return MetricsText(scraper.get("/metrics").body).value("stele_access_log_lines_dropped_total");
  };
  CHECK(dropped() == 0);
  REQUIRE(client.connect());
  while (dropped() == 0) {
    REQUIRE(client.send_raw(requests));
    for (int i = 0; i < 1000; ++i) REQUIRE(client.read_response().status == 200);
  }
  REQUIRE(::fcntl(reader, F_SETFL, 0) == 0);
  std::thread drain([&] {
    std::string bytes(1 << 16, '\0');
    while (::read(reader, bytes.data(), bytes.size()) > 0) {
    }
  });
  CHECK(server.stop() == 0);
  drain.join();
  ::close(reader);
  CHECK(server.err().find("lines were dropped") != std::string::npos);
}

TEST_CASE("Log.AfterARotationAHangupGoesOnInANewFileAndNoLineIsLost") {
  const test::TempFolder folder;
  const std::string file = folder.file("access.log");
  ServerProcess server =
      ServerProcess::start({folder.file("data"), {"--segment-size", "1MiB", "--access-log", file}, {}, 0});
  std::atomic<bool> ending{false};
  std::atomic<int> sent{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      HttpClient client(server.port());
      while (!ending) {
        if (client.get("/v1/events/" + std::to_string(sent++)).status != 404) ending = true;
      }
    });
  }
  constexpr int rotations = 5;
  for (int i = 0; i < rotations; ++i) {
    const int before = sent;
    wait_until([&] { return sent >= before + 100 || ending; });
    REQUIRE(::rename(file.c_str(), (file + std::to_string(i)).c_str()) == 0);
    server.process().signal(SIGHUP);
    // The file is there when it is said to be.
    CHECK(eventually([&] { return std::filesystem::exists(file); }));
  }
  ending = true;
  for (std::thread& client : clients) client.join();
  CHECK(server.stop() == 0);
  std::set<std::string> paths;
  int lines = 0;
  for (int i = 0; i <= rotations; ++i) {
    std::ifstream in(i < rotations ? file + std::to_string(i) : file);
    std::ostringstream text;
    text << in.rdbuf();
    if (!text.str().empty()) CHECK(text.str().back() == '\n');
    for (const std::string& line : lines_of(text.str())) {
      ++lines;
      CHECK(is_timestamp(line.substr(0, line.find(' '))));
      const std::size_t at = line.find(" /v1/events/");
      REQUIRE(at != std::string::npos);
      paths.insert(line.substr(at, line.find(' ', at + 1) - at));
    }
  }
  CHECK(lines == sent);
  CHECK(paths.size() == static_cast<std::size_t>(lines));
}

TEST_CASE("Log.AnAccessLogThatCannotBeOpenedAgainGoesOnWhereItIs") {
  const test::TempFolder folder;
  const std::string file = folder.file("access.log"), moved = folder.file("moved.log");
  ServerProcess server =
      ServerProcess::start({folder.file("data"), {"--segment-size", "1MiB", "--access-log", file}, {}, 0});
  REQUIRE(::rename(file.c_str(), moved.c_str()) == 0);
  REQUIRE(::mkdir(file.c_str(), 0700) == 0);
  server.process().signal(SIGHUP);
  CHECK_FALSE(server.process().wait_for_stderr("the access log goes on in the file it has").empty());
  CHECK(HttpClient(server.port()).get("/healthz").status == 200);
  CHECK(server.stop() == 0);
  std::ifstream in(moved);
  std::string line;
  CHECK(std::getline(in, line));
  CHECK(line.find("/healthz") != std::string::npos);
}

TEST_CASE("Log.NothingAClientSendsBreaksOutOfItsLine") {
  for (const std::string format : {"text", "json"}) {
    CAPTURE(format);
    LoggingServer server(format);
    const std::string forged =
        "\xE2\x80\xA8"
        "2026-01-01T00:00:00Z error FORGED \"} {\"message\":\"FORGED\" \xff\xc2\x85";
    int sent = 0;
    for (const std::string& request :
         std::vector<std::string>{"GET /x HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " + forged + "\r\n\r\n",
                                  "GET /x HTTP/1.1\r\nHost: localhost\r\nX-Correlation-Id: " + forged + "\r\n\r\n",
                                  "GET /x HTTP/1.1\r\nHost: localhost\r\ntraceparent: " + forged + "\r\n\r\n",
                                  "GET /v1/events/%0aFORGED%0d%22%7d HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                  "GET /\"}FORGED{\" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                  "FORGED\x1b[31m / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                  "GET /\xff"
                                  "FORGED HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                  "GET /x HTTP/1.1\r\nHost: localhost\r\nX: a\r\n FORGED folded\r\n\r\n",
                                  std::string("\x16\x03\x01 FORGED\r\n\r\n")}) {
      HttpClient client = server.client();
      REQUIRE(client.connect());
      REQUIRE(client.send_raw(request));
      CHECK(client.read_response().status >= 400);
      ++sent;
    }
    server.end();
    auto lines = server.access_lines();
    CHECK(lines.size() == static_cast<std::size_t>(sent));
    for (const std::string& line : server.log_lines()) lines.push_back(line);
    for (const std::string& line : lines) {
      CAPTURE(line);
      for (const char c : line) CHECK(static_cast<unsigned char>(c) >= 0x20);
      CHECK(line.find("\xc2\x85") == std::string::npos);
      CHECK(line.find("\xff") == std::string::npos);
      CHECK(line.find("\xE2\x80\xA8") == std::string::npos);
      CHECK_FALSE(line.starts_with("FORGED"));
      if (format == "json") {
        const Json entry(line);
        CHECK(is_timestamp(entry.text("/time")));
        if (entry.has("/message")) CHECK(entry.text("/message") != "FORGED");
      } else {
        CHECK(line.find(" FORGED ") == std::string::npos);
      }
    }
  }
}

TEST_CASE("Log.AFloodOfBadRequestsLeavesFewLinesAndASum") {
  LoggingServer server("json");
  constexpr int flood = 200;
  for (int i = 0; i < flood; ++i) {
    HttpClient client = server.client();
    REQUIRE(client.connect());
    REQUIRE(client.send_raw("nonsense\r\n\r\n"));
    CHECK(client.read_response().status == 400);
  }
  server.end();
  std::uint64_t written = 0, summed = 0;
  for (const std::string& line : server.log_lines()) {
    const std::string message = Json(line).text("/message");
    if (message.starts_with("a request was refused: ")) ++written;
    if (message.starts_with("… and ")) summed += std::stoull(message.substr(std::string_view("… and ").size()));
  }
  CHECK(written > 0);
  CHECK(written < flood / 2);
  CHECK(written + summed == flood);
}

TEST_CASE("Log.RequestIdsAreGivenToRefusalsAndToWhatTheAccessLogHas") {
  HttpClient quiet = shared_api().client();
  CHECK_FALSE(quiet.get("/healthz").has_header("X-Request-Id"));
  const std::string first = quiet.get("/nowhere").header("X-Request-Id");
  CHECK_FALSE(first.empty());
  CHECK(quiet.get("/nowhere", {{"X-Request-Id", first}}).header("X-Request-Id") != first);
}

}  // namespace stele::tests

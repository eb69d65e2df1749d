#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <new>
#include <random>
#include <thread>

#include "net/http/connection_budget.h"
#include "tests/net/test_server.h"

namespace stele::tests {

namespace {
/// Sends bytes on a connection of their own; the status of the first answer.
int status_of(const TestServer& server, std::string_view bytes) {
  HttpClient client = server.client();
  (void)client.send_raw(bytes);
  const HttpResponse got = client.read_response();
  if (got.status >= 400) {
    CHECK(got.header("Content-Type") == "application/problem+json");
    CHECK(got.header("Connection") == "close");
    CHECK(client.closed_by_server());
  }
  return got.status;
}

const std::string opening = "POST /e HTTP/1.1\r\nHost: a\r\n";
}  // namespace

TEST_CASE("ServerLimits.RefusalsAreProblemsAndEndTheConnection") {
  net::ServerOptions options = quick();
  options.limits.header_bytes_max = 1024;
  options.limits.fields_max = 10;
  options.limits.body_bytes_max = 1000;
  TestServer server(options);
  std::string many;
  for (int i = 0; i < 11; ++i) many += "X-" + std::to_string(i) + ": v\r\n";
  const std::string chunk = "190\r\n" + std::string(400, 'x') + "\r\n";
  struct Case {
    std::string what;
    std::string bytes;
    int status;
  };
  const Case cases[] = {
      {"fine", opening + "Content-Length: 1\r\n\r\nx", 200},
      {"garbage", "hello\r\n\r\n", 400},
      {"TLS", "\x16\x03\x01\x02", 400},
      {"no version", "GET /\r\n\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", opening + "Host: b\r\n\r\n", 400},
      {"length and chunked", opening + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"unknown encoding", opening + "Transfer-Encoding: gzip\r\n\r\n", 400},
      {"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"trailer", opening + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", 400},
      {"bad chunk", opening + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
      {"folded", opening + "X: a\r\n b\r\n\r\n", 400},
      {"version", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
      {"long target", "GET /" + std::string(2000, 'a'), 414},
      {"long header", opening + "X: " + std::string(2000, 'a'), 431},
      {"long finished header", opening + "X: " + std::string(1000, 'a') + "\r\n\r\n", 431},
      {"many fields", opening + many + "\r\n", 431},
      {"announced body", opening + "Content-Length: 1001\r\n\r\n", 413},
      {"announced and sent body", opening + "Content-Length: 9000\r\n\r\n" + std::string(9000, 'x'), 413},
      {"exact body", opening + "Content-Length: 1000\r\n\r\n" + std::string(1000, 'x'), 200},
      {"chunked body", opening + "Transfer-Encoding: chunked\r\n\r\n" + chunk + chunk + chunk, 413},
      {"exact chunked body", opening + "Transfer-Encoding: chunked\r\n\r\n" + chunk + chunk + "0\r\n\r\n", 200},
      {"expectation", opening + "Expect: x\r\n\r\n", 417},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    CHECK(status_of(server, c.bytes) == c.status);
  }
}

TEST_CASE("ServerLimits.ABodyOfUnknownLengthHasTheLimitOfItsEndpoint") {
  TestServer server(quick());
  const std::string opening = "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(status_of(server, opening + "a\r\n0123456789\r\n0\r\n\r\n") == 200);
  CHECK(status_of(server, opening + "a\r\n0123456789\r\n1\r\n0\r\n") == 413);
  // It is not that of the next request.
  HttpClient client = server.client();
  REQUIRE(client.send_raw(opening +
                          "1\r\n0\r\n0\r\n\r\nPOST /wide HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                          "14\r\n01234567890123456789\r\n0\r\n\r\n"));
  CHECK(client.read_response().status == 200);
  CHECK(client.read_response().status == 200);
}

TEST_CASE("ServerLimits.RefusalsCarryWhatTheHandlerAddsToEveryAnswer") {
  net::ServerOptions options = quick();
  options.limits.header_bytes_max = 1024;
  options.limits.body_bytes_max = 1000;
  TestServer patient(options);
  options.limits.header_ms = 300;
  TestServer server(options);
  const std::string origin = "Origin: https://app.example\r\n";
  struct Case {
    std::string bytes;
    int status;
  };
  for (const Case& c :
       {Case{opening + origin + "Host: b\r\n\r\n", 400}, Case{opening + origin + "X: " + std::string(2000, 'a'), 431},
        Case{opening + origin + "Content-Length: 1001\r\n\r\n", 413},
        Case{"GET /throw HTTP/1.1\r\nHost: a\r\n" + origin + "\r\n", 500},
        Case{"GET / HTTP/1.1\r\n" + origin + "Host: a\r\n", 408}}) {
    CAPTURE(c.status);
    HttpClient client = (c.status == 408 ? server : patient).client();
    REQUIRE(client.send_raw(c.bytes));
    const HttpResponse answer = client.read_response();
    CHECK(answer.status == c.status);
    CHECK(answer.header("X-Correlation-Id") == "completed https://app.example");
  }
}

TEST_CASE("ServerLimits.OneCallerGetsHalfOfTheMemoryForBodies") {
  net::ServerOptions options = quick();
  options.limits.body_bytes_max = 100'000;
  options.limits.bodies_bytes_max = 1'000'000;
  TestServer server(options);
  const auto request = [](const std::string& principal) {
    return "POST /hold HTTP/1.1\r\nHost: a\r\nX-Principal: " + principal + "\r\nContent-Length: 100000\r\n\r\n" +
           std::string(100'000, 'x');
  };
  std::vector<std::unique_ptr<HttpClient>> held;
  const auto hold = [&](const std::string& principal) {
    held.push_back(std::make_unique<HttpClient>(server.port()));
    REQUIRE(held.back()->send_raw(request(principal)));
    server.handler->await_held(held.size());
  };
  // Half of it is for any one principal, or address; a body that still grows takes more than its length for a moment.
  for (int i = 0; i < 4; ++i) hold("greedy");
  HttpClient refused = server.client();
  REQUIRE(refused.send_raw(request("greedy")));
  const HttpResponse answer = refused.read_response();
  CHECK(answer.status == 503);
  CHECK(answer.has_header("Retry-After"));
  for (int i = 0; i < 3; ++i) hold("modest");
  hold("");
  server.handler->release();
  for (const auto& client : held) CHECK(client->read_response().status == 200);
}

TEST_CASE("ServerLimits.AConnectionForWhichThereIsNoMemoryLeavesNoTrace") {
  api::ConnectionCounts counts;
  net::ConnectionBudget budget(4, 0, 0, 0, counts);
  struct NoMemory {
    explicit NoMemory(net::ConnectionSeat given) : seat(std::move(given)) { throw std::bad_alloc(); }
    net::ConnectionSeat seat;
  };
  CHECK_THROWS_AS(NoMemory(net::ConnectionSeat(budget, "192.0.2.1")), std::bad_alloc);
  CHECK(budget.connections() == 0);
}

TEST_CASE("ServerLimits.NothingBehindARefusedRequestIsServed") {
  TestServer server(quick());
  HttpClient client = server.client();
  REQUIRE(client.send_raw("GET /one HTTP/1.1\r\nHost: a\r\n\r\n" + opening +
                          "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                          "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK(client.read_response().body == "/one?:");
  CHECK(client.read_response().status == 400);
  CHECK(client.closed_by_server());
  CHECK(server.handler->requests == 1);
}

TEST_CASE("ServerLimits.ALargeUploadThatIsRefusedStillReadsItsAnswer") {
  net::ServerOptions options = quick();
  options.limits.body_bytes_max = 1000;
  options.limits.linger_ms = 10'000;
  TestServer server(options);
  HttpClient client = server.client();
  CHECK(client.post("/e", std::string(8 << 20, 'x')).status == 413);
}

TEST_CASE("ServerLimits.RandomBytesNeverHurt") {
  TestServer server(quick());
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string valid = "POST /e?q=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabc";
  for (int round = 0; round < 200; ++round) {
    std::string bytes = valid;
    for (unsigned i = 0; i <= random() % 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    HttpClient client(server.port());
    REQUIRE(client.send_raw(bytes));
    client.shutdown_send();
    (void)client.read_to_end();
  }
  CHECK(server.client().get("/alive").status == 200);
  server.await_connections(0);
}

TEST_CASE("ServerLimits.ASlowHeaderIsA408AndSilenceIsClosedSilently") {
  net::ServerOptions options = quick();
  options.limits.header_ms = 300;
  options.limits.idle_ms = 300;
  TestServer server(options);
  HttpClient slow = server.client();
  REQUIRE(slow.send_raw("GET / HTTP/1.1\r\nHost:"));
  CHECK(slow.read_response().status == 408);
  CHECK(slow.closed_by_server());
  HttpClient silent = server.client();
  REQUIRE(silent.connect());
  CHECK(silent.closed_by_server());
  HttpClient idle = server.client();
  CHECK(idle.get("/a").status == 200);
  CHECK(idle.closed_by_server());
  // Bytes now and then do not move the deadline.
  HttpClient trickle = server.client();
  std::size_t sent = 0;
  while (sent < 500 && trickle.send_raw(sent == 0 ? "GET /" : "a")) {
    ++sent;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (server.server->connections() == 0) break;
  }
  CHECK(sent < 500);
}

TEST_CASE("ServerLimits.ASlowBodyIsA408") {
  net::ServerOptions options = quick();
  options.limits.body_grace_ms = 60;
  options.limits.body_rate_min = 1'000'000;
  TestServer server(options);
  for (const char* framing : {"Content-Length: 10\r\n\r\nabc", "Content-Length: 100000\r\n\r\nabc",
                              "Transfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    CHECK(status_of(server, opening + framing) == 408);
  }
}

TEST_CASE("ServerLimits.AHandlerThatTakesTooLongLosesItsClient") {
  net::ServerOptions options = quick();
  options.limits.request_ms = 50;
  TestServer server(options);
  HttpClient client = server.client();
  CHECK(client.get("/hold").status == 0);
  CHECK(server.server->connections() == 1);  // until its handler is done with the request
  server.handler->release();
  server.await_connections(0);
}

TEST_CASE("ServerLimits.ASlowReaderIsCutAndHoldsUpNobody") {
  net::ServerOptions options = quick();
  options.limits.write_ms = 150;
  options.io_threads = 1;
  TestServer server(options);
  for (const char* path : {"/large?30000000", "/stream?1000"}) {
    HttpClient slow = server.client();
    slow.set_receive_buffer(4096);
    REQUIRE(slow.connect());
    const std::uint64_t before = Letters::pulled;
    REQUIRE(slow.send_raw(std::string("GET ") + path + " HTTP/1.1\r\nHost: a\r\n\r\n"));
    REQUIRE(slow.read_raw(15) == "HTTP/1.1 200 OK");
    HttpClient quick_one = server.client();
    for (int i = 0; i < 20; ++i) REQUIRE(quick_one.get("/a").status == 200);
    quick_one.close();
    server.await_connections(0);
    CHECK(slow.read_to_end().size() < 30'000'000);
    CHECK(Letters::pulled - before < 500);  // the socket held the source back
  }
}

// How the deadline moves with what such a reader takes is told in Deadlines, where no machine that stands still for a
// moment can make it a slow one.
TEST_CASE("ServerLimits.AReaderThatKeepsUpGetsAllOfALargeAnswer") {
  TestServer server(quick());
  CHECK(server.client().get("/large?30000000").body.size() == 30'000'000);
}

TEST_CASE("ServerLimits.ConnectionsInTotalAreBounded") {
  net::ServerOptions options = quick();
  options.limits.connections_max = 2;
  TestServer server(options);
  HttpClient first = server.client();
  HttpClient second = server.client();
  CHECK(first.get("/a").status == 200);
  CHECK(second.get("/a").status == 200);
  HttpClient third = server.client();
  const HttpResponse refused = third.get("/a");
  CHECK(refused.status == 503);
  CHECK(refused.has_header("Retry-After"));
  CHECK(third.closed_by_server());
  server.await_connections(2);
  first.close();
  server.await_connections(1);
  CHECK(third.get("/a").status == 200);
}

TEST_CASE("ServerLimits.ConnectionsPerAddressAreBounded") {
  net::ServerOptions options = quick();
  options.limits.connections_per_address_max = 1;
  TestServer server(options);
  HttpClient first = server.client();
  CHECK(first.get("/a").status == 200);
  CHECK(server.client().get("/a").status == 503);
}

TEST_CASE("ServerLimits.BodiesInMemoryAreBoundedOverAllConnections") {
  net::ServerOptions options = quick();
  options.limits.bodies_bytes_max = 400'000;
  TestServer server(options);
  HttpClient holder = server.client();
  REQUIRE(
      holder.send_raw("POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x')));
  server.handler->await_held(1);
  HttpClient other = server.client();
  const HttpResponse refused = other.post("/e", std::string(200'000, 'y'));
  CHECK(refused.status == 503);
  CHECK(refused.has_header("Retry-After"));
  CHECK(other.post("/e", std::string(1000, 'y')).status == 200);  // small ones need no budget
  server.handler->release();
  CHECK(holder.read_response().body == "released");
  holder.close();
  server.await_connections(1);
  CHECK(other.post("/e", std::string(200'000, 'y')).status == 200);
}

TEST_CASE("ServerLimits.WithoutDescriptorsItWaitsForSome") {
  TestServer server(quick());
  HttpClient client = server.client();
  HttpClient spare = server.client();
  CHECK(client.get("/a").status == 200);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit low{256, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  std::vector<int> fillers;
  const auto fill = [] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); };
  for (int fd = fill(); fd >= 0; fd = fill()) fillers.push_back(fd);
  REQUIRE_FALSE(fillers.empty());
  ::close(fillers.back());  // the client's end; nothing is left for the server's
  fillers.pop_back();
  const bool connected = spare.send_raw("GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  const int status = client.get("/still").status;
  for (const int fd : fillers) ::close(fd);
  (void)::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(connected);
  CHECK(status == 200);
  CHECK(spare.read_response().status == 200);
}

TEST_CASE("ServerLimits.ARefusalAfterAHeadHasItsBody") {
  TestServer server(quick());
  HttpClient client = server.client();
  CHECK(client.head("/a").status == 200);
  REQUIRE(client.send_raw("\x01garbage"));
  const HttpResponse refused = client.read_response();
  CHECK(refused.status == 400);
  CHECK_FALSE(refused.body.empty());
}

TEST_CASE("ServerLimits.RequestsPerConnectionAreBounded") {
  net::ServerOptions options = quick();
  options.limits.requests_per_connection_max = 2;
  TestServer server(options);
  HttpClient client = server.client();
  CHECK_FALSE(client.get("/a").has_header("Connection"));
  CHECK(client.get("/a").header("Connection") == "close");
  CHECK(client.closed_by_server());
}

TEST_CASE("ServerLimits.AClientThatVanishesLeavesNothingBehind") {
  TestServer server(quick());
  for (const char* bytes :
       {"", "GET /", "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\nabc",
        "GET /thread HTTP/1.1\r\nHost: a\r\n\r\n", "GET /stream?1000 HTTP/1.1\r\nHost: a\r\n\r\n"}) {
    for (int i = 0; i < 5; ++i) {
      HttpClient client = server.client();
      REQUIRE(client.connect());
      REQUIRE(client.send_raw(bytes));
    }
  }
  CHECK(server.client().get("/alive").status == 200);
  server.await_connections(0);
}

}  // namespace stele::tests

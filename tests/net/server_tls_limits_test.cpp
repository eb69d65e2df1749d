// What a client can do to a server that speaks TLS: nothing to the others.

#include <openssl/bio.h>

#include <random>
#include <thread>

#include "tests/net/tls_fixture.h"

namespace stele::tests {

namespace {

/// What a client sends first.
std::string client_hello() {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), &SSL_free);
  BIO* const sent = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), sent);
  (void)SSL_connect(ssl.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(sent, &data);
  REQUIRE(size > 100);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

TEST_CASE("ServerTlsLimits.HalfOpenHandshakesHoldUpNobodyAndAreCut") {
  net::ServerOptions options = quick();
  options.io_threads = 1;
  options.limits.header_ms = 3'000;
  TlsServer server(options);
  const std::string hello = client_hello();
  std::vector<HttpClient> half;
  for (std::size_t i = 0; i < 200; ++i) {
    HttpClient& client = half.emplace_back(server.plain_client());
    REQUIRE(client.connect());
    if (i % 4 == 1) REQUIRE(client.send_raw(hello.substr(0, 3)));
    if (i % 4 == 2) REQUIRE(client.send_raw(hello.substr(0, hello.size() - 1)));
    if (i % 4 == 3) REQUIRE(client.send_raw(hello));
  }
  HttpClient other = server.client();
  for (int i = 0; i < 20; ++i) REQUIRE(other.get("/a").status == 200);
  for (HttpClient& client : half) {
    (void)client.read_to_end();
    CHECK(client.closed_by_server());
  }
  other.close();
  server.server.await_connections(0);
}

TEST_CASE("ServerTlsLimits.BytesNowAndThenDoNotMoveTheDeadlineOfAHandshake") {
  net::ServerOptions options = quick();
  options.limits.header_ms = 200;
  TlsServer server(options);
  const std::string hello = client_hello();
  HttpClient trickle = server.plain_client();
  REQUIRE(trickle.connect());
  std::size_t sent = 0;
  while (sent + 1 < hello.size() && trickle.send_raw(hello.substr(sent, 1))) {
    ++sent;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(sent + 1 < hello.size());
}

TEST_CASE("ServerTlsLimits.AClientThatVanishesInAHandshakeLeavesNothingBehind") {
  TlsServer server;
  const std::string hello = client_hello();
  for (std::size_t cut = 0; cut <= hello.size(); cut += 23) {
    HttpClient client = server.plain_client();
    REQUIRE(client.connect());
    REQUIRE(client.send_raw(hello.substr(0, cut)));
  }
  CHECK(server.client().get("/alive").status == 200);
  server.server.await_connections(0);
}

TEST_CASE("ServerTlsLimits.RandomBytesNeverHurt") {
  TlsServer server;
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string hello = client_hello();
  for (int round = 0; round < 200; ++round) {
    std::string bytes = hello;
    for (unsigned i = 0; i <= random() % 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    HttpClient client = server.plain_client();
    REQUIRE(client.send_raw(bytes));
    client.shutdown_send();
    (void)client.read_to_end();
  }
  CHECK(server.client().get("/alive").status == 200);
  server.server.await_connections(0);
}

TEST_CASE("ServerTlsLimits.DeadlinesOfHttpHold") {
  net::ServerOptions options = quick();
  options.limits.header_ms = 3'000;
  options.limits.body_grace_ms = 100;
  options.limits.body_rate_min = 1'000'000;
  TlsServer server(options);
  HttpClient silent = server.client();
  REQUIRE(silent.connect());
  HttpClient slow_header = server.client();
  REQUIRE(slow_header.send_raw("GET / HTTP/1.1\r\nHost:"));
  CHECK(slow_header.read_response().status == 408);
  HttpClient slow_body = server.client();
  REQUIRE(slow_body.send_raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc"));
  CHECK(slow_body.read_response().status == 408);
  CHECK(silent.closed_in_order());
}

TEST_CASE("ServerTlsLimits.ASlowReaderIsCutAndHoldsUpNobody") {
  net::ServerOptions options = quick();
  options.limits.write_ms = 150;
  options.io_threads = 1;
  TlsServer server(options);
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
    server.server.await_connections(0);
    CHECK_FALSE(slow.closed_in_order());
    CHECK(Letters::pulled - before < 500);
  }
}

TEST_CASE("ServerTlsLimits.RefusalsAreReadableAndConnectionsAreCounted") {
  net::ServerOptions options = quick();
  options.limits.connections_max = 2;
  options.limits.body_bytes_max = 1000;
  options.limits.linger_ms = 10'000;
  TlsServer server(options);
  HttpClient first = server.client();
  CHECK(first.post("/e", std::string(4 << 20, 'x')).status == 413);
  server.server.await_connections(0);
  CHECK(first.get("/a").status == 200);
  HttpClient half = server.plain_client();  // a handshake under way counts
  REQUIRE(half.connect());
  server.server.await_connections(2);
  HttpClient third = server.client();
  CHECK(third.get("/a").status == 503);
  half.close();
  server.server.await_connections(1);
  CHECK(third.get("/a").status == 200);
}

TEST_CASE("ServerTlsLimits.AClientCannotMakeTheServerShakeHandsAgain") {
  TlsServer server;
  // Only TLS 1.2 has that.
  ClientTls tls = server.trusting();
  tls.version_max = TLS1_2_VERSION;
  HttpClient client = server.client(tls);
  REQUIRE(client.get("/a").status == 200);
  CHECK_FALSE(client.renegotiate());
  CAPTURE(client.error());
  CHECK(contains(client.error(), "no renegotiation"));
}

}  // namespace stele::tests

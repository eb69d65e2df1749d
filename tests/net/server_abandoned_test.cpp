// What the server notices of clients while their requests are being worked on.

#include "tests/net/test_server.h"
#include "tests/net/tls_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_client.h"

namespace stele::tests {

namespace {

void await_working(const TestServer& server, int count) {
  wait_until([&] { return server.handler->working == count; });
}

RawClient send_request(const TestServer& server, std::string_view more = {}) {
  const int before = server.handler->working;
  RawClient client(server.port());
  REQUIRE(client.send("GET /until-abandoned HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(more)));
  await_working(server, before + 1);
  return client;
}

}  // namespace

TEST_CASE("ServerAbandoned.AClientThatLeavesOrResetsAbandonsItsRequest") {
  TestServer server(quick());
  send_request(server).close();
  server.await_connections(0);
  send_request(server).reset();
  server.await_connections(0);
  send_request(server, "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n").close();  // what was sent ahead does not hide it
  server.await_connections(0);
  CHECK(server.client().get("/alive").status == 200);
}

TEST_CASE("ServerAbandoned.OverTlsToo") {
  TlsServer server;
  {
    HttpClient client = server.client();
    REQUIRE(client.send_raw("GET /until-abandoned HTTP/1.1\r\nHost: a\r\n\r\n"));
    await_working(server.server, 1);
  }
  server.server.await_connections(0);
}

TEST_CASE("ServerAbandoned.AClientThatOnlySendsNoMoreGetsTheEarlyAnswer") {
  TestServer server(quick());
  RawClient client = send_request(server);
  client.half_close();
  CHECK(client.wait_for_end());
  CHECK(client.received().starts_with("HTTP/1.1 200"));
  CHECK(client.received().ends_with("\r\n\r\nabandoned"));
}

TEST_CASE("ServerAbandoned.ARequestPastItsTimeIsAbandoned") {
  net::ServerOptions options = quick();
  options.limits.request_ms = 20;
  TestServer server(options);
  RawClient client = send_request(server);
  CHECK(client.wait_for_end());
  CHECK(client.received().empty());
  server.await_connections(0);
}

TEST_CASE("ServerAbandoned.ShutdownAbandonsWhatIsUnderWayAndItIsAnswered") {
  net::ServerOptions options = quick();
  options.drain_ms = 3'600'000;
  TestServer server(options);
  RawClient client = send_request(server);
  server.server->begin_shutdown();
  CHECK(client.wait_for_end());
  CHECK(client.received().ends_with("\r\n\r\nabandoned"));
  server.server->wait();
  server.handler = nullptr;
}

}  // namespace stele::tests

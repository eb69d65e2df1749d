#include "net/server/server.h"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "net/http/localhost.h"
#include "tests/net/test_server.h"
#include "tests/support/raw_client.h"
#include "tests/support/temp_folder.h"

namespace stele::tests {

TEST_CASE("Server.AFaultOfTheServerIsALineOfItsLogAndNothingOfItsAnswer") {
  const auto before = spdlog::default_logger();
  std::ostringstream written;
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("caught", std::make_shared<spdlog::sinks::ostream_sink_mt>(written)));
  TestServer server;
  HttpClient client = server.client();
  const HttpResponse failed = client.get("/failing");
  CHECK(failed.status == 500);
  CHECK(failed.body.find("differ") == std::string::npos);
  CHECK(client.get("/after").status == 200);
  server.end();
  spdlog::set_default_logger(before);
  const std::string log = written.str();
  const std::string line = "a request failed: the two readers differ";
  REQUIRE(log.find(line) != std::string::npos);
  CHECK(log.find(line, log.find(line) + 1) == std::string::npos);
}

TEST_CASE("Server.KnowsWhomARequestIsAddressedTo") {
  TestServer server;
  HttpClient client = server.client();
  CHECK(client.get("/authority", {{"Host", "a.example:80"}}).body == "a.example:80");
  REQUIRE(client.send_raw("GET http://b.example/authority HTTP/1.1\r\nHost: a.example\r\n\r\n"));
  CHECK(client.read_response().body == "b.example");
}

TEST_CASE("Server.AnswersOnAKeptConnection") {
  TestServer server;
  HttpClient client = server.client();
  for (int i = 0; i < 3; ++i) {
    const HttpResponse got = client.get("/a%2Fb?x=" + std::to_string(i));
    CHECK(got.status == 200);
    CHECK(got.version == 11);
    CHECK(got.body == "/a%2Fb?x=" + std::to_string(i) + ":");
    CHECK(got.header("Server") == "stele");
    CHECK(got.header("Content-Type") == "text/plain");
    CHECK(got.header("Date").size() == 29);
    CHECK_FALSE(got.has_header("Connection"));
  }
  CHECK(client.post("/echo", R"({"a":1})").body == "/echo?:{\"a\":1}");
  CHECK(server.server->connections() == 1);
  CHECK(client.get("/remote").body == "127.0.0.1");
}

TEST_CASE("Server.AnswersFromAnyThread") {
  net::ServerOptions options;
  options.io_threads = 2;
  TestServer server(options);
  for (int i = 0; i < 4; ++i) {
    HttpClient client = server.client();
    CHECK(client.post("/pool", "abc").body == "pool abc");
    CHECK(client.get("/later").body == "later");
    CHECK(client.get("/thread?7").body == "thread 7");
    CHECK(client.get("/resume").body == "home");
    CHECK(client.get("/twice").body == "first");
    CHECK(client.get("/plain").body == "/plain?:");
  }
}

TEST_CASE("Server.HeadHasTheLengthButNoBody") {
  TestServer server;
  HttpClient client = server.client();
  CHECK(client.head("/large?5000").header("Content-Length") == "5000");
  const HttpResponse streamed = client.head("/stream?3");
  CHECK(streamed.status == 200);
  CHECK(streamed.body.empty());
  const HttpResponse got = client.get("/empty");
  CHECK(got.status == 204);
  CHECK_FALSE(got.has_header("Content-Length"));
  CHECK(client.get("/large?3").body == "xxx");
}

TEST_CASE("Server.GivesHeaderFieldsInAnyCaseAndJoinsRepeatedOnes") {
  TestServer server;
  HttpClient client = server.client();
  CHECK(client.get("/header?x-one", {{"X-One", "1"}}).body == "1");
  CHECK(client.get("/header?ACCEPT", {{"Accept", "a"}, {"X", "y"}, {"accept", "b"}, {"Accept", "c"}}).body ==
        "a, b, c");
  CHECK(client.get("/header?absent").body.empty());
  const HttpResponse injected = client.get("/inject");
  CHECK(injected.header("X-Correlation-Id") == "a  X-Evil: 1");
  CHECK_FALSE(injected.has_header("X-Evil"));
}

TEST_CASE("Server.BodiesOfEverySizeArriveWhole") {
  TestServer server;
  HttpClient client = server.client();
  for (const std::size_t size : {1U, 100U, 16'000U, 20'000U, 21'000U, 65'536U, 70'000U, 1'500'000U}) {
    std::string body;
    for (std::size_t i = 0; i < size; ++i) body += static_cast<char>('a' + i * 7 % 23);
    CAPTURE(size);
    CHECK(client.post("/e", body).body == "/e?:" + body);
    std::string chunked;
    for (std::size_t at = 0; at < size; at += 10'007) {
      char length[20];
      (void)std::snprintf(length, sizeof length, "%zx\r\n", std::min<std::size_t>(10'007, size - at));
      chunked += length + body.substr(at, 10'007) + "\r\n";
    }
    chunked += "0\r\n\r\n";
    CHECK(client.request("POST", "/e", chunked, {{"Transfer-Encoding", "chunked"}}).body == "/e?:" + body);
    CHECK(client.post("/padding", body).status == 200);
  }
  CHECK(client.request("POST", "/e", "0\r\n\r\n", {{"Transfer-Encoding", "chunked"}}).body == "/e?:");
}

TEST_CASE("Server.ABodyThatComesByteByByteArrivesWhole") {
  TestServer server;
  HttpClient client = server.client();
  const std::string request =
      "POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz";
  for (const char c : request) REQUIRE(client.send_raw({&c, 1}));
  CHECK(client.read_response().body == "/e?:abc");
  CHECK(client.read_response().body == "/f?:xyz");
}

TEST_CASE("Server.PipelinedRequestsAreAnsweredInOrder") {
  TestServer server;
  HttpClient client = server.client();
  std::string requests;
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    // Quick and slow ones by turns: the order is that of the requests nevertheless.
    const std::string n = std::to_string(i);
    if (i % 10 == 3) {
      requests += "GET /thread?" + n + " HTTP/1.1\r\nHost: a\r\n\r\n";
      expected.push_back("thread " + n);
    } else if (i % 10 == 5) {
      requests += "POST /pool HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(n.size()) + "\r\n\r\n" + n;
      expected.push_back("pool " + n);
    } else if (i % 10 == 7) {
      requests += "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n";
      expected.push_back("/c?:z");
    } else {
      requests += "GET /g?" + n + " HTTP/1.1\r\nHost: a\r\n\r\n\r\n";
      expected.push_back("/g?" + n + ":");
    }
  }
  REQUIRE(client.send_raw(requests));
  for (const std::string& body : expected) REQUIRE(client.read_response().body == body);
  CHECK(server.handler->requests == 300);
}

TEST_CASE("Server.SpeaksHttp10") {
  TestServer server;
  HttpClient client = server.client();
  REQUIRE(client.send_raw("GET /a HTTP/1.0\r\n\r\n"));
  const std::string all = client.read_to_end();
  CHECK(all.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(all.find("Connection: close\r\n") != std::string::npos);
  REQUIRE(client.send_raw("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  CHECK(client.read_response().header("Connection") == "keep-alive");
  REQUIRE(client.send_raw("GET /stream?3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  const std::string streamed = client.read_to_end();
  CHECK(streamed.find("Transfer-Encoding") == std::string::npos);
  CHECK(streamed.size() - streamed.find("\r\n\r\n") - 4 == 3 * 65'536);
}

TEST_CASE("Server.ClosesWhenAsked") {
  TestServer server(quick());
  HttpClient client = server.client();
  const HttpResponse got = client.get("/a", {{"Connection", "close"}});
  CHECK(got.status == 200);
  CHECK(got.header("Connection") == "close");
  server.await_connections(0);
}

TEST_CASE("Server.AThrowingHandlerIsA500") {
  TestServer server;
  HttpClient client = server.client();
  for (const char* path : {"/throw", "/throw-odd"}) {
    const HttpResponse got = client.get(path);
    CHECK(got.status == 500);
    CHECK(got.header("Content-Type") == "application/problem+json");
    CHECK(got.body.find("thrown by") == std::string::npos);
  }
  CHECK(client.get("/fine").status == 200);
}

TEST_CASE("Server.StreamsLongBodies") {
  TestServer server;
  HttpClient client = server.client();
  const HttpResponse got = client.get("/stream?100");
  CHECK(got.status == 200);
  CHECK(got.header("Transfer-Encoding") == "chunked");
  REQUIRE(got.body.size() == 100 * 65'536);
  for (std::size_t i = 0; i < 100; ++i) REQUIRE(got.body[i * 65'536] == static_cast<char>('a' + i % 26));
  CHECK(client.get("/stream?0").body.empty());
  CHECK(client.get("/stream?1").body.size() == 65'536);
  CHECK(client.get("/after").status == 200);
}

TEST_CASE("Server.ABrokenSourceBreaksTheConnectionWithoutAFinalChunk") {
  TestServer server(quick());
  HttpClient client = server.client();
  const HttpResponse broken = client.get("/broken?10");
  CHECK(broken.status == 0);
  CHECK(broken.body.size() <= 3 * 65'536);
  CHECK_FALSE(broken.error.empty());
  // Before the first byte there is still time for a proper answer.
  const HttpResponse at_once = client.get("/broken-at-once?10");
  CHECK(at_once.status == 500);
  CHECK(client.get("/after").status == 200);
}

TEST_CASE("Server.ExpectContinueIsAnsweredBeforeTheBody") {
  net::ServerOptions options = quick();
  options.limits.body_bytes_max = 100;
  TestServer server(options);
  HttpClient client = server.client();
  REQUIRE(client.send_raw("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(client.read_raw(25) == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send_raw("abc"));
  CHECK(client.read_response().body == "/e?:abc");
  REQUIRE(client.send_raw("POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(client.read_raw(25) == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send_raw("1\r\nx\r\n0\r\n\r\n"));
  CHECK(client.read_response().body == "/e?:x");
  // A client that does not wait gets no interim answer.
  REQUIRE(client.send_raw("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"));
  CHECK(client.read_raw(15) == "HTTP/1.1 200 OK");
  (void)client.read_response();
  client.close();
  REQUIRE(client.send_raw("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(client.read_response().status == 413);
  CHECK(client.request("POST", "/e", "abc", {{"Expect", "wonders"}}).status == 417);
}

TEST_CASE("Server.ABodyThatNobodyWantsIsNeitherReadNorTakenForARequest") {
  net::ServerOptions options = quick();
  options.limits.bodies_bytes_max = 1000;
  TestServer server(options);
  const std::string head = "POST /unwanted HTTP/1.1\r\nHost: a\r\n";
  const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const std::string& rest :
       {"Content-Length: 100000\r\n\r\n" + hidden, "Transfer-Encoding: chunked\r\n\r\n" + hidden,
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        std::string("Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")}) {
    CAPTURE(rest);
    HttpClient client = server.client();
    REQUIRE(client.send_raw(head + rest));
    const HttpResponse answer = client.read_response();
    CHECK(answer.status == 200);
    CHECK(answer.body == "/unwanted?:");
    CHECK(answer.header("Connection") == "close");
    CHECK(client.read_raw(1).empty());
  }
  // What is there already, or fits into the room that is there, costs nothing.
  HttpClient client = server.client();
  REQUIRE(client.send_raw(head + "Content-Length: 3\r\n\r\nabc"));
  CHECK(client.read_response().body == "/unwanted?:abc");
  REQUIRE(client.send_raw(head + "Content-Length: 3\r\n\r\na"));
  REQUIRE(client.send_raw("bc"));
  CHECK(client.read_response().body == "/unwanted?:abc");
  CHECK(server.handler->requests == 6);
}

TEST_CASE("Server.ManyConnectionsAtOnce") {
  net::ServerOptions options;
  options.io_threads = 2;
  TestServer server(options);
  std::vector<RawClient> clients;  // few descriptors each: often there are 1024 in all
  for (int i = 0; i < 300; ++i) clients.emplace_back(server.port());
  for (std::size_t round = 1; round <= 3; ++round) {
    const auto query = [&](std::size_t i) { return std::to_string(round) + "-" + std::to_string(i) + "."; };
    for (std::size_t i = 0; i < clients.size(); ++i) {
      REQUIRE(clients[i].send("GET /thread?" + query(i) + " HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
      REQUIRE(clients[i].wait_for("thread " + query(i)));
      const auto answers = split_answers(clients[i].received());
      REQUIRE(answers.size() == round);
      REQUIRE(answers.back().body == "thread " + query(i));
    }
  }
  CHECK(server.server->connections() == 300);
  clients.clear();
  server.await_connections(0);
}

TEST_CASE("Server.ListensOnIpv6InBrackets") {
  net::ServerOptions options;
  options.host = "[::1]";
  auto started = net::Server::start(options, [](api::Scheduler& s) { return std::make_unique<FakeHandler>(s); });
  if (!started) {
    // A machine without IPv6 says so, and nothing else.
    CHECK(started.error().kind == ErrorKind::Io);
  } else {
    CHECK((*started)->port() != 0);
  }
}

TEST_CASE("Server.SaysWhyItCannotListen") {
  TestServer server;
  net::ServerOptions options;
  options.port = static_cast<std::uint16_t>(server.port());
  const auto make = [](api::Scheduler& s) { return std::make_unique<FakeHandler>(s); };
  const auto taken = net::Server::start(options, make);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().os_error != 0);
  options.host = "no such host";
  CHECK_FALSE(net::Server::start(options, make));
  options.host = "127.0.0.1";
  options.port = 0;
  CHECK_FALSE(net::Server::start(
      options, [](api::Scheduler&) -> std::unique_ptr<api::Handler> { throw std::runtime_error("no handler"); }));
}

TEST_CASE("Server.ListensOnAllAddressesOfANameAtOnePort") {
  for (const std::string name : {"localhost", "LocalHost.", "anything.localhost"}) {
    CAPTURE(name);
    net::ServerOptions options;
    options.host = name;
    TestServer server(options);
    int answered = 0;
    for (const auto& address : net::localhost_addresses()) {
      boost::asio::io_context context;
      boost::asio::ip::tcp::socket socket(context);
      boost::system::error_code failed;
      socket.connect({address, static_cast<std::uint16_t>(server.port())}, failed);
      if (failed && address.is_v6()) continue;  // a machine without IPv6
      REQUIRE_FALSE(failed);
      boost::asio::write(
          socket, boost::asio::buffer(std::string("GET /header HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")));
      std::string answer;
      boost::asio::read(socket, boost::asio::dynamic_buffer(answer), failed);
      CHECK(answer.starts_with("HTTP/1.1 200 "));
      ++answered;
    }
    CHECK(answered >= 1);
    // Taken on one of its addresses is taken.
    net::ServerOptions again;
    again.host = name;
    again.port = static_cast<std::uint16_t>(server.port());
    CHECK_FALSE(net::Server::start(again, [](api::Scheduler& s) { return std::make_unique<FakeHandler>(s); }));
    server.end();
  }
}

TEST_CASE("Server.WhatIsNotBelowLocalhostIsNotThisMachine") {
  for (const char* name : {"localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.LocalHost."}) {
    CAPTURE(name);
    CHECK(net::is_localhost(name));
  }
  for (const char* name : {"", ".", "localhos", "notlocalhost", "localhost.example", "localhost..", "127.0.0.1"}) {
    CAPTURE(name);
    CHECK_FALSE(net::is_localhost(name));
  }
}

TEST_CASE("Server.WritesAnAccessLogWithoutQueries") {
  const test::TempFolder folder;
  const std::string file = folder.file("access.log");
  net::ServerOptions options;
  options.access_log = file;
  {
    TestServer server(options);
    HttpClient client = server.client();
    (void)client.post("/header?secret", "abc");
    (void)client.get("/throw");
    server.end();
  }
  std::ifstream in(file);
  std::string first, second;
  std::getline(in, first);
  std::getline(in, second);
  CHECK(first.find("127.0.0.1 POST /header 200 ") != std::string::npos);
  CHECK(first.find("secret") == std::string::npos);
  CHECK(first.find(" correlation ") != std::string::npos);
  CHECK(second.find("GET /throw 500 ") != std::string::npos);
}

}  // namespace stele::tests

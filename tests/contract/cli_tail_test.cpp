// `stele tail` against a real server, and the reader of Server-Sent Events below it.

#include <doctest/doctest.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <future>
#include <thread>

#include "tests/contract/http_fixture.h"
#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"
#include "tools/client/event_stream.h"
#include "tools/client/http_client.h"

namespace stele::tests {

namespace {

using tools::EventStreamReader;
using tools::ServerSentEvent;

std::string data_and_names(const std::vector<ServerSentEvent>& events) {
  std::string text;
  for (const ServerSentEvent& event : events) text += event.name + "=" + event.data + ";";
  return text;
}

std::string url_of(const Api& api) { return "http://127.0.0.1:" + std::to_string(api.port()); }

ProcessResult tail(const Api& api, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "tail");
  return run_stele(arguments, {}, {{"STELE_URL", url_of(api)}});
}

/// Waits until the process has written `text` to stdout.
void wait_for_out(ChildProcess& process, const std::string& text) {
  wait_until([&] { return contains(process.out(), text) || !process.running(); });
  REQUIRE(contains(process.out(), text));
}

}  // namespace

TEST_CASE("EventStreamReader.ReadsMessagesInPiecesOfAnySize") {
  const std::string stream =
      ":comment\n\nid: 4\ndata: one\ndata: two\n\nevent: caught-up\nid\ndata:  x\n\ndata\r\n\r\nretry: 5\nother: "
      "1\n\nid: 9\n\n"
      "event: lost\n\ndata: last\rid: 10\r\rdata: cut";
  for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{3}, stream.size()}) {
    CAPTURE(size);
    EventStreamReader reader;
    std::vector<ServerSentEvent> events;
    for (std::size_t at = 0; at < stream.size(); at += size) {
      REQUIRE(reader.feed(std::string_view(stream).substr(at, size), [&](const ServerSentEvent& event) {
        events.push_back(event);
        return true;
      }));
    }
    CHECK(data_and_names(events) == "message=one\ntwo;caught-up= x;message=;message=last;");
    CHECK(reader.last_id() == "10");
    reader.reset();
    CHECK(reader.feed("\n\n", [](const ServerSentEvent&) { return false; }));
    CHECK(reader.last_id() == "10");
  }
}

TEST_CASE("EventStreamReader.StopsWhenItIsTold") {
  EventStreamReader reader;
  int taken = 0;
  CHECK_FALSE(reader.feed("data: 1\n\ndata: 2\n\n", [&](const ServerSentEvent&) { return ++taken < 1; }));
  CHECK(taken == 1);
}

TEST_CASE("Tail.APieceOfAStreamIsGivenOnBeforeTheNextOneComes") {
  namespace asio = boost::asio;
  asio::io_context io;
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
  std::promise<void> taken;
  std::thread server([&] {
    asio::ip::tcp::socket socket(io);
    acceptor.accept(socket);
    std::string request;
    asio::read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n");
    asio::write(socket,
                asio::buffer(std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")));
    // The rest only once that has arrived; if it never does the client gives up.
    taken.get_future().wait_for(std::chrono::seconds(60));
    asio::write(socket, asio::buffer(std::string("4\r\nlast\r\n0\r\n\r\n")));
  });
  tools::HttpTimeouts timeouts;
  timeouts.transfer = std::chrono::seconds(20);
  auto url = tools::parse_http_url("http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
  REQUIRE(url);
  tools::HttpClient client(std::move(*url), {}, timeouts);
  std::string got;
  const auto response = client.stream({.target = "/"}, [&](std::string_view piece) {
    if (got.empty()) taken.set_value();
    got += piece;
    return true;
  });
  CHECK(response);
  CHECK(got == "firstlast");
  if (!response) taken.set_value();
  server.join();
}

TEST_CASE("Tail.PrintsWhatIsThereAsLinesOrAsATable") {
  Api api;
  HttpClient client = api.client();
  std::vector<std::string> positions;
  for (int i = 1; i <= 3; ++i) {
    const Json receipt = append(client, event_json("tail/" + std::to_string(i), i == 2 ? "Rare" : "Common"));
    positions.push_back(std::to_string(receipt.number("/position")));
  }
  const auto lines = tail(api, {"--from", "beginning", "--json", "--limit", "3"});
  CAPTURE(lines.err);
  CHECK(lines.exit_code == 0);
  CHECK(lines.out == client.get("/v1/events", {{"Accept", "application/x-ndjson"}}).body);
  const auto behind = tail(api, {"--from", positions[0], "--json", "--limit", "1", "--type", "Common"});
  CHECK(contains(behind.out, "\"position\":" + positions[2] + ","));
  const auto since = tail(api, {"--from", "2020-01-01T00:00:00Z", "--limit", "1", "--aggregate", "tail/2"});
  CHECK(contains(since.out, "POSITION"));
  CHECK(contains(since.out, "tail/2"));
  CHECK_FALSE(contains(since.out, "tail/1"));
  CHECK(std::count(since.out.begin(), since.out.end(), '\n') == 2);
}

TEST_CASE("Tail.SaysWhyItCannotBegin") {
  Api api;
  const auto refused = tail(api, {"--from", "yesterday"});
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "stele tail: refused: 400 invalid-parameter: Parameter from"));
  CHECK(tail(api, {"--from", "9999"}).exit_code == 1);
  CHECK(tail(api, {"--from", ""}).exit_code == 2);
  CHECK(tail(api, {"--url", "ftp://x"}).exit_code == 2);
  api.server().kill();
  const auto away = tail(api, {});
  CHECK(away.exit_code == 1);
  CHECK(contains(away.err, "cannot connect to"));
}

TEST_CASE("Tail.GoesOnWhereItWasOverRestartsOfTheServer") {
  Api api;
  HttpClient client = api.client();
  const std::uint64_t first = append(client, event_json("before")).number("/position");
  const auto process =
      ChildProcess::start({stele_binary(), "tail", "--url", url_of(api), "--from", "beginning", "--json"});
  wait_for_out(*process, "\"position\":" + std::to_string(first) + ",");
  for (int round = 0; round < 3; ++round) {
    HttpClient now = api.client();
    std::uint64_t last = 0;
    for (int i = 0; i < 5; ++i) last = append(now, event_json("round")).number("/position");
    if (round == 1) wait_for_out(*process, "\"position\":" + std::to_string(last) + ",");
    api.kill_and_restart();
  }
  HttpClient last = api.client();
  const std::uint64_t end = append(last, event_json("last")).number("/position");
  wait_for_out(*process, "\"aggregateId\":\"last\"");
  wait_for_out(*process, "\"position\":" + std::to_string(end) + ",");
  process->signal(SIGTERM);
  process->wait();
  CHECK(process->out() == last.get("/v1/events", {{"Accept", "application/x-ndjson"}}).body);
}

}  // namespace stele::tests

// What commands do when nobody takes what they write: words on stderr may be lost, results on stdout may not.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"
#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// Runs `stele` as "$stele" in a script, with "$broken" as a redirection target that is a pipe without a reader.
ProcessResult run_script(const std::string& script, const std::string& url = {}, std::string_view input = {}) {
  const test::TempFolder folder;
  const std::string fifo = folder.file("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  // Opened for both, a pipe waits for nobody; behind the close nobody is left who could read.
  const std::string broken_pipe = "exec 8<>\"$2\" 9>\"$2\" 8>&-\n";
  return run_process({"/bin/sh", "-c", broken_pipe + "stele=$0 url=$1\n" + script, stele_binary(), url, fifo}, input);
}

constexpr const char* kEvent = R"({"eventType":"Noted","aggregateId":"a","data":1})";

}  // namespace

TEST_CASE("Output.AResultThatCannotBeWrittenIsAFailure") {
  const test::TempFolder folder;
  auto server = ServerProcess::start({folder.file("data"), {"--segment-size", "1MiB"}, {}, 0});
  REQUIRE(HttpClient(server.port()).post("/v1/events", kEvent).status == 201);
  const std::string keys = folder.file("keys");
  for (const std::string& command : std::vector<std::string>{
           "version",
           "--version",
           "--help",
           "serve --help",
           "token --help",
           "serve --data unused --print-config",
           "query --url \"$url\"",
           "query --url \"$url\" --format table",
           "append --url \"$url\" --type Noted --aggregate a --data 2",
           "subscribe --url \"$url\" --pull",
           "subscriptions --url \"$url\"",
           "subscriptions --help",
           "token create --name ada --role writer --key-store '" + keys + "'",
           "token list --key-store '" + keys + "'",
       }) {
    for (const std::string to : {">/dev/full", ">&9", ">&-"}) {
      CAPTURE(command);
      CAPTURE(to);
      const ProcessResult result = run_script("exec \"$stele\" " + command + " " + to, server.url());
      CHECK(result.exit_code == 1);
      CHECK(contains(result.err, "cannot be written") + contains(result.err, "cannot write") == 1);
      // And if nobody can be told either.
      CHECK(run_script("exec \"$stele\" " + command + " " + to + " 2>" + to.substr(1), server.url()).exit_code == 1);
    }
  }
  CHECK(server.stop() == 0);
}

TEST_CASE("Output.WordsThatNobodyTakesChangeNothing") {
  const test::TempFolder folder;
  auto server = ServerProcess::start({folder.file("data"), {"--segment-size", "1MiB"}, {}, 0});
  std::size_t stored = 0;
  for (const std::string to : {"2>/dev/full", "2>&9", "2>&9 >&2", "2>&-"}) {
    CAPTURE(to);
    const std::string id = "\"eventId\":\"0190a000-0000-7000-8000-00000000000" + std::to_string(stored) + "\",";
    const std::string line = "{" + id + std::string(kEvent).substr(1) + "\n";
    CHECK(run_script("exec \"$stele\" import - --url \"$url\" " + to, server.url(), line).exit_code == 0);
    CHECK(run_script("exec \"$stele\" import - --url \"$url\" " + to, server.url(), line + "{\n").exit_code == 1);
    CHECK(run_script("exec \"$stele\" query --order sideways " + to).exit_code == 2);
    CHECK(run_script("exec \"$stele\" nonsense " + to).exit_code == 2);
    CHECK(run_script("exec \"$stele\" serve --data x --insecure=maybe " + to).exit_code == 2);
    CHECK(run_script("exec \"$stele\" query --url http://127.0.0.1:1 " + to).exit_code == 1);
    ++stored;
    CHECK(contains(HttpClient(server.port()).get("/v1/aggregates/a").body, "\"count\":" + std::to_string(stored)));
  }
  // The receipt of a repeat comes with a word.
  const std::string append =
      "exec \"$stele\" append --url \"$url\" --type T --aggregate b --data 1 --event-id "
      "0190a000-0000-7000-8000-000000000099 2>/dev/full";
  const ProcessResult first = run_script(append, server.url());
  const ProcessResult second = run_script(append, server.url());
  CHECK(first.exit_code == 0);
  CHECK(second.exit_code == 0);
  CHECK(contains(second.out, "\"sequenceNumber\":1"));
  CHECK(server.stop() == 0);
}

TEST_CASE("Output.AServerWhoseLogNobodyTakesServesAndEndsInGoodOrder") {
  for (const std::string to : {"2>/dev/full", "2>&9", "2>&-", "2>/dev/full >/dev/full"}) {
    for (const std::string format : {"text", "json"}) {
      CAPTURE(to);
      const test::TempFolder folder;
      const std::string fifo = folder.file("fifo"), log = folder.file("access.log");
      REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
      const auto server = ChildProcess::start(
          {"/bin/sh", "-c",
           "exec 8<>\"$1\" 9>\"$1\" 8>&-\nexec \"$0\" serve --data \"$2\" --segment-size 1MiB --access-log \"$3\" "
           "--listen 127.0.0.1:0 --log-format " +
               format + " " + to,
           stele_binary(), fifo, folder.file("data"), log});
      // The access log is opened behind everything that could fail for want of a log.
      REQUIRE(eventually([&] { return std::filesystem::exists(log) || !server->running(); }));
      server->signal(SIGHUP);
      server->signal(SIGTERM);
      CHECK(server->wait() == 0);
      // What was open is whole.
      CHECK(run_process({stele_binary(), "verify", folder.file("data")}).exit_code == 0);
    }
  }
}

}  // namespace stele::tests

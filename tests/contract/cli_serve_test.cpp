// `stele serve` as an operator meets it: where options come from, what is refused and how it ends.

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include "tests/support/build_paths.h"
#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

constexpr const char* kSmall = "1MiB";

/// Every `--flag` of a text, in the lines that begin with `prefix`.
std::set<std::string> flags_in(const std::string& text, const std::string& prefix) {
  std::set<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(prefix)) continue;
    const std::string first = line.substr(0, line.find(" | "));  // of a table: its first column
    for (std::size_t at = first.find("--"); at != std::string::npos; at = first.find("--", at + 2)) {
      found.insert(first.substr(at, first.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at) - at));
    }
  }
  return found;
}

}  // namespace

TEST_CASE("Cli.HelpOfEveryCommandGoesToStdout") {
  for (const char* command : {"serve", "append", "query", "import", "token"}) {
    CAPTURE(command);
    const auto result = run_stele({command, "--help"});
    CHECK(result.exit_code == 0);
    CHECK(contains(result.out, "Usage: stele " + std::string(command)));
    CHECK(result.err.empty());
  }
  const auto overview = run_stele({"--help"});
  CHECK(overview.exit_code == 0);
  CHECK(contains(overview.out, "import"));
  CHECK(run_stele({"version"}).out.starts_with("stele "));
}

TEST_CASE("Serve.TheReadmeHasItsFlagsAndNoOthers") {
  std::ifstream in(source_path("README.md"), std::ios::binary);
  const std::string readme{std::istreambuf_iterator<char>(in), {}};
  std::set<std::string> flags;
  // A flag is what a line of the help begins with, and not what it says of it.
  std::istringstream help(run_stele({"serve", "--help"}).out);
  for (std::string line; std::getline(help, line);) {
    if (line.starts_with("  -")) flags.merge(flags_in(line.substr(0, line.find(' ', line.find("--"))), "  -"));
  }
  CHECK(flags.size() > 80);
  for (const char* const general : {"--help", "--config", "--print-config"}) CHECK(flags.erase(general) == 1);
  CHECK(flags_in(readme, "| `--") == flags);
}

TEST_CASE("Cli.WrongUsageIsExitCode2") {
  CHECK(run_stele({}).exit_code == 2);
  CHECK(run_stele({"nonsense"}).exit_code == 2);
  CHECK(run_stele({"serve"}).exit_code == 2);
  CHECK(run_stele({"serve", "--data", "x", "--nonsense"}).exit_code == 2);
  CHECK(run_stele({"query", "--order", "sideways"}).exit_code == 2);
  CHECK(run_stele({"query", "--url", "ftp://127.0.0.1"}).exit_code == 2);
  CHECK(run_stele({"import"}).exit_code == 2);
}

TEST_CASE("Serve.BadValuesAreNamed") {
  const auto refused = [](const char* flag, const char* value, const char* why) {
    const auto result = run_stele({"serve", "--data", "unused", flag, value, "--print-config"});
    CAPTURE(flag);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(contains(result.err, flag));
    CHECK(contains(result.err, why));
  };
  refused("--segment-size", "12", "outside");
  refused("--segment-size", "many", "not a size");
  refused("--segment-size", "-1", "not a size");
  refused("--group-commit-delay", "3", "not a duration");
  refused("--io-threads", "two", "whole number");
  refused("--listen", "8080", "HOST:PORT");
  refused("--listen", "127.0.0.1:70000", "HOST:PORT");
  refused("--log-level", "loud", "loud");
}

TEST_CASE("Serve.TakesExactlyWhatTheStoreTakes") {
  const test::TempFolder folder;
  const auto refused = [&](const char* flag, const std::string& value) {
    const auto result = run_stele({"serve", "--data", folder.file("data"), flag, value, "--print-config"});
    CAPTURE(flag);
    CAPTURE(value);
    CHECK(result.exit_code == 2);
    CHECK(contains(result.err, flag));
  };
  refused("--segment-size", "64GiB");
  refused("--segment-size", "4GiB");
  refused("--segment-size", "65535");
  refused("--origin", std::string(256, 'o'));
  // What no signing key can be called.
  for (const char* const name : {"my log", "a+b", "a\nb", "a\tb", "\x7f", " a"}) refused("--origin", name);
  refused("--queue-requests", "0");
  refused("--index-run-records", "0");
  refused("--index-run-records", "4194305");
  // Both ends of every range that the store has open a store.
  const std::vector<std::pair<std::string, std::string>> ends = {{"--segment-size", "64KiB"},
                                                                 {"--segment-size", "4095MiB"},
                                                                 {"--origin", std::string(255, 'o')},
                                                                 {"--queue-requests", "1"},
                                                                 {"--queue-requests", "1000000"},
                                                                 {"--queue-size", "1MiB"},
                                                                 {"--queue-size", "64GiB"},
                                                                 {"--group-commit-delay", "0"},
                                                                 {"--group-commit-delay", "100ms"},
                                                                 {"--index-run-records", "1"},
                                                                 {"--index-run-records", "4194304"},
                                                                 {"--compaction-rate", "1MiB"},
                                                                 {"--compaction-rate", "64GiB"},
                                                                 {"--scrub-rate", "0"},
                                                                 {"--scrub-rate", "64GiB"},
                                                                 {"--io-threads", "256"},
                                                                 {"--read-threads", "256"},
                                                                 {"--read-queue", "1"},
                                                                 {"--connections-max", "1"},
                                                                 {"--header-size-max", "1KiB"},
                                                                 {"--header-size-max", "1MiB"},
                                                                 {"--body-size-max", "1KiB"},
                                                                 {"--body-size-max", "1GiB"},
                                                                 {"--bodies-size-max", "1MiB"},
                                                                 {"--events-max", "1"},
                                                                 {"--event-data-size-max", "16MiB"},
                                                                 {"--string-size-max", "255"},
                                                                 {"--depth-max", "1000"},
                                                                 {"--page-max", "100000"},
                                                                 {"--drain-timeout", "0"},
                                                                 {"--header-timeout", "1h"},
                                                                 {"--position-wait", "0"}};
  for (const auto& [flag, value] : ends) {
    CAPTURE(flag);
    CAPTURE(value);
    const test::TempFolder own;
    // A sparse first segment of 4 GiB takes long to fill; that it is accepted is seen before.
    if (value == "4095MiB") {
      CHECK(run_stele({"serve", "--data", own.path(), flag, value, "--print-config"}).exit_code == 0);
      continue;
    }
    std::vector<std::string> arguments{flag, value};
    if (flag != "--segment-size") arguments.insert(arguments.end(), {"--segment-size", kSmall});
    auto server = ServerProcess::start({own.path(), arguments, {}, 0});
    HttpClient client(server.port());
    CHECK(client.post("/v1/events", R"({"eventType":"T","aggregateId":"a","data":1})").status == 201);
    client.close();
    CHECK(server.stop() == 0);
  }
}

TEST_CASE("Serve.MakingAStoreIsAWarningAndNoCreateRefuses") {
  const test::TempFolder folder;
  const std::string data = folder.file("typo");
  const auto refused = run_stele({"serve", "--data", data, "--no-create", "--listen", "127.0.0.1:0"});
  CHECK(refused.exit_code == 1);
  CHECK_MESSAGE(contains(refused.err, "there is no store"), refused.err);
  CHECK(contains(refused.err, "mounted"));
  CHECK(!std::ifstream(data).good());  // nothing was made
  for (const bool first : {true, false}) {
    CAPTURE(first);
    auto server = ServerProcess::start(
        {data,
         {"--segment-size", kSmall, "--log-level", "warning", first ? "--log-format=text" : "--no-create"},
         {},
         0});
    CHECK(contains(server.err(), "a new, empty one was made") == first);
    CHECK(server.stop() == 0);
  }
}

TEST_CASE("Serve.RefusesAnAddressBeyondLoopbackWithoutInsecure") {
  const test::TempFolder folder;
  for (const char* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.org:0"}) {
    CAPTURE(address);
    const auto result = run_stele({"serve", "--data", folder.file("data"), "--listen", address});
    CHECK(result.exit_code == 2);
    CHECK(contains(result.err, "--insecure"));
  }
  CHECK(!std::ifstream(folder.file("data")).good());  // refused before anything is made
}

TEST_CASE("Serve.TheLastOfARepeatedFlagCounts") {
  const auto result = run_stele({"serve", "--data", "first", "--data", "second", "--listen", "[::1]:1", "--listen",
                                 "127.0.0.1:2", "--print-config"});
  CHECK(contains("\n" + result.out, "\ndata = second\n"));
  CHECK(contains(result.out, "\nlisten = 127.0.0.1:2\n"));
}

TEST_CASE("Serve.ListensOnAllAddressesOfAName") {
  const test::TempFolder folder;
  for (const char* name : {"localhost", "LocalHost"}) {
    const auto server = ChildProcess::start({stele_binary(), "serve", "--data", folder.path(), "--segment-size", "1MiB",
                                             "--listen", std::string(name) + ":0"});
    const std::string line = server->wait_for_stderr("listening on http://localhost:");
    REQUIRE_FALSE(line.empty());
    const std::string port = line.substr(line.rfind(':') + 1);
    const auto reached = [&](const std::string& host) {
      return run_stele({"query", "--url", "http://" + host + ":" + port}).exit_code == 0;
    };
    CHECK(reached("127.0.0.1"));
    CHECK(reached("localhost"));
    if (std::filesystem::exists("/proc/sys/net/ipv6")) {
      std::ifstream disabled("/proc/sys/net/ipv6/conf/lo/disable_ipv6");
      if (int off = 0; disabled >> off && off == 0) CHECK(reached("[::1]"));
    }
    server->signal(SIGTERM);
    CHECK(server->wait() == 0);
  }
}

TEST_CASE("Serve.SecondProcessOnAFolderIsToldSo") {
  const test::TempFolder folder;
  auto first = ServerProcess::start({folder.path(), {"--segment-size", kSmall}, {}, 0});
  const auto second = run_stele({"serve", "--data", folder.path(), "--listen", "127.0.0.1:0"});
  CAPTURE(second.err);
  CHECK(second.exit_code == 1);
  CHECK(contains(second.err, folder.path()));
  CHECK(contains(second.err, "Another process"));
  CHECK(HttpClient(first.port()).get("/healthz").status == 200);
  CHECK(first.stop() == 0);
}

TEST_CASE("Serve.PortInUseIsAFailureWithAReason") {
  const test::TempFolder folder;
  auto first = ServerProcess::start({folder.file("a"), {"--segment-size", kSmall}, {}, 0});
  const auto second = run_stele({"serve", "--data", folder.file("b"), "--segment-size", kSmall, "--listen",
                                 "127.0.0.1:" + std::to_string(first.port())});
  CAPTURE(second.err);
  CHECK(second.exit_code == 1);
  CHECK(contains(second.err, "cannot listen on 127.0.0.1:" + std::to_string(first.port())));
}

TEST_CASE("Serve.AFileInPlaceOfTheFolderIsAFailureWithAReason") {
  const test::TempFolder folder;
  write_file(folder.file("file"), "not a folder");
  const auto result = run_stele({"serve", "--data", folder.file("file"), "--listen", "127.0.0.1:0"});
  CAPTURE(result.err);
  CHECK(result.exit_code == 1);
  CHECK(contains(result.err, "cannot open the data folder"));
}

TEST_CASE("Serve.TermAndInterruptEndInGoodOrderAndEverythingIsThereAgain") {
  const test::TempFolder folder;
  for (const int number : {SIGTERM, SIGINT}) {
    CAPTURE(number);
    auto server = ServerProcess::start({folder.path(), {"--segment-size", kSmall}, {}, 0});
    HttpClient client(server.port());
    const std::string event =
        R"({"eventType":"Noted","aggregateId":"order","data":{"signal":)" + std::to_string(number) + "}}";
    REQUIRE(client.post("/v1/events", event).status == 201);
    server.process().signal(number);
    CHECK(server.wait() == 0);
    CHECK(contains(server.err(), "closed " + folder.path()));
  }
  auto server = ServerProcess::start({folder.path(), {"--segment-size", kSmall}, {}, 0});
  CHECK(contains(HttpClient(server.port()).get("/v1/aggregates/order").body, "\"sequenceNumber\":2"));
}

TEST_CASE("Serve.AccessLogGetsOneLineARequest") {
  const test::TempFolder folder;
  auto server = ServerProcess::start(
      {folder.file("data"), {"--segment-size", kSmall, "--access-log", folder.file("access.log")}, {}, 0});
  CHECK(HttpClient(server.port()).get("/healthz").status == 200);
  CHECK(server.stop() == 0);
  std::ifstream log(folder.file("access.log"));
  const std::string content{std::istreambuf_iterator<char>(log), {}};
  CAPTURE(content);
  CHECK(contains(content, "/healthz"));
}

}  // namespace stele::tests

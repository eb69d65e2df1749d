// The binary as a careless script or supervisor starts it: with standard descriptors closed.

#include <dirent.h>
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"
#include "tests/support/ledger.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace stele::tests {

namespace {

namespace fs = std::filesystem;

/// `redirections` as a shell has them: "0<&- 2>&-".
std::vector<std::string> under_shell(const std::string& redirections, std::vector<std::string> arguments) {
  std::vector<std::string> all{"/bin/sh", "-c", "exec \"$@\" " + redirections, "sh", stele_binary()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

/// What a descriptor of the process leads to; empty if it is closed.
std::string descriptor_of(pid_t pid, const std::string& fd) {
  std::error_code error;
  return fs::read_symlink("/proc/" + std::to_string(pid) + "/fd/" + fd, error).string();
}

/// The port a process listens on, for one that cannot print it; 0 if it does not listen yet.
int listening_port(pid_t pid) {
  std::set<std::string> sockets;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error)) {
    const std::string target = descriptor_of(pid, entry.path().filename());
    if (target.starts_with("socket:[")) sockets.insert(target.substr(8, target.size() - 9));
  }
  std::ifstream table("/proc/" + std::to_string(pid) + "/net/tcp");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string slot, local, remote, state, skipped, inode;
    words >> slot >> local >> remote >> state >> skipped >> skipped >> skipped >> skipped >> skipped >> inode;
    if (state == "0A" && sockets.contains(inode)) return std::stoi(local.substr(local.find(':') + 1), nullptr, 16);
  }
  return 0;
}

}  // namespace

TEST_CASE("Descriptors.AServerStartedWithoutThemKeepsItsLogWhole") {
  for (const char* closed : {"1>&- 2>&-", "0<&- 1>&- 2>&-", "0<&-", "2>&-"}) {
    CAPTURE(closed);
    const TempFolder folder;
    Ledger ledger;
    std::mt19937_64 random(1);
    {
      // All that it has to say, said often: what goes to stderr must go nowhere else.
      const auto server = ChildProcess::start(under_shell(
          closed, {"serve", "--data", folder.file("data"), "--listen", "127.0.0.1:0", "--segment-size", "64KiB",
                   "--index-run-records", "8", "--log-level", "trace", "--access-log", folder.file("access.log")}));
      int port = 0;
      wait_until([&] { return !server->running() || (port = listening_port(server->pid())) != 0; });
      REQUIRE(port != 0);
      for (const char* fd : {"0", "1", "2"}) {
        const bool is_closed = std::string_view(closed).find(fd) != std::string_view::npos;
        CAPTURE(fd);
        if (is_closed) CHECK(descriptor_of(server->pid(), fd) == "/dev/null");
      }
      HttpClient http(port);
      for (int i = 0; i < 40; ++i) {
        const int status = ledger.send(http, make_commit(random)).status;
        CHECK((status == 201 || status == 409));
      }
      server->signal(SIGHUP);
      server->signal(SIGTERM);
      CHECK(server->wait() == 0);
    }
    ServerProcess server =
        ServerProcess::start({.data = folder.file("data"), .arguments = {"--segment-size", "64KiB"}});
    const Comparison found = ledger.compare(server.port());
    CHECK_MESSAGE(found.errors.empty(), found.text());
    CHECK(ledger.acknowledged() > 0);
  }
}

TEST_CASE("Descriptors.NoCommandOpensAFileInTheirPlace") {
  const TempFolder folder;
  const std::string keys = folder.file("keys");
  const auto make = [&](const std::string& name, const std::string& redirections) {
    return run_process(
        under_shell(redirections, {"token", "create", "--key-store", keys, "--name", name, "--role", "reader"}));
  };
  REQUIRE(make("first", "").exit_code == 0);
  (void)make("second", "0<&- 1>&- 2>&-");
  // The list is whole, whatever became of a secret that nobody could read.
  const auto listed = run_stele({"token", "list", "--key-store", keys});
  CHECK(listed.exit_code == 0);
  CHECK(listed.out.find("first") != std::string::npos);
}

}  // namespace stele::tests

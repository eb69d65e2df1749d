// A server that the system gives no more memory: what needs some is refused, and nothing else happens.

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <deque>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/hostile/target.h"

namespace stele::tests {
namespace {

std::uint64_t address_space(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmSize:")) return std::stoull(line.substr(7)) * 1024;
  }
  return 0;
}

/// As `ulimit -v` for the running server: so much more than it has now.
void leave(pid_t pid, std::uint64_t bytes) {
  const rlimit limit{address_space(pid) + bytes, RLIM_INFINITY};
  REQUIRE(::prlimit(pid, RLIMIT_AS, &limit, nullptr) == 0);
}

std::string list_of(std::size_t events, std::size_t data_bytes) {
  std::string body = "[";
  for (std::size_t i = 0; i < events; ++i) {
    if (i > 0) body += ',';
    body += event_json(fresh("memory"), "T", "\"" + std::string(data_bytes, 'x') + "\"");
  }
  return body + "]";
}

/// Sends all requests at once, each on a connection of its own. How many were stored; the others must be 503.
int stored_of(Target& target, const std::vector<std::string>& requests) {
  std::deque<RawClient> clients;
  for (std::size_t i = 0; i < requests.size(); ++i) clients.push_back(target.connect());
  // A piece of each in turn, so that all bodies grow together.
  std::vector<std::size_t> sent(requests.size());
  for (bool more = true; more;) {
    more = false;
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (sent[i] == requests[i].size() || !clients[i].poll()) continue;
      sent[i] += clients[i].send_some(std::string_view(requests[i]).substr(sent[i], 256 << 10));
      more = more || sent[i] < requests[i].size();
    }
  }
  int stored = 0;
  for (RawClient& client : clients) {
    if (!client.wait_for("\r\n\r\n")) continue;  // no memory even for a connection
    const auto answers = target.answers(client.received());
    REQUIRE(!answers.empty());
    const int status = answers.front().status;
    CAPTURE(status);
    CHECK((status == 201 || status == 503));
    if (status == 503 && !answers.front().body.empty()) CHECK(answers.front().has_header("Retry-After"));
    stored += status == 201 ? 1 : 0;
  }
  return stored;
}

}  // namespace

TEST_CASE("Memory.ThatCannotBeHadForABodyIs503AndNotTheEnd") {
  Target target({"--queue-size", "64MiB"});
  target.check_serves();
  const std::string large = post_body(list_of(16, 1'000'000));
  const std::string many = post_body(list_of(9'000, 1'000));
  int sent = 0, stored = 0;
  for (const std::uint64_t left : {1ULL << 20, 4ULL << 20, 20ULL << 20, 96ULL << 20, 300ULL << 20}) {
    CAPTURE(left);
    leave(target.pid(), left);
    const std::vector<std::string> requests{large, many, large, many, large, many};
    sent += static_cast<int>(requests.size());
    stored += stored_of(target, requests);
    REQUIRE(target.api().server().running());
    const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
    REQUIRE(::prlimit(target.pid(), RLIMIT_AS, &none, nullptr) == 0);
    target.check_serves();
  }
  // Otherwise nothing was seen of what this is about.
  CHECK(stored < sent);
  // With memory again all of it is taken.
  CHECK(stored_of(target, {large, many}) == 2);
  CHECK(target.api().server().stop() == 0);
}

}  // namespace stele::tests

// A checkpoint that was anchored elsewhere, and what it tells of a store that was put back or written anew since.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "engine/audit/checkpoint.h"
#include "engine/audit/signed_note.h"
#include "tests/contract/http_fixture.h"
#include "tests/contract/watched_log.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"

namespace stele::tests {

namespace {

/// A log with an anchored checkpoint, and a copy of its folder from before.
struct AnchoredLog {
  WatchedLog log{"keys"};
  RedisServer redis;
  std::string data = log.folder.file("data");
  std::string older = log.folder.file("older");
  std::string anchor = log.folder.file("anchor");
  std::string from_redis = log.folder.file("from-redis");
  std::unique_ptr<ServerProcess> server;

  AnchoredLog() {
    add_events("data", 3);
    std::filesystem::copy(data, older, std::filesystem::copy_options::recursive);
    add_events("data", 40);
    server = log.serve("data", {"--redis", redis.url(), "--anchor", anchor, "--anchor", "redis-stream:history"});
    REQUIRE(eventually([&] { return anchored_size() > 0; }));
    std::string entry;
    REQUIRE(eventually([&] {
      entry = redis.ask({"--raw", "XREVRANGE", "history", "+", "-", "COUNT", "1"});
      return !entry.empty();
    }));
    // As the manual has it: tail -n +7.
    std::size_t at = 0;
    for (int line = 0; line < 6; ++line) at = entry.find('\n', at) + 1;
    std::ofstream(from_redis, std::ios::binary) << entry.substr(at) << '\n';
  }

  /// By a server that ends in good order, so that all of them are signed.
  void add_events(const std::string& folder, int count) const {
    const auto adding = log.serve(folder, {});
    HttpClient client(adding->port());
    for (int i = 0; i < count; ++i) append(client, event_json("a"));
    adding->stop();
  }
  [[nodiscard]] std::uint64_t anchored_size() const {
    const ProcessResult seen = run_stele({"verify", data, "--key", log.vkey, "--since", anchor, "--json"});
    return seen.exit_code == 0 ? Json(seen.out).number("/provenSize") : 0;
  }
  [[nodiscard]] Json verify(std::vector<std::string> what, const std::string& since) const {
    what.insert(what.begin(), "verify");
    what.insert(what.end(), {"--key", log.vkey, "--since", since, "--json"});
    const ProcessResult seen = run_stele(what);
    CAPTURE(seen.err);
    Json json(seen.out);
    CHECK(seen.exit_code == (json.text("/verdict") == "ok" ? 0 : 3));
    return json;
  }
  [[nodiscard]] std::string verdict(std::vector<std::string> what, const std::string& since) const {
    return verify(std::move(what), since).text("/verdict");
  }
};

}  // namespace

TEST_CASE_FIXTURE(AnchoredLog, "Anchor.ACheckpointInAFileOrARedisTellsWhatWasPutBack") {
  for (const std::string& since : {anchor, from_redis}) {
    CAPTURE(since);
    CHECK(verdict({data}, since) == "ok");
    CHECK(verdict({"--url", server->url()}, since) == "ok");
    const Json back = verify({older}, since);
    CHECK(back.text("/verdict") == "rolled-back");
    CHECK(back.list("/findings").front().text("/detail").find("older copy") != std::string::npos);
  }
  // The same file has checkpoints of another log, and one that was not written to its end.
  {
    const WatchedLog other("others", "other.example/log");
    const auto busy = other.serve("data", {});
    HttpClient client(busy->port());
    for (int i = 0; i < 60; ++i) append(client, event_json("a"));
    busy->stop();
    const auto before = std::filesystem::file_size(anchor);
    const auto beside = other.serve("data", {"--anchor", anchor});
    REQUIRE(eventually([&] { return std::filesystem::file_size(anchor) > before; }));
    CHECK(run_stele({"verify", other.folder.file("data"), "--key", other.vkey, "--since", anchor}).exit_code == 0);
  }
  std::ofstream(anchor, std::ios::binary | std::ios::app) << "stele\n99999\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MP";
  CHECK(verdict({data}, anchor) == "ok");
  CHECK(verdict({older}, anchor) == "rolled-back");
  const std::string none = log.folder.file("none");
  std::ofstream(none, std::ios::binary) << "stele\n99999\n\nno checkpoint\n\n";
  CHECK(run_stele({"verify", data, "--key", log.vkey, "--since", none}).exit_code == 2);
}

TEST_CASE_FIXTURE(AnchoredLog, "Anchor.AServerOfAnOlderCopyOrOfAnotherHistoryIsFoundOutFromOutside") {
  // Somebody puts the older copy back: what it shows is signed by the true key, and less.
  auto put_back = log.serve("older", {});
  const Json less = verify({"--url", put_back->url()}, anchor);
  CHECK(less.text("/verdict") == "rolled-back");
  put_back->stop();
  // It goes on from there, and becomes longer than it was.
  add_events("older", 80);
  put_back = log.serve("older", {});
  CHECK(verdict({"--url", put_back->url()}, anchor) == "rewritten");
  CHECK(verdict({log.folder.file("older")}, anchor) == "rewritten");
  // By itself it is without fault.
  const ProcessResult alone = run_stele({"verify", "--url", put_back->url(), "--key", log.vkey, "--json"});
  CHECK(Json(alone.out).text("/verdict") == "ok");
  // The same of a store that was made anew with the key.
  add_events("fresh", 80);
  const auto fresh_store = log.serve("fresh", {});
  CHECK(verdict({"--url", fresh_store->url()}, anchor) == "rewritten");
  CHECK(verdict({log.folder.file("fresh")}, anchor) == "rewritten");
  CHECK(verdict({"--url", server->url()}, anchor) == "ok");
}

}  // namespace stele::tests

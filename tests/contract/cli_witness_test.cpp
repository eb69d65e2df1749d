// `stele witness` beside `stele serve --witness`: two parties that watch each other.

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "engine/audit/checkpoint.h"
#include "engine/audit/signed_note.h"
#include "tests/contract/http_fixture.h"
#include "tests/contract/metrics_text.h"
#include "tests/contract/relay.h"
#include "tests/contract/watched_log.h"
#include "tests/support/build_paths.h"
#include "tests/support/client_script.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// `stele witness`, which can be killed and come back.
class WitnessProcess {
 public:
  WitnessProcess(std::string state, std::string name, std::string log)
      : state_(std::move(state)), name_(std::move(name)), log_(std::move(log)) {
    start();
  }
  void start() {
    process_ = ChildProcess::start({stele_binary(), "witness", "--state", state_, "--name", name_, "--log", log_,
                                    "--listen", "127.0.0.1:" + std::to_string(port_)});
    const std::string key = process_->wait_for_stderr("verifier key ");
    const std::string line = process_->wait_for_stderr("listening on http://127.0.0.1:");
    REQUIRE_MESSAGE(!line.empty(), process_->err());
    port_ = std::stoi(line.substr(line.rfind(':') + 1));
    vkey_ = key.substr(key.rfind(' ') + 1);
  }
  void kill_and_restart() {
    const std::string before = vkey_;
    process_->signal(SIGKILL);
    process_->wait();
    start();
    CHECK(vkey_ == before);
  }
  [[nodiscard]] const std::string& vkey() const { return vkey_; }
  [[nodiscard]] std::string flag() const { return "http://127.0.0.1:" + std::to_string(port_) + "=" + vkey_; }
  [[nodiscard]] ChildProcess& process() { return *process_; }
  [[nodiscard]] HttpResponse post(const std::string& body) const {
    return HttpClient(port_).post("/add-checkpoint", body, "text/plain");
  }
  [[nodiscard]] HttpClient client() const { return HttpClient(port_); }

 private:
  const std::string state_, name_, log_;
  std::unique_ptr<ChildProcess> process_;
  int port_ = 0;
  std::string vkey_;
};

std::string shown_checkpoint(const ServerProcess& server) {
  HttpClient client(server.port());
  return client.get("/log/checkpoint").body;
}

/// How many of the witnesses have cosigned the checkpoint that is shown.
std::size_t cosignatures_shown(const ServerProcess& server, const std::vector<const WitnessProcess*>& witnesses) {
  const auto note = parse_note(shown_checkpoint(server));
  if (!note) return 0;
  std::vector<NoteVerifier> keys;
  for (const WitnessProcess* witness : witnesses) keys.push_back(*NoteVerifier::parse(witness->vkey()));
  const auto by = verified_by(*note, keys);
  return by ? by->size() : 0;
}

std::vector<std::string> warnings_of(const ServerProcess& server) {
  HttpClient client(server.port());
  std::vector<std::string> all;
  for (const Json& warning : get_json(client, "/readyz").list("/warnings")) all.push_back(warning.minified());
  return all;
}

/// Takes connections (the system does) and never says anything.
class SilentListener {
 public:
  SilentListener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(socket_, 16) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentListener() { ::close(socket_); }
  SilentListener(const SilentListener&) = delete;
  [[nodiscard]] int port() const { return port_; }

 private:
  int socket_;
  int port_ = 0;
};

}  // namespace

TEST_CASE("Witness.TwoCosignWhatAStrangerVerifiesAndItIsAnchored") {
  const WatchedLog log("keys");
  const WitnessProcess one(log.folder.file("w1"), "witness.example/w1", log.vkey);
  const WitnessProcess two(log.folder.file("w2"), "witness.example/w2", log.vkey);
  const std::string anchor = log.folder.file("anchor");
  const auto server = log.serve("data", {"--witness", one.flag(), "--witness", two.flag(), "--anchor", anchor});
  REQUIRE(eventually([&] { return cosignatures_shown(*server, {&one, &two}) == 2; }));
  const std::string note = shown_checkpoint(*server);
  const ProcessResult verified = run_client_script("verify_note", {log.vkey, one.vkey(), two.vkey()}, note);
  CHECK(verified.out == "stele good\nwitness.example/w1 good\nwitness.example/w2 good\n");
  std::string changed = note;
  changed[changed.find('\n') + 1] ^= 1;  // the size
  CHECK(run_client_script("verify_note", {log.vkey, one.vkey()}, changed).out == "stele bad\nwitness.example/w1 bad\n");

  CHECK(eventually([&] { return read_file(anchor) == note + "\n"; }));
  HttpClient client(server->port());
  // It is there a moment before it counts as anchored.
  REQUIRE(eventually([&] { return get_json(client, "/readyz").number("/anchors/0/size") > 0; }));
  const Json ready = get_json(client, "/readyz");
  CHECK(ready.text("/witnesses/0/name") == "witness.example/w1");
  CHECK(ready.text("/witnesses/1/name") == "witness.example/w2");
  CHECK(ready.number("/anchors/0/size") == ready.number("/witnesses/0/size"));
  CHECK(ready.list("/warnings").empty());
  CHECK(ready.is_null("/checkpointCaveat"));
  const ProcessResult remote = run_stele({"verify", "--url", server->url(), "--key", log.vkey, "--json"});
  CHECK(Json(remote.out).number("/cosignatures") == 2);
  CHECK(Json(remote.out).at("/notes").minified().find("witnessed") == std::string::npos);
  const ProcessResult local = run_stele({"verify", log.folder.file("data"), "--key", log.vkey, "--json"});
  CHECK(Json(local.out).number("/witnessedCheckpoints") >= 1);
  CHECK(Json(local.out).at("/notes").minified().find("witnessed") == std::string::npos);
  const MetricsText metrics(client.get("/metrics").body);
  CHECK(metrics.value("stele_witness_size", {{"witness", "witness.example/w1"}}) >= 1);
  CHECK(metrics.value("stele_witness_failures_total", {{"witness", "witness.example/w1"}}) == 0);
  CHECK(metrics.value("stele_anchored_total") == 1);
}

TEST_CASE("Witness.AProgramOfOthersVerifiesARunningLogDownToItsTiles") {
  const WatchedLog log("keys");
  const WitnessProcess witness(log.folder.file("w"), "witness.example/w", log.vkey);
  std::string event_id;
  {
    const auto server = log.serve("data", {});
    HttpClient client(server->port());
    std::string list;
    for (int i = 0; i < 300; ++i) list += (i == 0 ? "[" : ",") + event_json("a");
    append(client, list + "]");
    const HttpResponse receipt = client.post("/v1/events?wait=checkpoint", event_json("b"));
    REQUIRE(receipt.status == 201);
    event_id = Json(receipt.body).text("/eventId");
    server->stop();
  }
  const auto server = log.serve("data", {"--witness", witness.flag()});
  REQUIRE(eventually([&] { return cosignatures_shown(*server, {&witness}) == 1; }));
  const ProcessResult verified = run_client_script("verify_log", {server->url(), event_id, log.vkey, witness.vkey()});
  CHECK_MESSAGE(verified.out == "good\n", verified.err);
  const std::string in_python = source_path("tests/independent/verify_log.py");
  const auto python = [&](const std::string& log_key, const std::string& witness_key) {
    return run_process({"/usr/bin/python3", in_python, server->url(), event_id, log_key, witness_key});
  };
  const ProcessResult again = python(log.vkey, witness.vkey());
  CHECK_MESSAGE(again.out == "good\n", again.err);
  const WatchedLog other("other");
  CHECK(python(other.vkey, witness.vkey()).err.find("has not signed the checkpoint") != std::string::npos);
  CHECK(python(log.vkey, other.vkey).err.find("has not signed the checkpoint") != std::string::npos);

  // Both find it out where any part of what they are shown is another one.
  Relay relay(server->port());
  const auto find_out = [&](const std::string& part, bool in_node_too, const Relay::Change& change) {
    CAPTURE(part);
    relay.change(change);
    const ProcessResult seen =
        run_process({"/usr/bin/python3", in_python, relay.url(), event_id, log.vkey, witness.vkey()});
    CHECK(seen.exit_code != 0);
    CHECK(seen.out.empty());
    if (!in_node_too) return;
    CHECK(run_client_script("verify_log", {relay.url(), event_id, log.vkey, witness.vkey()}).out.empty());
  };
  const auto flip = [](std::string& text, std::size_t at) { text[at] = text[at] == 'A' ? 'B' : 'A'; };
  relay.change({});
  CHECK(run_process({"/usr/bin/python3", in_python, relay.url(), event_id, log.vkey, witness.vkey()}).out == "good\n");
  find_out("cosignature", true, [&](const std::string& target, HttpResponse& answer) {
    if (target == "/log/checkpoint") flip(answer.body, answer.body.rfind(' ') + 30);
  });
  find_out("signature", true, [&](const std::string& target, HttpResponse& answer) {
    if (target == "/log/checkpoint") flip(answer.body, answer.body.find(' ', answer.body.find("\n\n") + 6) + 30);
  });
  const auto of_proof = [&](bool as_json, const std::function<void(std::string&)>& change) {
    return [&, as_json, change](const std::string& target, HttpResponse& answer) {
      if (target.ends_with("/proof") && (answer.body.front() == '{') == as_json) change(answer.body);
    };
  };
  find_out("index of the tlog-proof", false,
           of_proof(false, [](std::string& body) { ++body[body.find("\nindex ") + 7]; }));
  find_out("hash of the tlog-proof", false,
           of_proof(false, [&](std::string& body) { flip(body, body.find('\n', body.find("\nindex ") + 1) + 5); }));
  find_out("hash of the proof", true,
           of_proof(true, [&](std::string& body) { flip(body, body.find(R"("hashes":[")") + 15); }));
  find_out("preimage", true, of_proof(true, [&](std::string& body) { flip(body, body.find(R"("preimage":")") + 60); }));
  find_out("salt", true, of_proof(true, [&](std::string& body) { flip(body, body.find(R"("salt":")") + 10); }));
  find_out("leaves", true, [](const std::string& target, HttpResponse& answer) {
    if (target == "/log/tile/0/000") answer.body[5] ^= 1;
  });
  find_out("level 1", false, [](const std::string& target, HttpResponse& answer) {
    if (target.starts_with("/log/tile/1/")) answer.body[5] ^= 1;
  });
  find_out("entries", false, [](const std::string& target, HttpResponse& answer) {
    if (target == "/log/tile/entries/000") answer.body[9] ^= 1;
  });
  find_out("consistency", true, [&](const std::string& target, HttpResponse& answer) {
    const auto hash = answer.body.find(R"("hashes":[")");
    if (target.find("/consistency?from=3&") != std::string::npos) flip(answer.body, hash + 15);
  });
}

TEST_CASE("Witness.OneThatHangsHoldsUpNeitherTheOtherNorSigning") {
  const WatchedLog log("keys");
  const WitnessProcess well(log.folder.file("w1"), "w1", log.vkey);
  const WitnessProcess named(log.folder.file("w2"), "w2", log.vkey);
  const SilentListener silent;
  const auto server = log.serve("data", {"--witness", well.flag(), "--witness",
                                         "http://127.0.0.1:" + std::to_string(silent.port()) + "=" + named.vkey()});
  HttpClient client(server->port());
  const HttpResponse receipt = client.post("/v1/events?wait=checkpoint", event_json("a"));
  REQUIRE(receipt.status == 201);
  CHECK(Json(receipt.body).has("/proof/checkpoint"));
  CHECK(eventually([&] { return cosignatures_shown(*server, {&well}) == 1; }));
  CHECK(eventually([&] {
    return MetricsText(client.get("/metrics").body).value("stele_witness_failures_total", {{"witness", "w2"}}) >= 1;
  }));
}

// What is shown is what was last offered to the witnesses, and receipts are proven by what was signed since.
TEST_CASE("Witness.AReceiptIsNewerThanWhatIsShownAndTheLogHasNotBeenRolledBack") {
  const WatchedLog log("keys");
  const WitnessProcess witness(log.folder.file("w"), "w", log.vkey);
  const auto server = log.serve("data", {"--witness", witness.flag()});
  REQUIRE(eventually([&] { return cosignatures_shown(*server, {&witness}) == 1; }));
  HttpClient client(server->port());
  const HttpResponse receipt = client.post("/v1/events?wait=checkpoint", event_json("a"));
  REQUIRE(receipt.status == 201);
  const std::string since = log.folder.file("since");
  std::ofstream(since, std::ios::binary) << Json(receipt.body).text("/proof/checkpoint");
  const ProcessResult verified =
      run_stele({"verify", "--url", server->url(), "--key", log.vkey, "--since", since, "--json"});
  CHECK_MESSAGE(verified.exit_code == 0, verified.err);
  CHECK(Json(verified.out).text("/verdict") == "ok");
}

TEST_CASE("Witness.AForkIsRefusedBeforeAndAfterAKill") {
  const WatchedLog log("keys");
  WitnessProcess witness(log.folder.file("w"), "w", log.vkey);
  std::string cosigned;
  {
    const auto server = log.serve("data", {"--witness", witness.flag()});
    HttpClient client(server->port());
    for (int i = 0; i < 3; ++i) append(client, event_json("a"));
    server->stop();  // signs what is new
  }
  {
    const auto server = log.serve("data", {"--witness", witness.flag()});
    REQUIRE(eventually([&] { return cosignatures_shown(*server, {&witness}) == 1; }));
    cosigned = shown_checkpoint(*server);
  }
  const std::string known = witness.post("old 0\n\n" + cosigned).body;
  const std::uint64_t size = std::stoull(known);
  REQUIRE(size >= 5);
  // The same key, the same name, and another history.
  const auto fork = log.serve("fork", {"--witness", witness.flag()});
  HttpClient client(fork->port());
  const auto is_disputed = [&] {
    for (const std::string& warning : warnings_of(*fork)) {
      if (warning.find("the witness w disputes this log") != std::string::npos) return true;
    }
    return false;
  };
  CHECK(eventually(is_disputed));
  for (int i = 0; i < 9; ++i) append(client, event_json("b"));
  const HttpResponse receipt = client.post("/v1/events?wait=checkpoint", event_json("b"));
  REQUIRE(receipt.status == 201);
  const std::string forged = Json(receipt.body).text("/proof/checkpoint");
  REQUIRE(parse_checkpoint(parse_note(forged)->text)->size > size);
  const Json path = get_json(client, "/v1/audit/consistency?from=" + std::to_string(size) +
                                         "&to=" + Json(receipt.body).at("/proof/treeSize").minified());
  std::string proof;
  for (const Json& hash : path.list("/hashes")) proof += hash.text("") + "\n";
  const auto is_refused = [&] {
    CHECK(witness.post("old " + known + "\n" + forged).status == 422);
    CHECK(witness.post("old " + known + proof + "\n" + forged).status == 422);
    const HttpResponse from_nothing = witness.post("old 0\n\n" + forged);
    CHECK(from_nothing.status == 409);
    CHECK(from_nothing.body == known);
    CHECK(from_nothing.header("Content-Type") == "text/x.tlog.size");
  };
  is_refused();
  witness.kill_and_restart();
  is_refused();
  // The true log goes on.
  const auto server = log.serve("data", {"--witness", witness.flag()});
  CHECK(eventually([&] { return cosignatures_shown(*server, {&witness}) == 1; }));
}

TEST_CASE("Witness.TwoPartiesWatchEachOther") {
  const WatchedLog one("keys", "one.example/log"), other("keys", "other.example/log");
  // Each runs a witness of the other's log.
  WitnessProcess of_other(one.folder.file("w"), "one.example/w", other.vkey);
  WitnessProcess of_one(other.folder.file("w"), "other.example/w", one.vkey);
  {
    const auto server = one.serve("data", {});
    HttpClient client(server->port());
    for (int i = 0; i < 40; ++i) append(client, event_json("a"));
    server->stop();  // signs what is new
  }
  const auto first = one.serve("data", {"--witness", of_one.flag()});
  const auto second = other.serve("data", {"--witness", of_other.flag()});
  REQUIRE(eventually([&] { return cosignatures_shown(*first, {&of_one}) == 1; }));
  REQUIRE(eventually([&] { return cosignatures_shown(*second, {&of_other}) == 1; }));
  CHECK(run_client_script("verify_note", {one.vkey, of_one.vkey(), of_other.vkey()}, shown_checkpoint(*first)).out ==
        "one.example/log good\nother.example/w good\none.example/w none\n");
  CHECK(run_client_script("verify_note", {other.vkey, of_other.vkey(), of_one.vkey()}, shown_checkpoint(*second)).out ==
        "other.example/log good\none.example/w good\nother.example/w none\n");
  // Nobody is a witness of his own log.
  check_problem(of_other.post("old 0\n\n" + shown_checkpoint(*first)), 404, "not-found");

  // One of them shows another history, with its own key.
  const auto fork = one.serve("fork", {"--witness", of_one.flag()});
  CHECK(eventually([&] {
    for (const std::string& warning : warnings_of(*fork)) {
      if (warning.find("the witness other.example/w disputes this log") != std::string::npos) return true;
    }
    return false;
  }));
  CHECK(cosignatures_shown(*fork, {&of_one}) == 0);
  CHECK(cosignatures_shown(*first, {&of_one}) == 1);
  CHECK(warnings_of(*first).empty());
  CHECK(warnings_of(*second).empty());
  // Whoever has a cosigned checkpoint of the true one finds the other one out.
  const std::string since = one.folder.file("since");
  std::ofstream(since, std::ios::binary) << shown_checkpoint(*first);
  const auto verdict = [&](const ServerProcess& server) {
    const ProcessResult seen =
        run_stele({"verify", "--url", server.url(), "--key", one.vkey, "--since", since, "--json"});
    return Json(seen.out).text("/verdict");
  };
  CHECK(verdict(*first) == "ok");
  CHECK(verdict(*fork) == "rolled-back");
  HttpClient client(fork->port());
  for (int i = 0; i < 9; ++i) append(client, event_json("b"));
  REQUIRE(client.post("/v1/events?wait=checkpoint", event_json("b")).status == 201);
  CHECK(cosignatures_shown(*fork, {&of_one}) == 0);
}

TEST_CASE("Witness.AnswersNothingButCheckpoints") {
  const WatchedLog log("keys");
  const WitnessProcess witness(log.folder.file("w"), "w", log.vkey);
  HttpClient client = witness.client();
  check_problem(client.get("/"), 404, "not-found");
  const HttpResponse get = client.get("/add-checkpoint");
  check_problem(get, 405, "method-not-allowed");
  CHECK(get.header("Allow") == "POST");
  check_problem(client.post("/add-checkpoint", "old 1\n", "text/plain"), 400, "malformed-request");
  check_problem(witness.post(std::string(1U << 20, 'x')), 413, "payload-too-large");
  const HttpResponse chunked =
      witness.client().request("POST", "/add-checkpoint", "3\r\nold\r\n0\r\n\r\n", {{"Transfer-Encoding", "chunked"}});
  check_problem(chunked, 400, "malformed-request");
  const WatchedLog other("keys");
  const auto server = other.serve("data", {});
  REQUIRE(eventually([&] { return parse_note(shown_checkpoint(*server)).has_value(); }));
  const std::string foreign = shown_checkpoint(*server);
  check_problem(witness.post("old 0\n\n" + foreign), 403, "unknown-log-key");
  check_problem(witness.post("old 0\n\nother" + foreign), 404, "not-found");
}

TEST_CASE("Witness.StateAndKeyAreGuarded") {
  const WatchedLog log("keys");
  const std::string state = log.folder.file("w");
  WitnessProcess witness(state, "w", log.vkey);
  const ProcessResult second =
      run_stele({"witness", "--state", state, "--name", "w", "--log", log.vkey, "--listen", "127.0.0.1:0"});
  CHECK(second.exit_code == 1);
  {
    const auto server = log.serve("data", {"--witness", witness.flag()});
    REQUIRE(eventually([&] { return cosignatures_shown(*server, {&witness}) == 1; }));
  }
  witness.process().signal(SIGTERM);
  CHECK(witness.process().wait() == 0);
  for (const auto& entry : std::filesystem::directory_iterator(state)) {
    if (entry.path().extension() == ".cosigned") std::filesystem::resize_file(entry.path(), 60);
  }
  const ProcessResult damaged =
      run_stele({"witness", "--state", state, "--name", "w", "--log", log.vkey, "--listen", "127.0.0.1:0"});
  CHECK(damaged.exit_code == 1);
  CHECK(damaged.err.find("could be led into cosigning a fork") != std::string::npos);
}

TEST_CASE("Witness.WrongUsageIsSaid") {
  const WatchedLog log("keys");
  const std::string state = log.folder.file("w");
  const auto refuses = [&](std::vector<std::string> arguments, const std::string& why) {
    CAPTURE(why);
    const ProcessResult ended = run_stele(arguments);
    CHECK(ended.exit_code == 2);
    CHECK(ended.err.find(why) != std::string::npos);
  };
  refuses({"witness", "--state", state, "--name", "a b", "--log", log.vkey}, "--name");
  refuses({"witness", "--state", state, "--name", "w", "--log", "nonsense"}, "--log");
  refuses({"witness", "--state", state, "--name", "w", "--log", log.vkey, "--listen", "x"}, "--listen");
  const auto serve_refuses = [&](const std::string& flag, const std::string& value, const std::string& why) {
    refuses({"serve", "--data", log.folder.file("data"), flag, value}, why);
  };
  serve_refuses("--witness", "http://127.0.0.1:1", "is not URL=VKEY");
  serve_refuses("--witness", "http://127.0.0.1:1=" + log.vkey, "no key of a witness");
  serve_refuses("--witness-interval", "1s", "--witness-interval");
  serve_refuses("--anchor", "redis-stream:history", "needs --redis");
  CHECK_FALSE(std::filesystem::exists(log.folder.file("data")));
}

TEST_CASE("Witness.ARedisStreamHoldsTheAnchoredCheckpoint") {
  RedisServer redis;
  const WatchedLog log("keys");
  const auto server = log.serve("data", {"--redis", redis.url(), "--anchor", "redis-stream:history"});
  std::string shown;
  CHECK(eventually([&] {
    shown = redis.ask({"XRANGE", "history", "-", "+"});
    return shown.find("note") != std::string::npos;
  }));
  CHECK(shown.find("\xE2\x80\x94 stele ") != std::string::npos);
  HttpClient client(server->port());
  CHECK(eventually([&] { return get_json(client, "/readyz").number("/anchors/0/size") >= 1; }));
}

}  // namespace stele::tests

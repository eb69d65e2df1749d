// `stele verify` and its kin against a real server: its folder, what it shows, its proofs and bundles.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/contract/relay.h"
#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"
#include "tests/support/rewritten_segment.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

namespace fs = std::filesystem;

const std::string kBundleInPython = source_path("tests/independent/verify_bundle.py");

/// A server whose log is to be verified.
struct AuditedServer {
  test::TempFolder folder;
  Api api;
  HttpClient client = api.client();

  explicit AuditedServer(std::vector<std::string> arguments = {}) : api(std::move(arguments)) { add_events(3); }

  /// Events of the aggregate mission/1, the last of them covered by a checkpoint.
  void add_events(int count) {
    std::string list = "[";
    for (int i = 0; i < count; ++i)
      list += (i == 0 ? "" : ",") + event_json("mission/1", "Changed", R"({"name":"Apollo"})");
    const Json receipt = append(client, list + "]");
    last_event = receipt.list("/events").back().text("/eventId");
    (void)get_json(client, "/v1/events/" + last_event + "/proof?wait=checkpoint");
  }
  std::string file(const std::string& name, const std::string& content) {
    std::ofstream(folder.file(name), std::ios::binary) << content;
    return folder.file(name);
  }
  /// The server's newest checkpoint, in a file.
  std::string keep_checkpoint(const std::string& name) { return file(name, client.get("/log/checkpoint").body); }
  std::string vkey(int number = 0) {
    return get_json(client, "/log/keys").text("/keys/" + std::to_string(number) + "/vkey");
  }
  ProcessResult run(std::vector<std::string> arguments) {
    return run_stele(arguments, {}, {{"STELE_URL", api.server().url()}});
  }
  /// Runs `verify` with --json; its exit status must fit its verdict.
  Json verify(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "verify");
    arguments.emplace_back("--json");
    const ProcessResult result = run(std::move(arguments));
    CAPTURE(result.err);
    CAPTURE(result.out);
    Json json(result.out);
    CHECK(result.exit_code == (json.text("/verdict") == "ok" ? 0 : 3));
    return json;
  }
  /// The folder as it is now. What is being written gets another name in the end, and then the copy begins anew.
  std::string copy_folder(const std::string& name) {
    REQUIRE(eventually([&] {
      fs::remove_all(folder.file(name));
      std::error_code gone;
      fs::copy(api.data(), folder.file(name), fs::copy_options::recursive, gone);
      return !gone;
    }));
    return folder.file(name);
  }

  /// Waits until a redaction is.
  bool is_completed(const std::string& location) {
    return eventually([&] { return get_json(client, location).text("/state") == "completed"; });
  }

  std::string last_event;
};

std::string first_segment(const std::string& data) { return data + "/log/0000000000000001.seg"; }

/// With another character `offset` behind `mark`, of the same kind.
std::string with_change(std::string text, std::string_view mark, std::size_t offset) {
  const auto found = text.find(mark);
  REQUIRE(found != std::string::npos);
  char& c = text.at(found + mark.size() + offset);
  const bool is_digit = c >= '0' && c <= '9';
  if (is_digit) {
    c = c == '1' ? '2' : '1';
  } else {
    c = c == 'A' ? 'B' : 'A';
  }
  return text;
}

void overwrite(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace

TEST_CASE_FIXTURE(AuditedServer, "Verify.ABodyThatWasTakenOutByHandIsNotCalledRedacted") {
  const Json first = append(client, event_json("secret", "Kept", R"({"name":"Ada"})"));
  const std::string filler = event_json("filler", "Kept", '"' + std::string(700'000, 'x') + '"');
  while (!fs::exists(api.data() + "/log/0000000000000002.seg")) append(client, filler);
  const std::string copy = copy_folder("copy");
  const std::string path = first_segment(copy);
  // With the salt and all, as a redaction does it, and nobody has ordered it.
  const auto which = static_cast<std::size_t>(first.number("/position"));
  overwrite(path, test::rewritten(read_file(path), which, test::Link::Kept));
  const Json seen = verify({copy, "--key", vkey()});
  CHECK(seen.text("/verdict") == "redacted-without-record");
  REQUIRE(seen.list("/findings").size() == 1);
  CHECK(seen.list("/findings").front().number("/position") == first.number("/position"));
}

TEST_CASE_FIXTURE(AuditedServer, "Verify.TheFolderAndWhatTheServerShowsHold") {
  const std::string since = keep_checkpoint("old");
  add_events(600);
  const std::string key = vkey();
  const Json seen = verify({api.data(), "--key", key, "--since", since});
  CHECK(seen.text("/verdict") == "ok");
  CHECK(seen.list("/findings").empty());
  CHECK(seen.number("/size") >= 604);
  CHECK(seen.number("/checkpoints") == seen.number("/agreeingCheckpoints"));
  CHECK(seen.number("/provenSize") >= 604);
  CHECK(seen.at("/besideServer").minified() == "true");
  CHECK(seen.at("/signaturesJudged").minified() == "true");

  const Json shown = verify({"--key", key, "--since", since});
  CHECK(shown.text("/verdict") == "ok");
  CHECK(shown.number("/size") >= 604);
  CHECK(shown.number("/leaves") == shown.number("/size"));
  CHECK(shown.number("/entries") == shown.number("/size"));

  const ProcessResult text = run({"verify", api.data(), "--key", key, "--since", since});
  CHECK(text.exit_code == 0);
  CHECK(contains(text.out, "verdict      ok: everything that was looked at holds\n"));
  // What it does not prove is said.
  CHECK(contains(run({"verify", api.data()}).err, "proves nothing against whoever holds the folder"));
  CHECK(contains(run({"verify", api.data(), "--key", key}).err, "can have rewritten all of it"));
  CHECK(contains(text.err, "no checkpoint was witnessed"));
  CHECK(contains(seen.at("/notes").minified(), "no checkpoint was witnessed"));
  CHECK(shown.number("/cosignatures") == 0);
  CHECK(contains(shown.at("/notes").minified(), "the server's checkpoint was not witnessed"));
  CHECK(contains(run({"verify", "--key", key}).out, "by no witness\n"));
  CHECK(contains(get_json(client, "/readyz").text("/checkpointCaveat"), "no checkpoint leaves this server"));
}

TEST_CASE_FIXTURE(AuditedServer, "Verify.AServerThatIsBusyIsAskedAgain") {
  Relay relay(api.server().port());
  std::set<std::string> asked;
  const auto busy_at_first = [&](const std::string& target, HttpResponse& answer) {
    const bool lists = target.starts_with("/v1/events?aggregateId=mission");
    if (!lists && asked.insert(target).second) answer = {.status = 503, .headers = {}, .body = {}};
  };
  relay.change(busy_at_first);
  const std::string key = vkey();
  const std::string since = keep_checkpoint("since");
  const std::vector<std::string> verifying{"verify", "--url", relay.url(), "--key", key, "--since", since};
  CHECK(run(verifying).exit_code == 0);
  CHECK(asked.size() > 3);
  asked.clear();
  std::vector<std::string> at_once = verifying;
  at_once.insert(at_once.end(), {"--retry-for", "0"});
  const ProcessResult given_up = run(at_once);
  CHECK(given_up.exit_code == 1);
  CHECK(given_up.err.find("503") != std::string::npos);

  asked.clear();
  const std::string bundle = folder.file("bundle");
  const std::vector<std::string> bundling{"audit",       "bundle",    "--url", relay.url(),
                                          "--aggregate", "mission/1", "-o",    bundle};
  CHECK(run(bundling).exit_code == 0);
  CHECK(run({"verify-bundle", bundle, "--key", key}).exit_code == 0);
}

TEST_CASE_FIXTURE(AuditedServer, "Verify.AnotherKeyAndAForgedCheckpointAreFound") {
  const std::string key = vkey();
  AuditedServer other;
  const std::string their_key = other.vkey();
  CHECK(verify({api.data(), "--key", their_key}).text("/verdict") == "forged");
  CHECK(verify({"--key", their_key}).text("/verdict") == "forged");
  std::string note = client.get("/log/checkpoint").body;
  const std::string whole = file("whole", note);
  const auto root = note.find('\n', note.find('\n') + 1) + 1;
  note[root] = note[root] == 'A' ? 'B' : 'A';
  const std::string forged = file("forged", note);
  CHECK(verify({api.data(), "--key", key, "--since", whole}).text("/verdict") == "ok");
  CHECK(verify({api.data(), "--key", key, "--since", forged}).text("/verdict") == "forged");
  CHECK(verify({"--key", key, "--since", forged}).text("/verdict") == "forged");
}

TEST_CASE_FIXTURE(AuditedServer, "Verify.DamageAndOlderCopiesAreFound") {
  const std::string key = vkey();
  const std::string old_since = keep_checkpoint("old");
  const std::string older = copy_folder("older");
  add_events(20);
  const std::string since = keep_checkpoint("new");
  CHECK(verify({older, "--key", key, "--since", old_since}).text("/verdict") == "ok");
  const Json back = verify({older, "--key", key, "--since", since});
  CHECK(back.text("/verdict") == "rolled-back");
  CHECK(contains(back.list("/findings").front().text("/detail"), "older copy"));

  const std::string damaged = copy_folder("damaged");
  std::string segment = read_file(first_segment(damaged));
  const auto body = segment.find("Apollo");
  REQUIRE(body != std::string::npos);
  segment[body] = 'a';
  overwrite(first_segment(damaged), segment);
  const Json seen = verify({damaged, "--key", key, "--since", since});
  CHECK(seen.text("/verdict") == "damaged");
  CHECK(seen.number("/unreadable") == 1);
  const ProcessResult text = run({"verify", damaged, "--key", key});
  CHECK(text.exit_code == 3);
  CHECK(contains(text.out, "verdict      damaged: "));
  CHECK(contains(text.out, first_segment(damaged)));
}

TEST_CASE_FIXTURE(AuditedServer, "Verify.WhatWasRedactedWithARecordIsNoFault") {
  const std::string since = keep_checkpoint("old");
  const std::string before = copy_folder("before");
  for (const std::string& target :
       {"/v1/events/" + last_event + "/redact", percent("mission/1").insert(0, "/v1/aggregates/") + "/redact"}) {
    add_events(2);
    const HttpResponse taken = client.post(target, R"({"reason":"asked for"})");
    REQUIRE_MESSAGE(taken.status == 202, taken.body);
    REQUIRE(is_completed(taken.header("Location")));
    const Json seen = verify({api.data(), "--key", vkey(), "--since", since});
    CHECK(seen.text("/verdict") == "ok");
    CHECK(seen.number("/redacted") >= 1);
    CHECK(seen.number("/unreadable") == 0);
  }
  // The record of it counts also while no checkpoint covers it, as after a crash.
  const std::string crashed = copy_folder("crashed");
  fs::remove_all(crashed + "/checkpoints");
  fs::copy(before + "/checkpoints", crashed + "/checkpoints", fs::copy_options::recursive);
  const Json uncovered = verify({crashed, "--key", vkey(), "--since", since});
  CHECK(uncovered.text("/verdict") == "ok");
  CHECK(uncovered.number("/redacted") >= 1);
  CHECK(uncovered.number("/provenSize") < uncovered.number("/size"));
  // An event that is shown without its data still proves itself.
  const ProcessResult shown =
      run({"verify-proof", file("p", client.get("/v1/events/" + last_event + "/proof").body), "--key", vkey()});
  CHECK(shown.exit_code == 0);
}

TEST_CASE("Verify.FollowsKeysThatVouchForEachOther") {
  AuditedServer server({"--key-overlap", "1s"});
  const std::string first = server.vkey();
  const std::string since = server.keep_checkpoint("old");
  REQUIRE(server.run({"key", "rotate", "--data", server.api.data()}).exit_code == 0);
  // Until the server has announced the new key and taken back the old one.
  const auto retired = [&] {
    return get_json(server.client, "/log/keys").has("/keys/1") &&
           !get_json(server.client, "/log/keys").is_null("/keys/0/until");
  };
  REQUIRE(eventually([&] {
    server.add_events(1);
    return retired();
  }));
  server.add_events(2);
  const Json seen = server.verify({server.api.data(), "--key", first, "--since", since});
  CHECK(seen.text("/verdict") == "ok");
  CHECK(seen.number("/provenSize") == seen.number("/size"));
  // From outside, where the older key signs no more.
  const Json shown = server.verify({"--key", first, "--since", since});
  CHECK(shown.text("/verdict") == "ok");
  CHECK(contains(shown.at("/notes").minified(), "it has vouched for " + server.vkey(1)));
  CHECK(server.verify({"--key", server.vkey(1)}).text("/verdict") == "ok");
  CHECK(server.verify({"--key", AuditedServer().vkey()}).text("/verdict") == "forged");
  // A server that does not show what it says of its keys, leaves something out of it, or shows something else.
  Relay relay(server.api.port());
  const auto verify_relayed = [&](const Relay::Change& change) {
    relay.change(change);
    return server.verify({"--url", relay.url(), "--key", first});
  };
  const auto is_about_keys = [](const std::string& target) { return contains(target, "aggregateId=%24key"); };
  CHECK(verify_relayed({}).text("/verdict") == "ok");
  const Json hidden = verify_relayed([&](const std::string& target, HttpResponse& answer) {
    if (is_about_keys(target)) answer.status = 403;
  });
  CHECK(hidden.text("/verdict") == "forged");
  const Json fewer = verify_relayed([&](const std::string& target, HttpResponse& answer) {
    if (!is_about_keys(target)) return;
    const auto last = answer.body.rfind(R"(,{"eventId":)");
    answer.body.erase(last, answer.body.rfind(']') - last);
  });
  CHECK(fewer.text("/verdict") == "forged");
  CHECK(contains(fewer.list("/findings").front().text("/detail"), "among the events of its keys"));
  const Json another = verify_relayed([&](const std::string& target, HttpResponse& answer) {
    if (contains(target, "/log/tile/entries/")) answer.status = 403;
    if (contains(target, "/log/tile/0/000")) answer.body.replace(32, 32, std::string(32, 'x'));
  });
  CHECK(another.text("/verdict") == "rewritten");
  const Json changed = verify_relayed([&](const std::string& target, HttpResponse& answer) {
    if (!target.ends_with("/proof?wait=checkpoint")) return;
    const auto bytes = answer.body.find(R"("bytes":")") + 9;
    answer.body[bytes] = answer.body[bytes] == 'e' ? 'f' : 'e';
  });
  CHECK(changed.text("/verdict") == "forged");
  // By the newer key alone: what the older one has signed is in the tree that the newer one signs.
  CHECK(server.verify({server.api.data(), "--key", server.vkey(1)}).text("/verdict") == "ok");
}

TEST_CASE_FIXTURE(AuditedServer, "VerifyProof.HoldsWithNothingButAKey") {
  const std::string key = vkey();
  const std::string target = "/v1/events/" + last_event + "/proof";
  const std::string json = client.get(target).body;
  const std::string proof = file("proof.json", json);
  const std::string tlog = file("proof.tlog-proof", client.get(target, {{"Accept", "text/plain"}}).body);
  const ProcessResult shown = run({"verify-proof", proof, "--key", key});
  CHECK(shown.exit_code == 0);
  CHECK(contains(shown.out, "result     it holds\n"));
  CHECK(contains(shown.out, "mission/1 number 3\n"));
  const ProcessResult told = run({"verify-proof", proof, "--key", key, "--json"});
  CHECK(Json(told.out).at("/holds").minified() == "true");
  CHECK(Json(told.out).text("/eventId") == last_event);

  CHECK(run({"verify-proof", tlog, "--key", key}).exit_code == 2);
  CHECK(run({"verify-proof", tlog, "--key", key, "--entry", proof}).exit_code == 0);
  const auto preimage = Json(json).text("/leaf/preimage");
  const std::string leaf = file("leaf.json", R"({"preimage":")" + preimage + R"("})");
  CHECK(run({"verify-proof", tlog, "--key", key, "--entry", leaf}).exit_code == 0);

  std::string changed = json;
  const auto index = changed.find(R"("index":)") + 8;
  changed[index] = changed[index] == '1' ? '2' : '1';
  const ProcessResult refused = run({"verify-proof", file("changed.json", changed), "--key", key});
  CHECK(refused.exit_code == 3);
  CHECK(contains(refused.out, "it does not hold: "));
  AuditedServer other;
  const ProcessResult by_other = run({"verify-proof", proof, "--key", other.vkey(), "--json"});
  CHECK(by_other.exit_code == 3);
  CHECK(Json(by_other.out).at("/holds").minified() == "false");
  CHECK(run({"verify-proof", file("junk", "junk"), "--key", key}).exit_code == 2);
  CHECK(run({"verify-proof", proof, "--key", "junk"}).exit_code == 2);
  CHECK(run({"verify-proof", proof}).exit_code == 2);
}

TEST_CASE_FIXTURE(AuditedServer, "VerifyProof.AReceiptHoldsWithoutTheServer") {
  const std::string key = vkey();
  const HttpResponse answer =
      client.post("/v1/events?wait=checkpoint", "[" + event_json("mission/3") + "," + event_json("mission/4") + "]");
  REQUIRE(answer.status == 201);
  REQUIRE(api.server().stop() == 0);
  const Json receipts(answer.body);
  for (const Json& receipt : receipts.list("/events")) {
    const std::string proof = receipt.at("/proof").minified();
    const ProcessResult seen = run({"verify-proof", file("receipt", proof), "--key", key, "--json"});
    CHECK_MESSAGE(seen.exit_code == 0, seen.out);
    CHECK(Json(seen.out).text("/eventId") == receipt.text("/eventId"));
    for (const std::string part : {R"("eventId":")", R"("leafHash":")", R"("bodyDigest":")", R"("preimage":")"}) {
      CAPTURE(part);
      CHECK(run({"verify-proof", file("changed", with_change(proof, part, 3)), "--key", key}).exit_code == 3);
    }
  }
}

TEST_CASE_FIXTURE(AuditedServer, "VerifyConsistency.HoldsWithNothingButAKey") {
  const std::string key = vkey();
  const std::string from = keep_checkpoint("from");
  const auto size_in = [](const std::string& note) {
    const auto line = note.find('\n') + 1;
    return note.substr(line, note.find('\n', line) - line);
  };
  const std::string from_size = size_in(read_file(from));
  add_events(9);
  const std::string to = keep_checkpoint("to");
  const std::string proof =
      client.get("/v1/audit/consistency?from=" + from_size + "&to=" + size_in(read_file(to))).body;
  const std::string path = file("consistency.json", proof);
  const auto verify_them = [&](const std::string& one, const std::string& other) {
    return run({"verify-consistency", "--from", one, "--to", other, "--proof", path, "--key", key}).exit_code;
  };
  CHECK(verify_them(from, to) == 0);
  CHECK(verify_them(to, from) == 3);
  CHECK(verify_them(from, file("junk", "junk")) == 2);
  std::string changed = read_file(to);
  changed.replace(changed.find('\n') + 1, 1, "9");
  CHECK(verify_them(from, file("changed", changed)) == 3);
}

TEST_CASE_FIXTURE(AuditedServer, "VerifyBundle.OursAndAnIndependentProgramAgree") {
  const std::string key = vkey();
  append(client, event_json("mission/2", "Other", "[1]", R"(,"metadata":{"source":"x"},"userId":"ada")"));
  add_events(4);
  const std::string bundle = folder.file("mission.bundle");
  const ProcessResult made = run({"audit", "bundle", "--aggregate", "mission/1", "-o", bundle});
  REQUIRE_MESSAGE(made.exit_code == 0, made.err);
  const auto both = [&](const std::string& path) {
    const ProcessResult ours = run({"verify-bundle", path, "--key", key});
    const ProcessResult theirs = run_process({"/usr/bin/python3", kBundleInPython, path, key});
    CAPTURE(ours.out);
    CAPTURE(theirs.out);
    CAPTURE(theirs.err);
    CHECK((ours.exit_code == 0) == (theirs.exit_code == 0));
    CHECK((ours.exit_code == 0 || ours.exit_code == 3));
    return ours.exit_code;
  };
  CHECK(both(bundle) == 0);
  const Json told(run({"verify-bundle", bundle, "--key", key, "--json"}).out);
  CHECK(told.number("/events") == 7);
  CHECK(told.number("/completeTo") == 7);
  CHECK(contains(run({"verify-bundle", bundle, "--key", key}).out, "all numbers from 1 to 7"));

  const std::string whole = read_file(bundle);
  const auto line_at = [&](int number) {
    std::size_t begin = 0;
    for (int i = 0; i < number; ++i) begin = whole.find('\n', begin) + 1;
    return std::pair{begin, whole.find('\n', begin) + 1 - begin};
  };
  const auto [second, length] = line_at(2);
  CHECK(both(file("dropped", std::string(whole).erase(second, length))) == 3);
  const auto last = whole.rfind('\n', whole.size() - 2) + 1;
  CHECK(both(file("cut", whole.substr(0, last))) == 3);
  std::string changed = whole;
  const auto bytes = changed.find(R"("bytes":")", second) + 9;
  changed[bytes] = changed[bytes] == 'e' ? 'f' : 'e';
  CHECK(both(file("changed", changed)) == 3);
  // An event left out whose absence the end does not hide: still true of each, and told.
  const std::string fewer = std::string(whole).erase(second, length);
  const auto end = fewer.rfind("7}");
  const std::string part = file("part", std::string(fewer).replace(end, 1, "6"));
  CHECK(both(part) == 0);
  CHECK(contains(run({"verify-bundle", part, "--key", key}).out, "some numbers are missing"));

  const std::string by_time = folder.file("all.bundle");
  REQUIRE(run({"audit", "bundle", "--from", "2020-01-01T00:00:00Z", "-o", by_time}).exit_code == 0);
  CHECK(both(by_time) == 0);
  CHECK(Json(run({"verify-bundle", by_time, "--key", key, "--json"}).out).number("/events") == 8);
  CHECK(run({"audit", "bundle", "-o", bundle}).exit_code == 2);
  CHECK(read_file(bundle) == whole);
}

TEST_CASE_FIXTURE(AuditedServer, "VerifyBundle.NoPartOfItCanBeChanged") {
  const std::string key = vkey();
  const std::string bundle = folder.file("whole");
  REQUIRE(run({"audit", "bundle", "--aggregate", "mission/1", "-o", bundle}).exit_code == 0);
  const std::string whole = read_file(bundle);
  const auto outcomes = [&](const std::string& path) {
    return std::pair{run({"verify-bundle", path, "--key", key}).exit_code,
                     run_process({"/usr/bin/python3", kBundleInPython, path, key}).exit_code};
  };
  CHECK(outcomes(bundle) == std::pair{0, 0});
  const std::vector<std::pair<std::string, std::size_t>> parts = {{R"("bundle":")", 0},
                                                                  {R"("origin":")", 0},
                                                                  {R"("aggregateId":")", 0},
                                                                  {R"("keys":[")", 0},
                                                                  {R"("keys":[")", 20},
                                                                  {R"("eventId":")", 4},
                                                                  {R"("index":)", 0},
                                                                  {R"("treeSize":)", 0},
                                                                  {R"("hashes":[")", 7},
                                                                  {R"("preimage":")", 2},
                                                                  {R"("preimage":")", 60},
                                                                  {R"("leafHash":")", 7},
                                                                  {R"("bodyDigest":")", 7},
                                                                  {R"("data":{"salt":")", 7},
                                                                  {R"("bytes":")", 2},
                                                                  {R"("checkpoint":")", 0},
                                                                  {R"("checkpoint":"stele\n)", 0},
                                                                  {"\xE2\x80\x94 stele ", 40}};
  for (const auto& [mark, offset] : parts) {
    CAPTURE(mark);
    CAPTURE(offset);
    const auto [ours, theirs] = outcomes(file("changed", with_change(whole, mark, offset)));
    CHECK(ours == 3);
    CHECK(theirs != 0);
  }
  const auto root = whole.find("\\n", whole.find(R"("checkpoint":"stele\n)") + 22) + 2;
  std::string changed = whole;
  changed[root + 5] = changed[root + 5] == 'A' ? 'B' : 'A';
  CHECK(outcomes(file("changed", changed)).first == 3);
  CHECK(outcomes(file("changed", changed)).second != 0);
  const std::string fewer = with_change(whole, "\n{\"events\":", 0);
  CHECK(outcomes(file("changed", fewer)).first == 3);
  CHECK(outcomes(file("changed", fewer)).second != 0);
}

TEST_CASE_FIXTURE(AuditedServer, "VerifyBundle.AFileThatIsThereIsReplacedAsAWholeOrNotAtAll") {
  const std::string there = file("there", "what was there");
  const auto make = [&](const std::string& path) {
    return run({"audit", "bundle", "--aggregate", "mission/1", "-o", path, "--retry-for", "0"});
  };
  const auto is_left_alone = [&](const std::string& path, const std::string& content) {
    CHECK(read_file(path) == content);
    CHECK_FALSE(fs::exists(path + ".unfinished"));
  };
  CHECK(run({"audit", "bundle", "--aggregate", "mission/1", "--data", folder.file("none"), "-o", there}).exit_code ==
        1);
  is_left_alone(there, "what was there");
  CHECK(make(there).exit_code == 0);
  const std::string bundle = read_file(there);
  CHECK(bundle.starts_with(R"({"bundle":"stele/bundle/v1")"));
  is_left_alone(there, bundle);
  CHECK(run({"verify-bundle", there, "--key", vkey()}).exit_code == 0);
  fs::create_directory(folder.file("folder"));
  CHECK(make(folder.file("folder")).exit_code == 1);
  CHECK(make(folder.file("none/file")).exit_code == 1);
  REQUIRE(api.server().stop() == 0);
  CHECK(make(there).exit_code == 1);
  is_left_alone(there, bundle);
}

TEST_CASE_FIXTURE(AuditedServer, "VerifyBundle.WhatIsNoRegularFileIsWrittenInto") {
  const std::string key = vkey();
  const auto make = [&](const std::string& path) {
    const ProcessResult made = run({"audit", "bundle", "--aggregate", "mission/1", "-o", path});
    CHECK_MESSAGE(made.exit_code == 0, made.err);
    CHECK(contains(made.err, "3 events are in "));
    return made.out;
  };
  const auto holds = [&](const std::string& path) { return run({"verify-bundle", path, "--key", key}).exit_code == 0; };
  // Links are followed to what is not there yet, and to what is.
  const std::string target = folder.file("target"), link = folder.file("link"), second = folder.file("second");
  fs::create_symlink("target", link);
  fs::create_symlink(link, second);
  for (const std::string& path : {link, second}) {
    CHECK(make(path).empty());
    CHECK(fs::is_symlink(path));
    CHECK(fs::is_regular_file(fs::symlink_status(target)));
    CHECK(holds(target));
    write_file(target, "what was there");
  }
  fs::create_symlink("loop", folder.file("loop"));
  CHECK(run({"audit", "bundle", "--aggregate", "mission/1", "-o", folder.file("loop")}).exit_code == 1);
  CHECK(fs::is_symlink(folder.file("loop")));

  const std::string pipe = folder.file("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const auto reader = ChildProcess::start({"/bin/cat", pipe});
  CHECK(make(pipe).empty());
  REQUIRE(fs::is_fifo(pipe));
  CHECK(reader->wait() == 0);
  CHECK(holds(file("piped", reader->out())));
  CHECK(holds(file("printed", make("-"))));
  for (const std::string& path : {target, link, second, pipe}) CHECK_FALSE(fs::exists(path + ".unfinished"));
}

TEST_CASE_FIXTURE(AuditedServer, "VerifyBundle.FromAFolderItIsTheSameAsFromAServer") {
  const std::string key = vkey();
  // More than one tile of leaves, and an event that shows its data no more.
  add_events(600);
  const HttpResponse taken = client.post("/v1/events/" + last_event + "/redact", R"({"reason":"asked for"})");
  REQUIRE_MESSAGE(taken.status == 202, taken.body);
  REQUIRE(is_completed(taken.header("Location")));
  const std::string early = copy_folder("early");
  add_events(2);
  const auto verified = [&](const std::string& path) {
    const ProcessResult ours = run({"verify-bundle", path, "--key", key, "--json"});
    const ProcessResult theirs = run_process({"/usr/bin/python3", kBundleInPython, path, key});
    CHECK_MESSAGE(ours.exit_code == 0, ours.out);
    CHECK_MESSAGE(theirs.exit_code == 0, theirs.err);
    return Json(ours.out);
  };
  /// The same events, whatever checkpoint proves them.
  const auto leaves_in = [&](const std::string& path) {
    std::vector<std::string> leaves;
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) {
      if (const Json json(line); json.has("/leaf")) leaves.push_back(json.at("/leaf").minified());
    }
    return leaves;
  };
  const auto bundle_of_folder = [&](const std::string& data, std::vector<std::string> which) {
    const std::string path = folder.file("folder.bundle");
    std::vector<std::string> arguments{"audit", "bundle", "--data", data, "-o", path};
    arguments.insert(arguments.end(), which.begin(), which.end());
    const ProcessResult made = run_stele(arguments);
    CHECK_MESSAGE(made.exit_code == 0, made.err);
    return path;
  };
  const std::string shown = folder.file("server.bundle");
  REQUIRE(run({"audit", "bundle", "--aggregate", "mission/1", "-o", shown}).exit_code == 0);
  const auto expected = leaves_in(shown);
  REQUIRE(expected.size() == 605);

  // Beside the server, of a copy, and of one whose tiles are gone or damaged.
  for (const bool beside : {true, false}) {
    const std::string data = beside ? api.data() : copy_folder("copy");
    const std::string path = bundle_of_folder(data, {"--aggregate", "mission/1"});
    const Json told = verified(path);
    CHECK(told.number("/completeTo") == 605);
    CHECK(told.number("/redacted") == 1);
    CHECK(leaves_in(path) == expected);
  }
  const std::string copy = folder.file("copy");
  CHECK(verified(bundle_of_folder(copy, {"--from", "2020-01-01T00:00:00Z"})).number("/events") == 605);
  CHECK(verified(bundle_of_folder(copy, {"--to", "2020-01-01T00:00:00Z"})).number("/events") == 0);
  std::string tiles = read_file(copy + "/tiles/1.tiles");
  tiles[70] = static_cast<char>(tiles[70] ^ 1);
  overwrite(copy + "/tiles/1.tiles", tiles);
  CHECK(leaves_in(bundle_of_folder(copy, {"--aggregate", "mission/1"})) == expected);
  fs::remove(copy + "/tiles/0.tiles");
  fs::create_directory(copy + "/tiles/0.tiles");  // what cannot be opened
  CHECK(leaves_in(bundle_of_folder(copy, {"--aggregate", "mission/1"})) == expected);
  fs::remove_all(copy + "/tiles");
  CHECK(leaves_in(bundle_of_folder(copy, {"--aggregate", "mission/1"})) == expected);
  CHECK(!fs::exists(copy + "/tiles"));

  const auto refused = [&](std::vector<std::string> arguments, std::string_view why) {
    const std::string path = folder.file("refused");
    arguments.insert(arguments.begin(), {"audit", "bundle", "-o", path, "--data"});
    const ProcessResult result = run_stele(arguments);
    CHECK(result.exit_code == 1);
    CHECK_MESSAGE(contains(result.err, why), result.err);
    CHECK(!fs::exists(path));
    CHECK(!fs::exists(path + ".unfinished"));
  };
  refused({folder.file("none"), "--aggregate", "mission/1"}, folder.file("none"));
  refused({copy, "--from", "yesterday"}, "--from: \"yesterday\" is no time");
  fs::remove_all(copy + "/checkpoints");
  fs::copy(early + "/checkpoints", copy + "/checkpoints", fs::copy_options::recursive);
  const ProcessResult part =
      run_stele({"audit", "bundle", "--data", copy, "--aggregate", "mission/1", "-o", folder.file("part")});
  CHECK(contains(part.err, "left out 2 events that no signed checkpoint covers yet"));
  CHECK(verified(folder.file("part")).number("/completeTo") == 603);
  fs::remove_all(copy + "/checkpoints");
  refused({copy, "--aggregate", "mission/1"}, "no checkpoint was signed");
}

TEST_CASE("Verify.RefusesWrongUsage") {
  const test::TempFolder folder;
  const auto refused = [&](std::vector<std::string> arguments, int code, std::string_view why) {
    arguments.insert(arguments.begin(), "verify");
    const ProcessResult result = run_stele(arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == code);
    CHECK(result.out.empty());
    CHECK(contains(result.err, why));
  };
  refused({}, 2, "give --key");
  refused({folder.path(), "--key", "junk"}, 2, "--key: ");
  refused({folder.path(), "--since", folder.file("none")}, 2, "--since: ");
  refused({folder.file("none")}, 1, "stele verify: ");
  refused({folder.path()}, 1, "stele verify: ");
}

}  // namespace stele::tests

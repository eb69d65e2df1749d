// `stele key`: the keys that sign checkpoints are made once, shown, rotated and replaced.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "engine/audit/checkpoint.h"
#include "engine/audit/note_key.h"
#include "engine/audit/signed_note.h"
#include "tests/contract/http_fixture.h"
#include "tests/support/build_paths.h"
#include "tests/support/certificates.h"
#include "tests/support/client_script.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

constexpr std::int64_t kDayLength = 86'400;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

mode_t mode_of(const std::string& path) {
  struct stat about {};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  return about.st_mode & 07777U;
}

/// What `stele key show` says, a JSON object a key.
std::vector<Json> keys_shown(std::vector<std::string> place) {
  place.insert(place.begin(), {"key", "show", "--format", "ndjson"});
  const ProcessResult shown = run_stele(place);
  REQUIRE_MESSAGE(shown.exit_code == 0, shown.err);
  std::vector<Json> keys;
  std::istringstream lines(shown.out);
  for (std::string line; std::getline(lines, line);) keys.emplace_back(line);
  return keys;
}

/// The checkpoint that a receipt is proven by.
std::string newest_note(HttpClient& client) {
  const HttpResponse receipt = client.post("/v1/events?wait=checkpoint", event_json("a"));
  REQUIRE_MESSAGE(receipt.status == 201, receipt.body);
  return Json(receipt.body).text("/proof/checkpoint");
}

std::string signatures_on(const std::string& note, const std::vector<std::string>& vkeys) {
  return run_client_script("verify_note", vkeys, note).out;
}

std::string warnings_in(HttpClient& client) { return get_json(client, "/readyz").at("/warnings").minified(); }

/// A server on whose clock the test turns.
struct TimedLog {
  test::TempFolder folder;
  std::string data = folder.file("data");
  std::string shift_file = folder.file("shift");

  [[nodiscard]] std::unique_ptr<ServerProcess> serve() const {
    return std::make_unique<ServerProcess>(
        ServerProcess::start({.data = data,
                              .arguments = {"--accept-clock-jump"},
                              .environment = {{"LD_PRELOAD", shifted_clock()}, {"SHIFTED_CLOCK", shift_file}}}));
  }
  void shift(std::int64_t seconds) const {
    const int fd = ::open(shift_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    REQUIRE(::pwrite(fd, &seconds, sizeof seconds, 0) == sizeof seconds);
    ::close(fd);
  }
  [[nodiscard]] std::string verdict(const std::string& vkey, const std::string& since) const {
    const ProcessResult seen = run_stele({"verify", data, "--key", vkey, "--since", since, "--json"});
    return Json(seen.out).text("/verdict");
  }
};

}  // namespace

TEST_CASE("Key.IsMadeOnceAndNeverOverwritten") {
  const test::TempFolder folder;
  const std::string store = folder.file("keys"), file = folder.file("own/log.pem");
  std::filesystem::create_directory(folder.file("own"));
  std::filesystem::permissions(folder.file("own"), std::filesystem::perms::owner_all);
  const std::vector<std::vector<std::string>> places = {{"--key-store", store}, {"--signing-key", file}};
  for (const std::vector<std::string>& place : places) {
    const std::string path = place[0] == "--key-store" ? store + "/checkpoint.key" : file;
    CAPTURE(path);
    const auto create = [&] { return run_stele({"key", "create", place[0], place[1], "--origin", "a.example/log"}); };
    const ProcessResult made = create();
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    CHECK(made.out.starts_with("a.example/log+"));
    CHECK(NoteVerifier::parse(first_line(made.out)));
    CHECK(mode_of(path) == 0600);
    CHECK(mode_of(std::filesystem::path(path).parent_path()) == 0700);
    const std::string bytes = read_file(path);
    CHECK(contains(bytes, "PRIVATE KEY"));
    const ProcessResult again = create();
    CHECK(again.exit_code == 1);
    CHECK(again.out.empty());
    CHECK(contains(again.err, "there is a key already"));
    CHECK(read_file(path) == bytes);
    const auto shown = keys_shown({place[0], place[1], "--origin", "a.example/log"});
    REQUIRE(shown.size() == 1);
    CHECK(shown[0].text("/vkey") == first_line(made.out));
    CHECK_FALSE(shown[0].has("/from"));
    const ProcessResult table = run_stele({"key", "show", place[0], place[1], "--origin", "a.example/log"});
    CHECK(contains(table.out, "not yet"));
    CHECK_FALSE(contains(table.out + table.err + made.err + again.err, "PRIVATE"));
    // Nor is anything else that is there.
    std::ofstream(path, std::ios::binary | std::ios::trunc) << "something else";
    CHECK(create().exit_code == 1);
    CHECK(read_file(path) == "something else");
  }
  for (const std::string action : {"create", "show", "rotate"}) {
    CAPTURE(action);
    CHECK(run_stele({"key", action}).exit_code == 2);
  }
  for (const std::string action : {"show", "rotate"}) {
    CAPTURE(action);
    const ProcessResult none = run_stele({"key", action, "--key-store", folder.file("none")});
    CHECK(none.exit_code == 1);
    CHECK(none.out.empty());
    CHECK_FALSE(std::filesystem::exists(folder.file("none")));
  }
}

TEST_CASE("Key.OfARunningServerIsShownAndNotMadeAnew") {
  Api api;
  HttpClient client = api.client();
  const Json announced = get_json(client, "/log/keys");
  const auto shown = keys_shown({"--data", api.data()});
  REQUIRE(shown.size() == 1);
  CHECK(shown[0].text("/vkey") == announced.text("/keys/0/vkey"));
  CHECK(shown[0].number("/from") == announced.number("/keys/0/from"));
  const std::string file = api.data() + "/keys/checkpoint.key";
  const std::string bytes = read_file(file);
  CHECK(run_stele({"key", "create", "--data", api.data()}).exit_code == 1);
  CHECK(read_file(file) == bytes);
}

TEST_CASE("Key.OneThatWasLostIsReplacedAndThatIsSaid") {
  Api api;
  HttpClient client = api.client();
  const std::string first = get_json(client, "/log/keys").text("/keys/0/vkey");
  const std::string before = newest_note(client);
  api.server().stop();
  std::filesystem::remove(api.data() + "/keys/checkpoint.key");
  api.kill_and_restart();
  client = api.client();
  CHECK(eventually([&] { return contains(warnings_in(client), "rotate --lost"); }));
  const ProcessResult refused = run_stele({"key", "rotate", "--data", api.data()});
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "there is no key to rotate"));
  CHECK_FALSE(std::filesystem::exists(api.data() + "/keys/checkpoint.key"));
  const ProcessResult replaced = run_stele({"key", "rotate", "--lost", "--data", api.data()});
  REQUIRE_MESSAGE(replaced.exit_code == 0, replaced.err);
  const std::string second = first_line(replaced.out);
  CHECK(second != first);
  // The server that runs takes notice.
  REQUIRE(eventually([&] { return get_json(client, "/log/keys").has("/keys/1"); }));
  CHECK(eventually([&] { return !get_json(client, "/log/keys").is_null("/keys/0/until"); }));
  const Json keys = get_json(client, "/log/keys");
  CHECK(keys.text("/keys/0/vkey") == first);
  CHECK(keys.text("/keys/1/vkey") == second);
  CHECK(keys.at("/keys/1/endorsed").minified() == "false");
  CHECK(eventually([&] { return contains(warnings_in(client), "was announced without the one before it"); }));
  const std::string note = newest_note(client);
  CHECK(signatures_on(note, {first, second}) == "stele none\nstele good\n");
  CHECK(contains(run_stele({"key", "show", "--data", api.data()}).out, " NO "));
  // Nothing that the first key has said lets anybody believe the second one.
  const auto verdict = [&](const std::string& vkey) {
    const ProcessResult seen = run_stele({"verify", "--url", api.server().url(), "--key", vkey, "--json"});
    return Json(seen.out).text("/verdict");
  };
  CHECK(verdict(first) == "forged");
  CHECK(verdict(second) == "ok");
  CHECK(parse_checkpoint(parse_note(before)->text)->size < parse_checkpoint(parse_note(note)->text)->size);
}

TEST_CASE("Key.BothSignForTheOverlapAndThenTheNewOneAlone") {
  const TimedLog log;
  log.shift(0);
  const auto server = log.serve();
  HttpClient client(server->port());
  const std::string first = get_json(client, "/log/keys").text("/keys/0/vkey");
  CHECK(signatures_on(newest_note(client), {first}) == "stele good\n");
  const std::string old_key = read_file(log.data + "/keys/checkpoint.key");
  const ProcessResult rotated = run_stele({"key", "rotate", "--data", log.data});
  REQUIRE_MESSAGE(rotated.exit_code == 0, rotated.err);
  const std::string second = first_line(rotated.out);
  REQUIRE(eventually([&] { return get_json(client, "/log/keys").has("/keys/1"); }));
  const std::string both = newest_note(client);
  CHECK(signatures_on(both, {first, second}) == "stele good\nstele good\n");

  log.shift(29 * kDayLength);
  CHECK(signatures_on(newest_note(client), {first, second}) == "stele good\nstele good\n");
  CHECK(get_json(client, "/log/keys").is_null("/keys/0/until"));
  log.shift(31 * kDayLength);
  REQUIRE(eventually([&] { return !get_json(client, "/log/keys").is_null("/keys/0/until"); }));
  const std::string alone = newest_note(client);
  CHECK(signatures_on(alone, {first, second}) == "stele none\nstele good\n");
  CHECK_FALSE(std::filesystem::exists(log.data + "/keys/checkpoint.key.before"));

  const Json keys = get_json(client, "/log/keys");
  const std::uint64_t from = keys.number("/keys/1/from"), until = keys.number("/keys/0/until");
  CHECK(keys.number("/keys/0/from") < from);
  CHECK(from < until);
  CHECK(keys.is_null("/keys/1/until"));
  CHECK(keys.at("/keys/1/endorsed").minified() == "true");
  const auto shown = keys_shown({"--data", log.data});
  REQUIRE(shown.size() == 2);
  CHECK(shown[0].number("/until") == until);
  CHECK(shown[1].number("/from") == from);
  CHECK_FALSE(shown[1].has("/until"));
  const auto size_of = [](const std::string& note) { return parse_checkpoint(parse_note(note)->text)->size; };
  CHECK(size_of(both) > from);
  CHECK(size_of(both) <= until);
  CHECK(size_of(alone) > until);

  // `verify` takes each where it counts, and from whoever it is known.
  const auto file = [&](const std::string& name, const std::string& note) {
    std::ofstream(log.folder.file(name), std::ios::binary) << note;
    return log.folder.file(name);
  };
  const std::string since_both = file("both", both), since_alone = file("alone", alone);
  for (const std::string& since : {since_both, since_alone}) {
    CAPTURE(since);
    CHECK(log.verdict(first, since) == "ok");
    CHECK(log.verdict(second, since) == "ok");
  }
  // What the retired key says of another tree counts as far as its time went, and no further.
  const auto old_signer = NoteSigner::from_pem("stele", NoteKeyKind::Ed25519, old_key);
  REQUIRE(old_signer);
  const auto signed_by_old_key = [&](std::string text) {
    char& root = text[text.find('\n', text.find('\n') + 1) + 1];
    root = root == 'A' ? 'B' : 'A';
    SignedNote other{.text = std::move(text), .signatures = {}};
    sign_note(other, *old_signer);
    return format_note(other);
  };
  CHECK(log.verdict(first, file("in-time", signed_by_old_key(parse_note(both)->text))) == "rewritten");
  CHECK(log.verdict(first, file("too-late", signed_by_old_key(parse_note(alone)->text))) == "forged");
}

TEST_CASE("Key.APublicLogIsVerifiedByAnyone") {
  const test::TempFolder folder;
  for (const bool is_public : {false, true}) {
    CAPTURE(is_public);
    const std::string data = folder.file(is_public ? "public" : "private");
    std::vector<std::string> arguments{"--auth", "on"};
    if (is_public) arguments.emplace_back("--public-log");
    ServerProcess server = ServerProcess::start({data, arguments, {}, 0});
    const ProcessResult token = run_stele({"token", "create", "--data", data, "--role", "writer", "--name", "writer"});
    REQUIRE(token.exit_code == 0);
    const Headers writer{{"Authorization", "Bearer " + first_line(token.out)}};
    HttpClient client(server.port());
    const auto add = [&] {
      const HttpResponse receipt =
          client.post("/v1/events?wait=checkpoint", event_json("a"), "application/json", writer);
      REQUIRE_MESSAGE(receipt.status == 201, receipt.body);
      return Json(receipt.body).text("/proof/checkpoint");
    };
    const std::string since = folder.file("since");
    std::ofstream(since, std::ios::binary) << add();
    for (int i = 0; i < 3; ++i) (void)add();
    const int open = is_public ? 200 : 401;
    CHECK(client.get("/log/checkpoint").status == open);
    CHECK(client.get("/log/keys").status == open);
    CHECK(client.get("/log/tile/0/000.p/2").status == open);
    for (const std::string target : {"/log/tile/entries/000.p/2", "/v1/audit/inclusion?position=0",
                                     "/v1/audit/consistency?from=1", "/v1/events", "/v1/events/audit"}) {
      CAPTURE(target);
      CHECK(client.get(target).status == 401);
    }
    if (!is_public) continue;
    const std::string vkey = Json(client.get("/log/keys").body).text("/keys/0/vkey");
    const auto verify = [&](const std::string& kept) {
      return run_stele({"verify", "--url", server.url(), "--key", vkey, "--since", kept, "--json"});
    };
    const ProcessResult seen = verify(since);
    REQUIRE_MESSAGE(!seen.out.empty(), seen.err);
    CHECK(Json(seen.out).text("/verdict") == "ok");
    CHECK(Json(seen.out).number("/entries") == 0);
    CHECK(Json(seen.out).number("/leaves") > 0);
    // A log that is not the one of the checkpoint that was kept.
    const std::string keys = data + "/keys/checkpoint.key";
    ServerProcess another =
        ServerProcess::start({folder.file("another"), {"--auth", "on", "--public-log", "--signing-key", keys}, {}, 0});
    const auto verdict_of_another = [&] {
      const ProcessResult result =
          run_stele({"verify", "--url", another.url(), "--key", vkey, "--since", since, "--json"});
      REQUIRE_MESSAGE(!result.out.empty(), result.err);
      return Json(result.out).text("/verdict");
    };
    const std::string verdict = verdict_of_another();
    CHECK((verdict == "rolled-back" || verdict == "rewritten"));
    const ProcessResult their_token =
        run_stele({"token", "create", "--data", folder.file("another"), "--role", "writer", "--name", "w"});
    HttpClient theirs(another.port());
    std::string list;
    for (int i = 0; i < 40; ++i) list += (i == 0 ? "[" : ",") + event_json("b");
    CHECK(theirs
              .post("/v1/events?wait=checkpoint", list + "]", "application/json",
                    {{"Authorization", "Bearer " + first_line(their_token.out)}})
              .status == 201);
    CHECK(verdict_of_another() == "rewritten");
  }
}

TEST_CASE("Key.APublicLogIsVerifiedByAnyoneOverARotation") {
  const test::TempFolder folder;
  const std::string data = folder.file("data");
  std::vector<std::string> arguments{"--auth", "on", "--public-log"};
  const bool retires = [] {
    bool at_once = false;
    SUBCASE("while the key before signs as well") {}
    SUBCASE("when it signs no more") { at_once = true; }
    return at_once;
  }();
  if (retires) arguments.insert(arguments.end(), {"--key-overlap", "1s"});
  ServerProcess server = ServerProcess::start({data, arguments, {}, 0});
  const auto token = [&](const std::string& role) {
    const ProcessResult made = run_stele({"token", "create", "--data", data, "--role", role, "--name", role});
    REQUIRE(made.exit_code == 0);
    return first_line(made.out);
  };
  const Headers writer{{"Authorization", "Bearer " + token("writer")}};
  const std::string auditor = folder.file("auditor");
  write_private(auditor, token("auditor"));
  HttpClient client(server.port());
  const auto add = [&] {
    const HttpResponse receipt = client.post("/v1/events?wait=checkpoint", event_json("a"), "application/json", writer);
    REQUIRE_MESSAGE(receipt.status == 201, receipt.body);
    return Json(receipt.body).text("/proof/checkpoint");
  };
  const std::string since = folder.file("since");
  std::ofstream(since, std::ios::binary) << add();
  REQUIRE(run_stele({"key", "rotate", "--data", data}).exit_code == 0);
  REQUIRE(eventually([&] {
    (void)add();
    const Json keys(client.get("/log/keys").body);
    return keys.has("/keys/1") && keys.is_null("/keys/0/until") != retires;
  }));
  (void)add();
  const Json keys(client.get("/log/keys").body);
  const std::string first = keys.text("/keys/0/vkey");
  const auto verify = [&](const std::string& vkey, std::vector<std::string> more) {
    std::vector<std::string> command{"verify", "--url", server.url(), "--key", vkey, "--json"};
    command.insert(command.end(), more.begin(), more.end());
    const ProcessResult seen = run_stele(command);
    REQUIRE_MESSAGE(!seen.out.empty(), seen.err);
    return Json(seen.out);
  };
  CHECK(verify(first, {"--since", since, "--token-file", auditor}).text("/verdict") == "ok");
  CHECK(verify(keys.text("/keys/1/vkey"), {}).text("/verdict") == "ok");
  // Anyone sees no events of keys, and so nothing that one key says of the next.
  const Json anyone = verify(first, {"--since", since});
  CHECK(anyone.text("/verdict") == (retires ? "forged" : "ok"));
  CHECK(contains(anyone.at("/notes").minified(), "no other key counted"));
}

}  // namespace stele::tests

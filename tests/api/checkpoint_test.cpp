// Checkpoints, keys and proofs as clients see them, and checked with nothing but what they are given.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "api/audit/checkpoint_keeper.h"
#include "api/audit/signing_keys.h"
#include "engine/audit/merkle_proof.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "tests/api/support.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace stele::api::test {
namespace {

ServiceOptions signing_in(const std::string& folder) {
  ServiceOptions options;
  options.checkpoints.keys_folder = folder;
  options.checkpoints.interval = std::chrono::milliseconds{1};
  return options;
}

Digest digest_of(const std::string& base64) {
  const auto bytes = base64_decode(base64);
  REQUIRE(bytes);
  REQUIRE(bytes->size() == sizeof(Digest));
  Digest digest;
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  return digest;
}

/// Checks the proof at a JSON pointer of an answer against the keys that the server has shown.
void check_proof(const Answer& answer, const std::string& at, const Answer& keys) {
  const auto vkey = NoteVerifier::parse(keys.text("/keys/0/vkey"));
  REQUIRE(vkey);
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string_view note_text;
  REQUIRE(parser.parse(answer.body).get(root) == simdjson::SUCCESS);
  REQUIRE(root.at_pointer(at + "/checkpoint").get(note_text) == simdjson::SUCCESS);
  const auto note = parse_note(note_text);
  REQUIRE(note);
  const std::vector trusted{*vkey};
  REQUIRE(verified_by(*note, trusted)->size() == 1);
  const auto checkpoint = parse_checkpoint(note->text);
  REQUIRE(checkpoint);
  CHECK(answer.at(at + "/treeSize") == std::to_string(checkpoint->size));
  std::vector<Digest> path;
  for (std::size_t i = 0; answer.at(at + "/hashes/" + std::to_string(i)) != "none"; ++i) {
    path.push_back(digest_of(answer.text(at + "/hashes/" + std::to_string(i))));
  }
  const std::string preimage = *base64_decode(answer.text(at + "/leaf/preimage"));
  const Digest leaf = sha256({std::string_view("\0", 1), preimage});
  CHECK(leaf == digest_of(answer.text(at + "/leaf/leafHash")));
  Digest body{};
  const auto member = [&](const std::string& name) {
    const std::string pointer = at + "/leaf/members/" + name;
    if (answer.at(pointer) == "none") return Digest{};
    if (answer.at(pointer + "/digest") != "none") return digest_of(answer.text(pointer + "/digest"));
    return sha256({*base64_decode(answer.text(pointer + "/salt")), *base64_decode(answer.text(pointer + "/bytes"))});
  };
  const Digest data = member("data"), metadata = member("metadata"), secret = member("private");
  body = sha256({as_bytes(data), as_bytes(metadata), as_bytes(secret)});
  CHECK(body == digest_of(answer.text(at + "/leaf/bodyDigest")));
  CHECK(preimage.ends_with(as_bytes(body)));
  CHECK(verify_inclusion(leaf, std::stoull(answer.at(at + "/index")), checkpoint->size, path, checkpoint->root));
}

}  // namespace

TEST_CASE("Checkpoints.AReceiptThatWaitedProvesTheEvent") {
  const stele::test::TempFolder keys;
  TestService service(signing_in(keys.path() + "/keys"));
  for (int i = 0; i < 20; ++i) REQUIRE(service.post(event("a")).status == 201);
  const Answer one =
      service.send(Method::Post, "/v1/events?wait=checkpoint", event("a", R"({"n":1})", R"("metadata":{"m":2})"),
                   {{"Content-Type", "application/json"}});
  REQUIRE(one.status == 201);
  const Answer shown = service.get("/log/keys");
  check_proof(one, "/proof", shown);
  CHECK(one.at("/proof/leaf/members/private") == "none");
  const Answer list = service.send(Method::Post, "/v1/events?wait=checkpoint",
                                   "[" + event("a") + "," + event("b") + "]", {{"Content-Type", "application/json"}});
  REQUIRE(list.status == 201);
  check_proof(list, "/events/0/proof", shown);
  check_proof(list, "/events/1/proof", shown);
  const Answer later = service.get("/v1/events/" + one.text("/eventId") + "/proof");
  REQUIRE(later.status == 200);
  check_proof(later, "", shown);
}

TEST_CASE("Checkpoints.AProofAsTextIsTheStandardsFile") {
  const stele::test::TempFolder keys;
  TestService service(signing_in(keys.path() + "/keys"));
  const Answer stored = service.post(event("a"));
  const Answer proof =
      service.get("/v1/events/" + stored.text("/eventId") + "/proof?wait=checkpoint", {{"Accept", "text/plain"}});
  REQUIRE(proof.status == 200);
  CHECK(proof.type == "text/plain; charset=utf-8");
  CHECK(proof.body.starts_with("c2sp.org/tlog-proof@v1\nindex " + stored.at("/position") + "\n"));
  CHECK(proof.body.find("\n\nstele\n") != std::string::npos);
  CHECK(service.get("/v1/events/" + stored.text("/eventId") + "/proof", {{"Accept", "image/png"}}).status == 406);
  CHECK(service.get("/v1/events/" + stored.text("/eventId") + "/proof?wait=no").status == 400);
  CHECK(service.get("/v1/events/0192f0c4-9000-7000-8000-000000000011/proof?wait=checkpoint").status == 404);
}

TEST_CASE("Checkpoints.WithoutAKeyStoreNothingIsSigned") {
  TestService service;
  const Answer stored = service.post(event("a"));
  CHECK(service.get("/log/checkpoint").slug() == "not-yet-covered");
  CHECK(service.get("/log/keys").body == R"({"keys":[]})");
  CHECK(service.get("/v1/events/" + stored.text("/eventId") + "/proof").slug() == "not-yet-covered");
  CHECK(service.send(Method::Post, "/v1/events?wait=checkpoint", event("a"), {{"Content-Type", "application/json"}})
            .status == 400);
}

namespace {

/// A store and its keeper, which signs when the test says so.
struct Signing {
  stele::test::TempFolder folder;
  stele::test::FakeClock clock;
  StoreOptions store_options;
  CheckpointSettings settings;
  std::unique_ptr<Store> store;
  std::unique_ptr<CheckpointKeeper> keeper;

  Signing() {
    store_options.folder = folder.path() + "/data";
    store_options.clock = &clock;
    settings.keys_folder = folder.path() + "/keys";
    settings.in_background = false;
    open();
  }
  ~Signing() { close(); }
  void open() {
    auto opened = Store::open(store_options);
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
    keeper = std::make_unique<CheckpointKeeper>(*store, settings, clock);
    work_until_signed();
  }
  void close() {
    keeper.reset();
    if (store) REQUIRE(store->close());
    store.reset();
  }
  void append(int events) {
    for (int i = 0; i < events; ++i) {
      Proposal proposal;
      RecordDraft& draft = proposal.events.emplace_back();
      draft.event_id = Uuid{{static_cast<std::uint8_t>(++count), static_cast<std::uint8_t>(count >> 8)}};
      draft.aggregate_id = "a";
      draft.event_type = "T";
      draft.data = "1";
      draft.seal();
      REQUIRE(store->append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
    }
  }
  /// The tree's own thread may have to catch up first.
  void work_until_signed() {
    wait_until([&] {
      if (warnings().find("being made again") == std::string::npos) return true;
      keeper->work();
      return false;
    });
  }
  std::string warnings() const {
    std::string all;
    for (const std::string& warning : keeper->report().warnings) all += warning + "\n";
    return all;
  }
  std::uint64_t size() const { return keeper->newest() ? keeper->newest()->checkpoint.size : 0; }
  std::size_t signatures() const { return parse_note(keeper->newest()->note)->signatures.size(); }
  SigningKeyFiles files() const {
    auto opened =
        SigningKeyFiles::open(posix_file_system(), "stele", settings.keys_folder, "", KeyStore::IfMissing::Fail);
    REQUIRE(opened);
    return std::move(*opened);
  }
  int count = 0;
};

}  // namespace

TEST_CASE("CheckpointKeeper.SignsWhatIsNewAndGoesOnAfterARestart") {
  Signing with;
  CHECK(with.warnings().empty());
  CHECK(with.size() == 2);  // genesis and the key
  with.append(3);
  CHECK(with.size() == 2);
  with.keeper->work();
  CHECK(with.size() == 5);
  CHECK(with.keeper->newest()->checkpoint.root == with.store->head().root);
  const auto before = with.keeper->newest();
  with.keeper->work();
  CHECK(with.keeper->newest() == before);
  with.close();
  with.open();
  CHECK(with.warnings().empty());
  CHECK(with.keeper->newest()->note == before->note);
  CHECK(with.keeper->keys().size() == 1);
}

TEST_CASE("CheckpointKeeper.TheKeyBeforeVouchesForTheNextAndSignsForAWhile") {
  Signing with;
  with.settings.key_overlap = std::chrono::hours{1};
  with.close();
  with.open();
  const auto rotated = with.files().rotate(false);
  REQUIRE(rotated);
  with.keeper->work();
  REQUIRE(with.keeper->keys().size() == 2);
  CHECK(with.keeper->keys()[1].verifier == *rotated);
  CHECK(with.keeper->keys()[1].endorsed);
  CHECK(with.signatures() == 2);
  with.clock.wall += 7'200'000'000;
  with.append(1);
  with.keeper->work();
  CHECK(with.keeper->keys()[0].until);
  with.append(1);
  with.keeper->work();
  CHECK(with.signatures() == 1);
  CHECK(with.files().read()->before.empty());
  CHECK(with.warnings().empty());
}

TEST_CASE("CheckpointKeeper.ALostKeyIsNotReplacedUnasked") {
  Signing with;
  with.close();
  std::filesystem::remove(with.settings.keys_folder + "/checkpoint.key");
  with.open();
  with.append(1);
  with.keeper->work();
  CHECK(with.warnings().find("rotate --lost") != std::string::npos);
  CHECK(with.size() == 0);
  REQUIRE(with.files().rotate(true));
  with.keeper->work();
  with.work_until_signed();
  CHECK(with.size() == with.store->head().size);
  REQUIRE(with.keeper->keys().size() == 2);
  CHECK_FALSE(with.keeper->keys()[1].endorsed);
  CHECK(with.warnings().find("without the one before it") != std::string::npos);
}

TEST_CASE("CheckpointKeeper.AKeyThatMustNotBeTrustedNeitherVouchesNorSignsOn") {
  Signing with;
  REQUIRE(with.files().rotate(true));
  with.append(1);
  with.keeper->work();
  REQUIRE(with.keeper->keys().size() == 2);
  CHECK(with.keeper->keys()[0].until);
  CHECK_FALSE(with.keeper->keys()[1].endorsed);
  CHECK(with.signatures() == 1);
  CHECK(with.size() == with.store->head().size);
}

TEST_CASE("CheckpointKeeper.AnotherKeyThanTheAnnouncedOneSignsNothing") {
  Signing with;
  with.close();
  std::filesystem::remove(with.settings.keys_folder + "/checkpoint.key");
  REQUIRE(with.files().create());
  with.open();
  with.append(1);
  with.keeper->work();
  CHECK(with.size() == 0);
  CHECK(with.warnings().find("another one") != std::string::npos);
}

TEST_CASE("CheckpointKeeper.ALogThatWasRolledBackIsNotSignedAgain") {
  Signing with;
  with.append(2);
  with.keeper->work();
  with.close();
  std::filesystem::copy(with.store_options.folder, with.folder.path() + "/old",
                        std::filesystem::copy_options::recursive);
  with.open();
  with.append(3);
  with.keeper->work();
  const std::uint64_t size = with.size();
  with.close();
  // Somebody restores the log from a backup, and forgets, or does not know of, the checkpoints.
  for (const char* part : {"log", "index", "state", "tiles"}) {
    std::filesystem::remove_all(with.store_options.folder + "/" + part);
    if (!std::filesystem::exists(with.folder.path() + "/old/" + part)) continue;
    std::filesystem::copy(with.folder.path() + "/old/" + part, with.store_options.folder + "/" + part,
                          std::filesystem::copy_options::recursive);
  }
  with.open();
  CHECK(with.warnings().find("it was cut or is an old copy") != std::string::npos);
  // Not even when it has grown beyond it again, with other events.
  with.count = 1000;
  with.append(10);
  REQUIRE(with.store->head().size > size);
  with.keeper->work();
  with.work_until_signed();
  CHECK(with.warnings().find("not the one that the checkpoint") != std::string::npos);
  CHECK(with.size() == 0);
}

}  // namespace stele::api::test

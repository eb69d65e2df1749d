// What the store says to witnesses and makes of their answers, with witnesses that are real but for their sockets.

#include "api/audit/witnesses.h"

#include <doctest/doctest.h>

#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "api/audit/file_anchor.h"
#include "api/audit/redis_stream_anchor.h"
#include "engine/audit/merkle_tree.h"
#include "engine/audit/witness.h"
#include "tests/api/support.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/simulated_file_system.h"
#include "tests/support/temp_folder.h"

namespace stele::api::test {
namespace {

NoteSigner witness_key(std::string name) {
  auto made = NoteSigner::generate(std::move(name), NoteKeyKind::Cosignature);
  REQUIRE(made);
  return std::move(*made);
}

/// Gives a request to whoever is at its URL.
class FakeWitnessSender final : public WebhookSender {
 public:
  void send(WebhookRequest request, Done done) override {
    ++requests[request.url];
    if (hangs.contains(request.url)) return held.push_back(std::move(done));
    WebhookAnswer answer;
    const auto scripted = answers.find(request.url);
    if (scripted != answers.end()) {
      answer = scripted->second;
    } else {
      const WitnessAnswer said = at.at(request.url)->add_checkpoint(request.body);
      using Kind = WitnessAnswer::Kind;
      answer.outcome = WebhookAnswer::Outcome::Answered;
      answer.status = said.kind == Kind::Cosigned                                    ? 200
                      : said.kind == Kind::OtherSize || said.kind == Kind::OtherRoot ? 409
                      : said.kind == Kind::Inconsistent                              ? 422
                      : said.kind == Kind::UnsignedByLog                             ? 403
                      : said.kind == Kind::UnknownLog                                ? 404
                                                                                     : 400;
      answer.body = answer.status == 409 ? std::to_string(said.size) + "\n" : said.cosignatures;
    }
    done(std::move(answer));
  }
  [[nodiscard]] std::string url_objection(std::string_view) const override { return {}; }
  [[nodiscard]] std::string tls_objection(const WebhookTls&) const override { return {}; }
  void stop() override {}

  std::map<std::string, Witness*> at;
  std::map<std::string, WebhookAnswer> answers;
  std::map<std::string, bool> hangs;
  std::vector<Done> held;
  std::map<std::string, int> requests;
};

class CannedRedisSender final : public RedisSender {
 public:
  void add(std::string_view key, const std::vector<RedisEntry>& entries,
           std::function<void(RedisAddition)> done) override {
    name = key;
    added.insert(added.end(), entries.begin(), entries.end());
    done(addition);
  }
  void publish(std::string_view, const std::vector<std::string>&, std::function<void(RedisAnswer)>) override {}

  RedisAddition addition{{RedisAnswer::Outcome::CarriedOut, {}, {}}};
  std::string name;
  std::vector<RedisEntry> added;
};

/// A store, its keeper, and witnesses called `w0`, `w1` …
struct Witnessed {
  explicit Witnessed(std::size_t count) {
    store_options.folder = folder.path() + "/data";
    store_options.clock = &clock;
    checkpoints.keys_folder = folder.path() + "/keys";
    checkpoints.in_background = false;
    settings.in_background = false;
    open();
    for (std::size_t i = 0; i < count; ++i) {
      const NoteSigner key = witness_key("w" + std::to_string(i));
      auto witness = Witness::open({.file_system = &files,
                                    .clock = &clock,
                                    .folder = "/w" + std::to_string(i),
                                    .signer = key,
                                    .logs = {keeper->keys().at(0).verifier}});
      REQUIRE(witness);
      far.push_back(std::move(*witness));
      sender.at[url(i)] = far.back().get();
      settings.witnesses.push_back({"http://w" + std::to_string(i) + "/", key.verifier()});
    }
    start();
  }
  ~Witnessed() {
    witnesses.reset();
    keeper.reset();
    if (store) CHECK(store->close());
  }
  static std::string url(std::size_t i) { return "http://w" + std::to_string(i) + "/add-checkpoint"; }

  void open() {
    auto opened = Store::open(store_options);
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
    keeper = std::make_unique<CheckpointKeeper>(*store, checkpoints, clock);
    sign();
  }
  void start() {
    witnesses = std::make_unique<Witnesses>(*store, *keeper, &sender, &redis, settings, posix_file_system(), clock);
  }
  void append(int events) {
    for (int i = 0; i < events; ++i) {
      Proposal proposal;
      RecordDraft& draft = proposal.events.emplace_back();
      draft.event_id = Uuid{{static_cast<std::uint8_t>(++appended), history}};
      draft.aggregate_id = "a";
      draft.event_type = "T";
      draft.data = "1";
      draft.seal();
      REQUIRE(store->append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
    }
    sign();
  }
  /// The tree's own thread may have to catch up first.
  void sign() {
    const auto is_behind = [&] {
      return keeper->newest() == nullptr || size() < store->head().size || !store->tree().root(size());
    };
    wait_until([&] {
      keeper->work();
      return !is_behind();
    });
  }
  [[nodiscard]] std::uint64_t size() const { return keeper->newest()->checkpoint.size; }
  void next_round() {
    clock.monotonic += 10'000'000;
    clock.wall += 10'000'000;
    work();
  }
  /// Also what is answered within it.
  void work() {
    for (int i = 0; i < 6; ++i) witnesses->work();
  }
  [[nodiscard]] std::uint64_t shown() const { return witnesses->newest()->checkpoint.size; }
  [[nodiscard]] std::size_t cosignatures_shown() const { return cosignatures(*parse_note(witnesses->newest()->note)); }
  [[nodiscard]] std::size_t cosignatures(const SignedNote& note) const {
    std::vector<NoteVerifier> keys;
    for (const auto& address : settings.witnesses) keys.push_back(address.verifier);
    const auto by = verified_by(note, keys);
    REQUIRE(by);
    return by->size();
  }
  [[nodiscard]] std::string warnings() const {
    std::string all;
    for (const std::string& warning : witnesses->report().warnings) all += warning + "\n";
    return all;
  }
  [[nodiscard]] std::string member(std::string_view name) const {
    for (const auto& [key, json] : witnesses->report().members) {
      if (key == name) return json;
    }
    return {};
  }

  stele::test::TempFolder folder;
  stele::test::FakeClock clock;
  SimulatedFileSystem files{3};
  StoreOptions store_options;
  CheckpointSettings checkpoints;
  WitnessSettings settings;
  std::unique_ptr<Store> store;
  std::unique_ptr<CheckpointKeeper> keeper;
  std::vector<std::unique_ptr<Witness>> far;
  FakeWitnessSender sender;
  CannedRedisSender redis;
  std::unique_ptr<Witnesses> witnesses;
  int appended = 0;
  std::uint8_t history = 0;
};

}  // namespace

TEST_CASE("Witnesses.AllCosignTheNewestCheckpointEachRoundAndItIsKept") {
  Witnessed with(2);
  with.work();
  CHECK(with.shown() == with.size());
  CHECK(with.cosignatures_shown() == 2);
  with.append(5);
  with.work();
  CHECK(with.shown() == with.size() - 5);  // it is not time yet
  with.next_round();
  CHECK(with.shown() == with.size());
  CHECK(with.cosignatures_shown() == 2);
  // A witness that is up to date is left in peace.
  const int asked = with.sender.requests[Witnessed::url(0)];
  with.next_round();
  CHECK(with.sender.requests[Witnessed::url(0)] == asked);
  CHECK(with.warnings().empty());
  const std::string member = with.member("witnesses");
  CHECK(member.find(R"({"name":"w0","size":)" + std::to_string(with.size()) + R"(,"cosignedAt":")") !=
        std::string::npos);
  const auto kept =
      read_checkpoints(posix_file_system(), with.store_options.folder + "/checkpoints", with.store->store_id());
  REQUIRE(kept);
  REQUIRE(kept->all.size() == 2);
  for (const KeptCheckpoint& one : kept->all) {
    CHECK(one.witnessed);
    CHECK(with.cosignatures(one.note) == 2);
  }
}

TEST_CASE("Witnesses.AfterARestartTheyTellHowFarTheyAre") {
  Witnessed with(1);
  with.work();
  with.append(3);
  with.start();
  with.work();
  CHECK(with.cosignatures_shown() == 1);
  CHECK(with.sender.requests[Witnessed::url(0)] == 3);  // at first; from nothing, and from what it then said
  CHECK(with.shown() == with.size());
}

TEST_CASE("Witnesses.OneThatHangsHoldsUpNobody") {
  Witnessed with(2);
  with.sender.hangs[Witnessed::url(1)] = true;
  with.work();
  CHECK(with.cosignatures_shown() == 0);  // the round goes on
  CHECK(with.shown() == with.size());
  for (int round = 0; round < 3; ++round) {
    with.append(2);
    with.next_round();
    CHECK(with.shown() == with.size());
    CHECK(with.cosignatures_shown() == 1);
  }
  CHECK(with.sender.held.size() == 1);  // it is not asked twice at once
  // Given up: what was shown meanwhile stays, and it is asked again.
  WebhookAnswer late;
  late.outcome = WebhookAnswer::Outcome::TimedOut;
  late.detail = "no answer came in time";
  with.sender.held.at(0)(late);
  with.sender.hangs.clear();
  with.next_round();
  CHECK(with.cosignatures_shown() == 2);
  CHECK(with.shown() == with.size());
}

TEST_CASE("Witnesses.WhatIsShownNeverBecomesLess") {
  Witnessed with(1);
  std::uint64_t before = 0;
  for (int round = 0; round < 8; ++round) {
    with.sender.hangs.clear();
    if (round % 2 == 0) with.sender.hangs[Witnessed::url(0)] = true;
    with.append(1);
    with.next_round();
    CHECK(with.shown() >= before);
    before = with.shown();
    if (!with.sender.held.empty()) {
      with.sender.held.front()({});
      with.sender.held.clear();
      with.work();
      CHECK(with.shown() >= before);
      before = with.shown();
    }
  }
}

TEST_CASE("Witnesses.OneThatFailsIsToldOfAfterAWhile") {
  Witnessed with(1);
  WebhookAnswer& answer = with.sender.answers[Witnessed::url(0)];
  answer.outcome = WebhookAnswer::Outcome::ConnectFailed;
  answer.detail = "nobody listens there";
  with.work();
  CHECK(with.warnings().empty());
  for (int round = 0; round < 7; ++round) with.next_round();
  CHECK(with.warnings().find("the witness w0 does not cosign: nobody listens there") != std::string::npos);
  CHECK(with.shown() == with.size());
  with.sender.answers.clear();
  with.next_round();
  CHECK(with.warnings().empty());
  CHECK(with.cosignatures_shown() == 1);
}

TEST_CASE("Witnesses.OnlyACosignatureByItsKeyOverThisCheckpointCounts") {
  Witnessed with(2);
  const auto answered = [](int status, std::string body) {
    WebhookAnswer answer;
    answer.outcome = WebhookAnswer::Outcome::Answered;
    answer.status = status;
    answer.body = std::move(body);
    return answer;
  };
  SignedNote other{.text = "stele\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", .signatures = {}};
  sign_note(other, witness_key("w0"), Timestamp{1'000'000});
  std::string forged = format_signatures(other.signatures);
  other.signatures[0].key_id = with.settings.witnesses[0].verifier.id();
  for (const WebhookAnswer& bad : {answered(200, ""), answered(200, "no signature\n"), answered(200, forged),
                                   answered(200, format_signatures(other.signatures)), answered(409, "many\n"),
                                   answered(409, ""), answered(301, ""), answered(500, "")}) {
    CAPTURE(bad.status);
    CAPTURE(bad.body);
    with.sender.answers[Witnessed::url(0)] = bad;
    with.append(1);
    with.next_round();
    CHECK(with.cosignatures_shown() == 1);
    CHECK(with.member("witnesses").find(R"({"name":"w0","size":0,"cosignedAt":null})") != std::string::npos);
  }
}

TEST_CASE("Witnesses.ALogThatWasCutOrForkedIsDisputedAtOnce") {
  Witnessed with(1);
  with.work();
  REQUIRE(with.cosignatures_shown() == 1);
  const std::string copy = with.folder.path() + "/copy";
  with.witnesses.reset();
  with.keeper.reset();
  REQUIRE(with.store->close());
  with.store.reset();
  std::filesystem::copy(with.store_options.folder, copy, std::filesystem::copy_options::recursive);
  with.open();
  with.start();
  with.append(4);
  with.work();
  REQUIRE(with.cosignatures_shown() == 1);
  const std::uint64_t size = with.size();

  // The copy takes over, with the same key.
  with.witnesses.reset();
  with.keeper.reset();
  REQUIRE(with.store->close());
  with.store_options.folder = copy;
  with.history = 1;
  with.open();
  with.start();
  with.append(1);
  with.work();
  CHECK(with.warnings().find("the log was cut, or is an old copy") != std::string::npos);
  with.append(static_cast<int>(size - with.size()));
  REQUIRE(with.size() == size);
  with.next_round();
  CHECK(with.warnings().find("another root of size") != std::string::npos);
  with.append(1);
  with.next_round();
  CHECK(with.warnings().find("does not continue the checkpoint of size") != std::string::npos);
  CHECK(with.cosignatures_shown() == 0);
}

TEST_CASE("Anchors.EachWitnessedCheckpointIsAppendedToAFileAndReadsBack") {
  Witnessed with(1);
  const std::string path = with.folder.path() + "/anchor";
  with.settings.anchor_files.push_back(path);
  with.start();
  with.work();
  const std::string first = with.witnesses->newest()->note;
  with.next_round();  // nothing new
  with.append(1);
  with.next_round();
  const auto content = [&] {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  CHECK(content() == first + "\n" + with.witnesses->newest()->note + "\n");
  CHECK(with.cosignatures(*parse_note(content().substr(0, first.size()))) == 1);
  // One that was not written to its end stays what it is, and spoils nothing.
  std::filesystem::resize_file(path, first.size() + 1 + 30);
  with.append(1);
  with.next_round();
  CHECK(content().ends_with("\n\n" + with.witnesses->newest()->note + "\n"));
  CHECK(content().starts_with(first + "\n"));
}

TEST_CASE("Anchors.WithoutWitnessesOneAnHour") {
  Witnessed with(0);
  const std::string path = with.folder.path() + "/anchor";
  with.settings.anchor_files.push_back(path);
  with.start();
  with.work();
  const auto size = std::filesystem::file_size(path);
  with.append(1);
  with.next_round();
  CHECK(std::filesystem::file_size(path) == size);
  CHECK(with.shown() == with.size());  // it need not wait for anybody
  with.clock.monotonic += 3'600'000'000;
  with.next_round();
  CHECK(std::filesystem::file_size(path) > size);
}

TEST_CASE("Anchors.TroubleIsToldAndTriedAgain") {
  Witnessed with(0);
  const std::string path = with.folder.path() + "/far/anchor";
  with.settings.anchor_files.push_back(path);
  with.start();
  with.work();
  CHECK(with.warnings().find("checkpoints are not anchored (file)") != std::string::npos);
  CHECK(with.member("anchors") == R"([{"kind":"file","size":0,"waiting":1}])");
  std::filesystem::create_directory(with.folder.path() + "/far");
  with.work();
  CHECK(with.warnings().empty());
  CHECK(with.member("anchors") == R"([{"kind":"file","size":)" + std::to_string(with.size()) + R"(,"waiting":0}])");
}

TEST_CASE("Anchors.ARedisStreamGetsAnEntryACheckpointUnderItsSize") {
  Witnessed with(1);
  with.settings.anchor_streams.emplace_back("history");
  with.start();
  with.work();
  CHECK(with.redis.name == "history");
  REQUIRE(with.redis.added.size() == 1);
  const RedisEntry entry = with.redis.added[0];
  CHECK(entry.id == RedisEntryId{with.size(), 2});
  const std::vector<std::pair<std::string, std::string>> fields{
      {"origin", "stele"}, {"size", std::to_string(with.size())}, {"note", with.witnesses->newest()->note}};
  CHECK(entry.fields == fields);
  // The answer to an earlier attempt was lost.
  with.redis.addition.repeats = 1;
  with.append(1);
  with.redis.addition.stream_end = {with.size(), 2};
  with.next_round();
  CHECK(with.warnings().find("another one is anchored there") != std::string::npos);
  with.redis.addition.found.push_back(with.redis.added.back());
  with.work();
  CHECK(with.warnings().empty());
  with.redis.addition = {{RedisAnswer::Outcome::Away, {}, "there is no connection"}};
  with.append(1);
  with.next_round();
  CHECK(with.warnings() == "checkpoints are not anchored (redis-stream): there is no connection\n");
}

TEST_CASE("Witnesses.ThatNoCheckpointLeavesTheServerIsSaid") {
  Witnessed alone(0);
  CHECK(alone.member("checkpointCaveat").starts_with("\"no checkpoint leaves this server"));
  CHECK(alone.warnings().empty());
  alone.settings.anchor_files.push_back(alone.folder.path() + "/anchor");
  alone.start();
  CHECK(alone.member("checkpointCaveat") == "null");
  Witnessed watched(1);
  CHECK(watched.member("checkpointCaveat") == "null");
}

TEST_CASE("Witnesses.InBackgroundCheckpointsAreShownWithCosignatures") {
  const stele::test::TempFolder keys;
  SimulatedFileSystem files{3};
  stele::test::FakeClock clock;
  ServiceOptions options;
  options.checkpoints.keys_folder = keys.path() + "/keys";
  options.checkpoints.interval = std::chrono::milliseconds{1};
  const NoteSigner key = witness_key("w0");
  FakeWitnessSender sender;
  options.witness_sender = &sender;
  options.witnesses.witnesses.push_back({"http://w0", key.verifier()});
  options.witnesses.interval = std::chrono::milliseconds{5};
  auto key_files = SigningKeyFiles::open(posix_file_system(), "stele", options.checkpoints.keys_folder, "",
                                         KeyStore::IfMissing::Create);
  REQUIRE(key_files);
  const auto log_key = key_files->create();
  REQUIRE(log_key);
  const auto witness =
      Witness::open({.file_system = &files, .clock = &clock, .folder = "/w0", .signer = key, .logs = {*log_key}});
  REQUIRE(witness);
  sender.at[Witnessed::url(0)] = witness->get();
  TestService service(options);
  const Answer stored = service.post(event("a"));
  REQUIRE(stored.status == 201);
  const std::uint64_t position = std::stoull(stored.at("/position"));
  const std::vector trusted{key.verifier()};
  Answer shown;
  wait_until([&] {
    shown = service.get("/log/checkpoint");
    const auto note = parse_note(shown.body);
    return note && verified_by(*note, trusted)->size() == 1 && parse_checkpoint(note->text)->size > position;
  });
  const auto note = parse_note(shown.body);
  REQUIRE(note);
  CHECK(verified_by(*note, trusted)->size() == 1);
  CHECK(parse_checkpoint(note->text)->size > position);
  const Answer ready = service.get("/readyz");
  CHECK(ready.text("/witnesses/0/name") == "w0");
  CHECK(ready.at("/anchors") == "[]");
  CHECK(ready.at("/checkpointCaveat") == "null");
  CHECK(service.get("/metrics").body.find("stele_witness_size{witness=\"w0\"} ") != std::string::npos);
}

}  // namespace stele::api::test

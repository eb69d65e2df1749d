// What waits for checkpoints and tiles, and what never does: the disk under them hangs, and is let go.

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "api/audit/checkpoint_keeper.h"
#include "engine/audit/checkpoint.h"
#include "engine/audit/signed_note.h"
#include "engine/base/clock.h"
#include "engine/base/uuid.h"
#include "tests/api/support.h"
#include "tests/support/eventually.h"
#include "tests/support/gated_writes.h"
#include "tests/support/temp_folder.h"

namespace stele::api::test {
namespace {

using stele::test::GatedWrites;
using stele::test::ReadGate;

/// Whatever becomes of a test, nothing hangs when it ends.
struct LetGo {
  ReadGate& gate;
  ~LetGo() { gate.open(); }
};

const TestService::Headers kAsJson{{"Content-Type", "application/json"}};

ServiceOptions signing_often(const stele::test::TempFolder& keys) {
  ServiceOptions options;
  options.checkpoints.keys_folder = keys.path() + "/keys";
  options.checkpoints.interval = std::chrono::milliseconds{1};
  return options;
}

bool is_pending(const std::future<Answer>& answer) {
  return answer.wait_for(std::chrono::seconds{0}) == std::future_status::timeout;
}

std::uint64_t signed_size(TestService& service) {
  const Answer note = service.get("/log/checkpoint");
  if (note.status != 200) return 0;
  return parse_checkpoint(parse_note(note.body)->text)->size;
}

/// Appends and reads of all kinds are answered.
void check_served(TestService& service) {
  std::string last;
  for (int i = 0; i < 50; ++i) {
    const Answer stored = service.post(event("held-" + std::to_string(i % 3)));
    REQUIRE(stored.status == 201);
    last = stored.text("/eventId");
  }
  CHECK(service.post("[" + event("held-0") + "," + event("held-1") + "]").status == 201);
  const std::string conditional = R"({"events":[)" + event("held-9") +
                                  R"(],"condition":{"aggregates":[{"aggregateId":"held-9","lastSequenceNumber":0}]}})";
  CHECK(service.post(conditional).status == 201);
  CHECK(service.post(conditional).status == 409);
  for (const std::string& target :
       {"/v1/events/" + last, "/v1/events/" + last + "/data", std::string("/v1/events?aggregateId=held-0"),
        std::string("/v1/aggregates/held-0"), std::string("/v1/aggregates/held-0/state"), std::string("/v1/head"),
        std::string("/readyz"), std::string("/metrics")}) {
    CAPTURE(target);
    CHECK(service.get(target).status == 200);
  }
}

}  // namespace

TEST_CASE("CheckpointWaits.AppendsAndReadsGoOnWhileCheckpointsCannotBeWritten") {
  const stele::test::TempFolder keys;
  ReadGate gate;
  GatedWrites files(posix_file_system(), gate, "/checkpoints/");
  TestService service(signing_often(keys), &files, {});
  const LetGo let_go{gate};
  REQUIRE(eventually([&] { return signed_size(service) > 0; }));
  gate.close();
  const Answer first = service.post(event("a"));
  REQUIRE(first.status == 201);
  gate.await_waiting(1);
  const std::uint64_t covered = signed_size(service);
  check_served(service);
  // What is not durable yet is not shown.
  CHECK(signed_size(service) == covered);
  CHECK(service.store().head().size > covered + 50);
  const std::string proof = "/v1/events/" + first.text("/eventId") + "/proof";
  const Answer uncovered = service.get(proof);
  CHECK(uncovered.status == 404);
  CHECK(uncovered.slug() == "not-yet-covered");
  CHECK(uncovered.header("Retry-After") == "1");

  std::future<Answer> receipt = service.begin(Method::Post, "/v1/events?wait=checkpoint", event("a"), kAsJson);
  std::future<Answer> proven = service.begin(Method::Get, proof + "?wait=checkpoint");
  CHECK(service.post(event("b")).status == 201);  // nobody is held up by those that wait
  CHECK(is_pending(receipt));
  CHECK(is_pending(proven));
  gate.open();
  const Answer with_proof = receipt.get();
  CHECK(with_proof.status == 201);
  CHECK(with_proof.at("/proof/checkpoint") != "none");
  CHECK(proven.get().status == 200);
  const std::uint64_t end = service.store().head().size;
  CHECK(eventually([&] { return signed_size(service) >= end; }));
}

TEST_CASE("CheckpointWaits.AppendsAndReadsGoOnWhileTilesCannotBeWritten") {
  const stele::test::TempFolder keys;
  ReadGate gate;
  GatedWrites files(posix_file_system(), gate, "/tiles/");
  TestService service(signing_often(keys), &files, {});
  const LetGo let_go{gate};
  REQUIRE(eventually([&] { return signed_size(service) > 0; }));
  // A tree that is still being made ready needs its files for that.
  REQUIRE(eventually([&] { return service.get("/v1/audit/inclusion?position=0").status == 200; }));
  gate.close();
  REQUIRE(service.post(event("a")).status == 201);
  gate.await_waiting(1);
  check_served(service);
  // Checkpoints come from what is in memory, and go on too.
  const std::uint64_t end = service.store().head().size;
  CHECK(eventually([&] { return signed_size(service) >= end; }));
  // So do proofs, of what is in the files and of what waits for them, however many ask.
  const std::string last = service.get("/v1/events?limit=1&order=desc").text("/events/0/eventId");
  for (const std::string& target :
       {"/v1/events/" + last + "/proof", std::string("/v1/audit/inclusion?position=0"),
        "/v1/audit/inclusion?position=" + std::to_string(end - 1), std::string("/v1/audit/consistency?from=1"),
        "/log/tile/0/000.p/" + std::to_string(end), "/log/tile/entries/000.p/" + std::to_string(end)}) {
    CAPTURE(target);
    std::vector<std::future<Answer>> asked;
    for (int i = 0; i < 20; ++i) asked.push_back(service.begin(Method::Get, target));
    for (std::future<Answer>& answer : asked) {
      CHECK(service.get_in_time(answer, target).status == 200);
    }
  }
  gate.open();
  const Answer receipt = service.send(Method::Post, "/v1/events?wait=checkpoint", event("a"), kAsJson);
  CHECK(receipt.status == 201);
  CHECK(receipt.at("/proof/checkpoint") != "none");
  CHECK(service.get("/log/tile/0/000.p/" + std::to_string(end)).status == 200);
}

TEST_CASE("CheckpointWaits.WhoWaitsInVainIsToldSoAndMayComeAgain") {
  const stele::test::TempFolder keys;
  ReadGate gate;
  GatedWrites files(posix_file_system(), gate, "/checkpoints/");
  TestService service(signing_often(keys), &files, {});
  const LetGo let_go{gate};
  gate.close();
  const Answer stored = service.post(event("a"));
  const std::string body = event("a", "2", R"("eventId":"0192f0c4-9000-7000-8000-000000000031")");
  std::future<Answer> receipt = service.begin(Method::Post, "/v1/events?wait=checkpoint", body, kAsJson);
  const std::string target = "/v1/events/" + stored.text("/eventId") + "/proof?wait=checkpoint";
  std::future<Answer> proof = service.begin(Method::Get, target);
  std::future<Answer> file = service.begin(Method::Get, target, {}, {{"Accept", "text/plain"}});
  // It is stored, and that is said.
  const Answer unproven = receipt.get();
  CHECK(unproven.status == 201);
  CHECK(unproven.header("Location") == "/v1/events/0192f0c4-9000-7000-8000-000000000031");
  CHECK(unproven.at("/proof") == "none");
  for (std::future<Answer>* const waited : {&proof, &file}) {
    const Answer answer = waited->get();
    CHECK(answer.status == 404);
    CHECK(answer.slug() == "not-yet-covered");
    CHECK(answer.header("Retry-After") == "1");
  }
  gate.open();
  const Answer again = service.send(Method::Post, "/v1/events?wait=checkpoint", body, kAsJson);
  CHECK(again.status == 200);
  CHECK(again.header("Idempotent-Replayed") == "true");
  CHECK(again.at("/position") == unproven.at("/position"));
  CHECK(again.at("/proof/index") == unproven.at("/position"));
  CHECK(service.get(target).status == 200);
}

namespace {

/// Fills a store that writes no tiles, and signs a checkpoint over all of it.
struct SignedWithoutTiles {
  static constexpr std::uint64_t kEvents = 5000;  // more than is read of the log in one piece

  CheckpointSettings settings;
  std::string note;

  void operator()(Store& store) {
    for (std::uint64_t i = 0; i < kEvents;) {
      Proposal proposal;
      for (int n = 0; n < 500; ++n, ++i) {
        RecordDraft& draft = proposal.events.emplace_back();
        draft.event_id = make_uuid_v7(system_clock());
        draft.aggregate_id = "a";
        draft.event_type = "T";
        draft.data = "1";
        draft.seal();
      }
      REQUIRE(store.append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
    }
    settings.in_background = false;
    const CheckpointKeeper keeper(store, settings, system_clock());
    REQUIRE(keeper.newest() != nullptr);
    note = keeper.newest()->note;
  }
};

}  // namespace

TEST_CASE("CheckpointWaits.WhileTheTreeIsMadeAgainItIsSaidHowFarItIs") {
  const stele::test::TempFolder keys;
  ReadGate gate;
  GatedWrites files(posix_file_system(), gate, "/tiles/0.tiles", ByteOffset{65});  // all but what comes first
  gate.close();
  ServiceOptions options = signing_often(keys);
  SignedWithoutTiles filled{options.checkpoints, {}};
  TestService service(std::move(options), &files, std::ref(filled), true);
  const LetGo let_go{gate};
  gate.await_waiting(1);
  const Answer events = service.get("/v1/events?aggregateId=a&limit=1");
  REQUIRE(events.status == 200);
  const std::string id = events.text("/events/0/eventId");
  const std::string proof = "/v1/events/" + id + "/proof";
  for (const std::string& target :
       {proof, std::string("/log/checkpoint"), std::string("/log/tile/0/000"), std::string("/log/tile/1/000.p/1"),
        std::string("/log/tile/entries/000"), std::string("/v1/audit/inclusion?position=0"),
        std::string("/v1/audit/consistency?from=1")}) {
    CAPTURE(target);
    const Answer answer = service.get(target);
    CHECK(answer.status == 503);
    CHECK(answer.slug() == "tree-rebuilding");
    CHECK(answer.header("Retry-After") == "1");
    CHECK(std::stoull(answer.at("/progress/size")) > 0);
    CHECK(std::stoull(answer.at("/progress/size")) < SignedWithoutTiles::kEvents);
    CHECK(std::stoull(answer.at("/progress/of")) == service.store().head().size);
  }
  CHECK(service.get(proof, {{"Accept", "text/plain"}}).slug() == "tree-rebuilding");
  CHECK(service.get("/log/tile/0/nonsense").slug() == "not-found");
  CHECK(service.get("/log/keys").status == 200);
  CHECK(service.get("/metrics").body.find("stele_tree_rebuilding 1\n") != std::string::npos);
  check_served(service);

  // Who waits for the tree that long gets what there is.
  std::future<Answer> receipt = service.begin(Method::Post, "/v1/events?wait=checkpoint", event("a"), kAsJson);
  CHECK(service.get(proof + "?wait=checkpoint").slug() == "tree-rebuilding");
  const Answer unproven = receipt.get();
  CHECK(unproven.status == 201);
  CHECK(unproven.at("/proof") == "none");

  gate.open();
  REQUIRE(eventually([&] { return service.get(proof).status == 200; }));
  CHECK(service.get("/log/tile/0/000").status == 200);
  CHECK(service.get("/log/tile/1/000.p/1").status == 200);
  CHECK(service.get("/log/tile/entries/000").status == 200);
  // The log goes on from what was signed before.
  const std::uint64_t before = parse_checkpoint(parse_note(filled.note)->text)->size;
  CHECK(before == SignedWithoutTiles::kEvents + 2);
  CHECK(signed_size(service) >= before);
  CHECK(service.send(Method::Post, "/v1/events?wait=checkpoint", event("a"), kAsJson).at("/proof/index") != "none");
}

TEST_CASE("CheckpointWaits.TheLastCheckpointIsShownAsSoonAsTheTreeIsThere") {
  const stele::test::TempFolder keys;
  ReadGate gate;
  GatedWrites files(posix_file_system(), gate, "/tiles/0.tiles", ByteOffset{65});
  gate.close();
  ServiceOptions options = signing_often(keys);
  options.checkpoints.interval = std::chrono::hours{1};
  SignedWithoutTiles filled{options.checkpoints, {}};
  TestService service(std::move(options), &files, std::ref(filled), true);
  const LetGo let_go{gate};
  gate.await_waiting(1);
  CHECK(service.get("/log/checkpoint").slug() == "tree-rebuilding");

  gate.open();
  Answer shown;
  REQUIRE(eventually([&] {
    shown = service.get("/log/checkpoint");
    // Never that there is none.
    return shown.slug() != "tree-rebuilding";
  }));
  CHECK(shown.status == 200);
  CHECK(signed_size(service) >= parse_checkpoint(parse_note(filled.note)->text)->size);
}

}  // namespace stele::api::test

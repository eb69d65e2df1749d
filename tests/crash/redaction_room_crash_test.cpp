// Redactions as the service makes them, cut off at each call: by a power cut or by the end of the process. Afterwards
// each event is as it was or has lost what it was to lose, what was promised is finished, bodies are nowhere, the log
// is the one that was seen before, and that it is complete is told once.

#include <doctest/doctest.h>

#include <array>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/service.h"
#include "engine/audit/checkpoint.h"
#include "engine/verify/log_verifier.h"
#include "tests/api/fake_scripts.h"
#include "tests/api/support.h"
#include "tests/support/environment.h"
#include "tests/support/eventually.h"
#include "tests/support/sample_store.h"
#include "tests/support/simulated_file_system.h"
#include "tests/support/text_forms.h"
#include "tools/offline/log_trust.h"

namespace stele::api::test {

namespace {

using namespace stele::test;

enum class RoomScope {
  Event,      ///< in a sealed segment, with a state that a client has stored
  Member,     ///< metadata, and the data stays
  Aggregate,  ///< in all segments, with states of a client and of the server
  Newest,     ///< in the newest group of the active segment; its data has two bytes
};
constexpr std::array kRoomScopes{RoomScope::Event, RoomScope::Member, RoomScope::Aggregate, RoomScope::Newest};

/// Found nowhere else; with characters that JSON escapes.
std::string room_secret(const std::string& name) { return "nobody may \\ know \"" + name + "\" any more"; }

std::string json_string(const std::string& text) { return "\"" + forms_of(text)[1] + "\""; }

class RoomTrial {
 public:
  RoomTrial(std::uint64_t seed, RoomScope scope) : disk(seed), scope_(scope), options_(sample_options(disk)) {
    open();
    fill();
    remember();
  }
  ~RoomTrial() { close(); }

  void open() {
    auto opened = Store::open(options_);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().describe()));
    store_ = std::move(*opened);
    ServiceOptions options;
    options.scripts = &scripts_;
    scheduler_ = std::make_unique<TestScheduler>();
    service_ = std::make_unique<Service>(*store_, *scheduler_, std::move(options));
  }
  void close() {
    if (!service_) return;
    service_->begin_shutdown();
    (void)store_->close();
    scheduler_.reset();
    service_.reset();
    store_.reset();
  }

  /// Asks for it and waits until it is complete or the power is gone. True: it is complete.
  bool redact() {
    const Answer asked = ask();
    promised_ = asked.status == 202;
    if (promised_) location_ = asked.header("Location");
    if (!promised_) return false;
    bool is_complete = false;
    wait_until([&] {
      return disk.power_is_cut() || (is_complete = send(Method::Get, location_).text("/state") == "completed");
    });
    return is_complete;
  }
  /// What was promised is there after a restart, and is finished; what was not is asked for again.
  void finish() {
    check_events(false);
    if (!promised_) {
      const Answer again = ask();
      REQUIRE_MESSAGE(again.status == 202, again.body);
      location_ = again.header("Location");
    }
    wait_until([&] {
      const Answer status = send(Method::Get, location_);
      REQUIRE_MESSAGE(status.status == 200, status.body);
      return status.text("/state") == "completed";
    });
  }
  void check_finished() {
    check_events(true);
    check_nowhere();
    check_log();
    for (const auto& [path, proof] : proofs_) {
      Answer now = send(Method::Get, path);
      while (now.slug() == "tree-rebuilding") now = send(Method::Get, path);
      CHECK(now.body == proof);
    }
    const std::string id = location_.substr(location_.rfind('/') + 1);
    const Answer own = send(Method::Get, "/v1/events?includeSystem=true&aggregateId=%24redaction%2F" + id);
    REQUIRE(own.text("/events/0/eventType") == "$RedactionRequested");
    REQUIRE(own.text("/events/1/eventType") == "$RedactionCompleted");
    REQUIRE(own.at("/events/2") == "none");
  }

  SimulatedFileSystem disk;

 private:
  struct Known {
    std::string path, data, metadata;
    bool loses_data = false, loses_metadata = false;
    Position position;
    Digest leaf{};
  };

  Answer send(Method method, const std::string& target, const std::string& body = {}) {
    const TestRequest request(method, target, body, {{"Content-Type", "application/json"}}, *scheduler_);
    std::promise<Answer> answer;
    service_->handle(request, [&](Response response) {
      Answer given;
      given.status = response.status;
      given.body = std::move(response.body);
      for (auto& [name, value] : response.headers) given.headers[std::string(name)] = value;
      answer.set_value(std::move(given));
    });
    return answer.get_future().get();
  }
  Answer ask() {
    const std::string body = std::string(R"({"reason":"a court says so")") +
                             (scope_ == RoomScope::Member ? R"(,"members":["metadata"]})" : "}");
    return send(Method::Post, target_, body);
  }

  void store_event(const std::string& aggregate, std::string data, std::string metadata, bool loses_data,
                   bool loses_metadata) {
    const Answer stored = send(
        Method::Post, "/v1/events",
        event(aggregate, data, R"("aggregateType":"Mission")" + (metadata.empty() ? "" : ",\"metadata\":" + metadata)));
    REQUIRE_MESSAGE(stored.status == 201, stored.body);
    events_.push_back({.path = "/v1/events/" + stored.text("/eventId"),
                       .data = std::move(data),
                       .metadata = std::move(metadata),
                       .loses_data = loses_data,
                       .loses_metadata = loses_metadata,
                       .position = Position{std::stoull(stored.at("/position"))}});
  }
  std::string note(const std::string& name, bool is_secret) {
    const std::string text = room_secret(name);
    (is_secret ? secrets_ : kept_).push_back(text);
    return "{\"note" + std::to_string(secrets_.size() + kept_.size()) + "\":" + json_string(text) + "}";
  }

  void fill() {
    const bool all = scope_ == RoomScope::Aggregate;
    const bool one = scope_ == RoomScope::Event;
    const bool member = scope_ == RoomScope::Member;
    const std::string fill = "\"" + std::string(4'000, 'f') + "\"";
    store_event("a", note("data of one", all || one), note("metadata of one", all || one || member), all || one,
                all || one || member);
    target_ = all ? "/v1/aggregates/a/redact" : events_.back().path + "/redact";
    for (int i = 0; i < 36; ++i) {
      store_event("others", fill, {}, false, false);
      if (i % 9 == 0) store_event("a", note("part " + std::to_string(i), all), {}, all, false);
    }
    REQUIRE(store_->metrics().log_segments > 2);
    // What a client has folded goes with any of the events before it, whichever of their members are to go.
    const bool has_state = scope_ != RoomScope::Newest;
    const Answer state = send(Method::Post, "/v1/events/snapshot/a",
                              R"({"state":)" + note("state of a client", has_state) + R"(,"sequenceNumber":3})");
    REQUIRE_MESSAGE(state.status == 201, state.body);
    REQUIRE(send(Method::Post, "/v1/events/snapshot/a", "{}").status == 201);
    const bool newest = scope_ == RoomScope::Newest;
    store_event("a", "{}", note("metadata of the newest", all || newest), all || newest, all || newest);
    if (newest) target_ = events_.back().path + "/redact";
  }

  void remember() {
    before_ = store_->head();
    Record record;
    for (Known& known : events_) {
      REQUIRE(store_->view()->read(known.position, record));
      known.leaf = record.leaf();
      const std::string path = "/v1/audit/inclusion?position=" + std::to_string(known.position.value()) +
                               "&treeSize=" + std::to_string(before_.size);
      Answer proof = send(Method::Get, path);
      while (proof.slug() == "tree-rebuilding") proof = send(Method::Get, path);
      REQUIRE_MESSAGE(proof.status == 200, proof.body);
      proofs_.emplace_back(path, proof.body);
    }
    FileContents files;
    read_folder(disk, "/store", files);
    for (const std::string& secret : secrets_) REQUIRE(is_in(files, secret));
  }

  /// Until it is finished an event has all that it is to lose, or nothing of it.
  void check_events(bool finished) {
    Record record;
    for (const Known& known : events_) {
      CAPTURE(known.path);
      const Answer shown = send(Method::Get, known.path);
      REQUIRE_MESSAGE(shown.status == 200, shown.body);
      const bool loses = known.loses_data || known.loses_metadata;
      const bool gone = shown.at("/redacted") != "none";
      REQUIRE((loses ? gone || !finished : !gone));
      REQUIRE(shown.at("/data") == (gone && known.loses_data ? "none" : known.data));
      const std::string metadata = known.metadata.empty() ? "none" : known.metadata;
      REQUIRE(shown.at("/metadata") == (gone && known.loses_metadata ? "none" : metadata));
      REQUIRE(store_->view()->read(known.position, record));
      REQUIRE(record.leaf() == known.leaf);
    }
  }

  static bool is_in(const FileContents& files, const std::string& text) {
    for (const std::string& form : forms_of(text)) {
      for (const auto& [path, contents] : files) {
        if (contents.find(form) != std::string::npos) return true;
      }
    }
    return false;
  }
  /// Neither as the process sees the files nor as a power cut would leave them.
  void check_nowhere() {
    FileContents files;
    read_folder(disk, "/store", files);
    for (const auto& [path, contents] : files) REQUIRE(path.find(".rewritten") == std::string::npos);
    for (const std::string& kept : kept_) REQUIRE_MESSAGE(is_in(files, kept), kept);
    for (const bool durable : {false, true}) {
      if (durable) {
        for (auto& [path, contents] : files) contents = disk.durable_contents(path).value_or("");
      }
      for (const std::string& secret : secrets_) REQUIRE_MESSAGE(!is_in(files, secret), secret);
    }
  }

  /// Every checksum and leaf, and that the log goes on from what was seen of it.
  void check_log() {
    LogVerifierOptions options;
    options.folder = "/store";
    options.file_system = &disk;
    tools::LogTrust trust{std::nullopt};
    options.notices = &trust;
    options.since = SignedNote{
        .text = format_checkpoint({.origin = "stele", .size = before_.size, .root = before_.root}), .signatures = {}};
    options.threads = 1;
    const auto seen = verify_log(options);
    REQUIRE_MESSAGE(seen, (seen ? "" : seen.error().describe()));
    std::string found;
    for (const Finding& finding : seen->findings.list()) found += finding.text + "; ";
    REQUIRE_MESSAGE(seen->findings.count() == 0, found);
    REQUIRE(seen->redacted > 0);
  }

  const RoomScope scope_;
  FakeScripts scripts_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<TestScheduler> scheduler_;
  std::unique_ptr<Service> service_;
  std::vector<Known> events_;
  std::vector<std::string> secrets_, kept_;
  std::vector<std::pair<std::string, std::string>> proofs_;
  LogHead before_;
  std::string target_, location_;
  bool promised_ = false;
};

}  // namespace

TEST_CASE("RedactionRoomCrash.IsFinishedWhereverItWasCutOff") {
  const std::uint64_t stride = number_from("STELE_CALL_STRIDE", 7);
  std::uint64_t cuts = 0, seed = 0;
  for (const RoomScope scope : kRoomScopes) {
    for (std::uint64_t call = 1;; call += stride) {
      CAPTURE(static_cast<int>(scope));
      CAPTURE(call);
      RoomTrial trial(++seed, scope);
      trial.disk.cut_power_at_call(call);
      const bool finished = trial.redact();
      trial.disk.cut_power();
      trial.close();
      // Every third time the process alone ends.
      seed % 3 == 0 ? trial.disk.kill() : trial.disk.crash();
      trial.open();
      trial.finish();
      trial.check_finished();
      // It stays so, and nothing is told again.
      trial.disk.cut_power();
      trial.close();
      trial.disk.crash();
      trial.open();
      trial.check_finished();
      if (finished) break;
      ++cuts;
    }
  }
  MESSAGE(cuts << " cuts");
  CHECK(cuts > 20);
}

}  // namespace stele::api::test

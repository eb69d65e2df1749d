// A redaction that is cut off at each of its calls, by a power cut or by a call that fails: every record is as it was
// or as it should be, nothing else has changed, and the redaction can be finished.

#include <doctest/doctest.h>

#include "tests/support/environment.h"
#include "tests/support/redaction_model.h"

using namespace stele;
using namespace stele::test;

namespace {

constexpr BodyMemberSet kAll{7}, kDataOnly{1};

struct RedactionTrial {
  explicit RedactionTrial(std::uint64_t seed) : disk(seed), options(sample_options(disk)) {
    open();
    append_secrets(*store, 150);
    model.learn(*store);
    // In two sealed segments and in the active one, its newest record too.
    targets = {{Position{2}, kAll},  {Position{3}, kDataOnly}, {Position{5}, kAll},
               {Position{70}, kAll}, {Position{71}, kAll},     {Position{150}, kAll}};
    const std::vector<RedactionTarget> earlier{{Position{8}, kDataOnly}, {Position{71}, kDataOnly}};
    model.begin(earlier);
    REQUIRE(store->redact(earlier, {}));
    model.done();
  }
  void open() {
    auto opened = Store::open(options);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().describe()));
    store = std::move(*opened);
  }
  Result<RedactionCounts> redact() {
    model.begin(targets);
    return store->redact(targets, {.readers_wait = std::chrono::milliseconds{0}});
  }
  /// After a crash: what is there is old or redacted, the log goes on, and the redaction is finished.
  void judge() {
    open();
    model.check(*store);
    append_secrets(*store, 3);
    REQUIRE_MESSAGE(redact(), "cannot be finished");
    model.done();
    model.learn(*store);
    for (int opened = 0; opened < 2; ++opened) {
      model.check(*store);
      FileContents files;
      read_folder(disk, "/store", files);
      model.check_nowhere(files);
      for (auto& [path, contents] : files) contents = disk.durable_contents(path).value_or("");
      model.check_nowhere(files);
      for (const auto& [path, contents] : files) REQUIRE(path.find(".rewritten") == std::string::npos);
      REQUIRE(store->close());
      store.reset();
      open();
    }
  }

  SimulatedFileSystem disk;
  StoreOptions options;
  std::unique_ptr<Store> store;
  RedactionModel model;
  std::vector<RedactionTarget> targets;
};

}  // namespace

TEST_CASE("RedactionCrash.APowerCutLeavesTheOldOrTheNewOfEachRecord") {
  const std::uint64_t stride = number_from("STELE_CALL_STRIDE", 5);
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (std::uint64_t call = seed;; call += stride) {
      CAPTURE(seed);
      CAPTURE(call);
      RedactionTrial trial(seed * 1000 + call);
      trial.disk.cut_power_at_call(call);
      const auto counts = trial.redact();
      const bool finished = !trial.disk.power_is_cut();
      if (!finished) trial.disk.cut_power();
      trial.store.reset();
      trial.disk.crash();
      if (counts && !finished) REQUIRE(counts->records == trial.targets.size());
      if (counts) trial.model.done();  // it was told to be durable
      trial.judge();
      if (finished) break;
      ++cuts;
    }
  }
  MESSAGE(cuts << " power cuts");
  CHECK(cuts > 10);
}

TEST_CASE("RedactionCrash.AProcessThatIsKilledLeavesWhatCanBeFinished") {
  for (std::uint64_t call = 1;; call += 7) {
    CAPTURE(call);
    RedactionTrial trial(call);
    trial.disk.cut_power_at_call(call);
    (void)trial.redact();
    const bool finished = !trial.disk.power_is_cut();
    trial.disk.cut_power();
    trial.store.reset();
    trial.disk.kill();
    trial.judge();
    if (finished) break;
  }
}

TEST_CASE("RedactionCrash.AFailingCallLeavesAStoreThatServes") {
  const std::uint64_t stride = number_from("STELE_CALL_STRIDE", 3);
  std::uint64_t failures = 0, refused = 0;
  for (std::size_t kind = 0; kind < kSimulatedCalls; ++kind) {
    const auto call = static_cast<SimulatedCall>(kind);
    for (const SimulatedFailure how : {SimulatedFailure::Io, SimulatedFailure::DiskFull, SimulatedFailure::ShortIo}) {
      if (how == SimulatedFailure::ShortIo && call != SimulatedCall::Write) continue;
      const std::uint64_t step = call == SimulatedCall::Read ? 20 * stride : stride;
      for (std::uint64_t n = 1;; n += step) {
        CAPTURE(kind);
        CAPTURE(static_cast<int>(how));
        CAPTURE(n);
        RedactionTrial trial(n);
        const std::uint64_t before = trial.disk.calls(call);
        trial.disk.fail_call(call, n, how);
        const auto counts = trial.redact();
        const bool struck = trial.disk.calls(call) - before >= n;
        trial.disk.stop_failing();
        if (!struck) break;
        ++failures;
        if (!counts) ++refused;
        trial.model.check(*trial.store);
        // Only a failing write of the log itself, when the active segment is sealed, keeps it from going on.
        if (trial.store->health().writable) {
          append_secrets(*trial.store, 1);
          if (!counts) {
            const auto again = trial.redact();
            const bool unsure = !again && again.error().kind == ErrorKind::Poisoned;
            REQUIRE((again || unsure));
          }
          trial.model.check(*trial.store);
        }
        trial.store.reset();
        if (n % 2 == 0) {
          trial.disk.crash();
        } else {
          trial.disk.kill();
        }
        trial.judge();
      }
    }
  }
  MESSAGE(failures << " calls failed, " << refused << " redactions were refused");
  CHECK(refused > 20);
}

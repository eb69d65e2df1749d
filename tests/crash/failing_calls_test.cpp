// Every call of the engine to the file system fails in turn while it appends, begins new segments, writes index runs
// and merges them, and while it opens what that left. STELE_CALL_STRIDE 1 tries each call, other numbers every so many.

#include <doctest/doctest.h>

#include "tests/crash/store_trial.h"

using namespace stele;
using stele::test::number_from;
using stele::test::Trial;

namespace {

constexpr int kAppends = 60;

/// Seeds decide how the log is written (Trial::options): 1 and 2 stand for both ways.
class FailingCallTrial : public Trial {
 public:
  using Trial::Trial;

  /// Opens a new store, uses it, and opens it again to use it a little more.
  void work() {
    for (const int appends : {kAppends, 5}) {
      auto store = Store::open(options());
      if (!store) {
        REQUIRE_MESSAGE(store.error().os_error != 0, store.error().describe());
        return;
      }
      settle_unknown(**store);
      for (int i = 0; i < appends; ++i) append_one(**store);
      (void)(*store)->close();
    }
  }

  /// Nothing fails any more: what was answered must hold.
  void judge() {
    trouble = false;
    auto store = Store::open(options());
    REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
    settle_unknown(**store);
    check(**store);
    const std::size_t before = stored.size();
    while (stored.size() == before) append_one(**store);
    check(**store);
  }
};

}  // namespace

TEST_CASE("FailingCalls.NothingAcknowledgedIsLostWhicheverCallFails") {
  const std::uint64_t stride = number_from("STELE_CALL_STRIDE", 11);
  std::uint64_t trials = 0, events = 0;
  for (const std::uint64_t seed : {1, 2}) {
    FailingCallTrial whole(seed);
    whole.work();
    REQUIRE(whole.unknown.empty());
    for (std::size_t call = 0; call < kSimulatedCalls; ++call) {
      const auto kind = static_cast<SimulatedCall>(call);
      const std::uint64_t calls = whole.disk.calls(kind);
      for (const SimulatedFailure how : {SimulatedFailure::Io, SimulatedFailure::DiskFull, SimulatedFailure::ShortIo,
                                         SimulatedFailure::ShortDiskFull}) {
        const bool in_part = how == SimulatedFailure::ShortIo || how == SimulatedFailure::ShortDiskFull;
        if (in_part && kind != SimulatedCall::Write) continue;
        for (std::uint64_t n = 1 + trials % stride; n <= calls; n += stride) {
          CAPTURE(seed);
          CAPTURE(call);
          CAPTURE(static_cast<int>(how));
          CAPTURE(n);
          FailingCallTrial trial(seed);
          trial.trouble = true;
          trial.disk.fail_call(kind, n, how);
          trial.work();
          trial.disk.stop_failing();
          // Power is lost, or only the process ends.
          if (trials % 2 == 0) {
            trial.disk.crash();
          } else {
            trial.disk.kill();
          }
          trial.judge();
          ++trials;
          events += trial.stored.size();
        }
      }
    }
  }
  MESSAGE(trials << " calls failed, " << events << " events acknowledged, 0 lost");
  CHECK(trials > 0);
}

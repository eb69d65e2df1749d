#include "api/audit/event_prover.h"

#include "api/audit/event_proof_json.h"
#include "api/audit/tree_refusal.h"
#include "engine/audit/merkle_tree.h"
#include "engine/base/base64.h"

namespace stele::api {

namespace {

/// Right after a start the tree may be behind for a moment.
constexpr std::chrono::milliseconds kTreeLookInterval{10};

}  // namespace

EventProver::EventProver(Store& store, CheckpointKeeper& keeper, Scheduler& scheduler, std::size_t waiters_max)
    : store_(store),
      keeper_(keeper),
      scheduler_(scheduler),
      waiters_(PositionWaiters::attach(keeper.covered(), scheduler, waiters_max)) {}

bool EventProver::wait_covered(Position position, std::chrono::milliseconds at_most,
                               PositionWaiters::Callback callback) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  return waiters_->wait(position, at_most,
                        [this, deadline, callback = std::move(callback)](PositionWaiters::Outcome outcome) {
                          when_tree_is_ready(deadline, outcome, callback);
                        });
}

void EventProver::when_tree_is_ready(std::chrono::steady_clock::time_point deadline, PositionWaiters::Outcome outcome,
                                     PositionWaiters::Callback callback) {
  const bool waits = outcome == PositionWaiters::Outcome::Reached && store_.tree().progress().rebuilding &&
                     !closing_.load() && std::chrono::steady_clock::now() < deadline;
  if (!waits) return callback(outcome);
  scheduler_.after(kTreeLookInterval, [this, deadline, outcome, callback = std::move(callback)] {
    when_tree_is_ready(deadline, outcome, callback);
  });
}

void EventProver::begin_shutdown() {
  closing_.store(true);
  waiters_->close();
}

std::variant<EventProver::Inclusion, Problem> EventProver::find_inclusion(Position position) {
  const bool waits = keeper_.waits_for_tree();  // asked first: it ends when one is published
  auto checkpoint = keeper_.newest();
  if (!checkpoint && waits) return tree_rebuilding(store_.tree().progress());
  if (!checkpoint || checkpoint->checkpoint.size <= position.value()) {
    return Problem("not-yet-covered", "No signed checkpoint covers the event yet.").header("Retry-After", "1");
  }
  auto path = store_.tree().inclusion(position, checkpoint->checkpoint.size);
  if (!path) return tree_refusal(path.error(), store_.tree().progress());
  return Inclusion{std::move(checkpoint), std::move(*path)};
}

std::variant<std::string, Problem> EventProver::proof_json(const Record& record) {
  auto found = find_inclusion(record.header().position);
  if (auto* const problem = std::get_if<Problem>(&found)) return std::move(*problem);
  const Inclusion& inclusion = std::get<Inclusion>(found);
  return event_proof_json(record, inclusion.path, inclusion.checkpoint->checkpoint.size, inclusion.checkpoint->note);
}

std::variant<std::string, Problem> EventProver::proof_file(const Record& record) {
  auto found = find_inclusion(record.header().position);
  if (auto* const problem = std::get_if<Problem>(&found)) return std::move(*problem);
  const Inclusion& inclusion = std::get<Inclusion>(found);
  std::string text = "c2sp.org/tlog-proof@v1\nindex " + std::to_string(record.header().position.value()) + "\n";
  for (const Digest& hash : inclusion.path) text += base64_encode(as_bytes(hash)) + "\n";
  return text + "\n" + inclusion.checkpoint->note;
}

}  // namespace stele::api

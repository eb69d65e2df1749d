#pragma once
// Registrations that take longer than a request waits: candidates, and the thread that holds them against what is
// stored.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "api/schemas/candidate_check.h"
#include "api/schemas/schema_registry.h"
#include "engine/base/clock.h"
#include "engine/store/store.h"

namespace stele::api {

/// Thread-safe. A candidate that was cancelled in the log, by whomever, ends by itself.
class SchemaCandidates {
 public:
  static constexpr std::size_t kCandidatesMax = 16;  ///< of all types

  /// Goes on with those that the log has, from their beginning. All of them must outlive it.
  SchemaCandidates(Store& store, SchemaRegistry& registry, const Clock& clock);
  /// begin_shutdown(), and waits for the piece that is under way.
  ~SchemaCandidates();
  SchemaCandidates(const SchemaCandidates&) = delete;

  /// Goes on with it until it has ended, a piece of each in turn. `check` is null afterwards; if this throws, it is
  /// not.
  void take(std::unique_ptr<CandidateCheck>& check);

  struct Progress {
    std::uint64_t checked = 0;
    std::uint64_t failed = 0;
  };
  /// None if it is not here.
  [[nodiscard]] std::optional<Progress> progress(Position candidate) const;

  /// What has not ended stays in the log, for the next start. Idempotent.
  void begin_shutdown();

 private:
  struct Job {
    std::unique_ptr<CandidateCheck> check;
    Position position;
    Progress progress;
    std::chrono::steady_clock::time_point not_before{};
  };
  void work();
  [[nodiscard]] CandidateCheck::Step step(CandidateCheck& check) const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Job> jobs_;  ///< what a check does is the thread's alone
  std::atomic<bool> stopping_{false};
  std::thread thread_;  ///< begun with the first job
};

}  // namespace stele::api

#pragma once
// The worker processes of a server: started as they are needed, lent to one fold at a time, thrown away after anything
// that a script should not have done. What api::ScriptHost promises.
//
// A thread of the pool starts them (they end with the thread that did), and reaps those that are given up. begin()
// waits for a start that is under way, and otherwise only if the options say so; begin_upcasts() waits for one that is
// free, since reads of events are short, if not too many threads wait there already: they are those of all other reads
// too. Folds must be gone before the pool.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "api/replay/script_host.h"

namespace stele::net {

struct WorkerOptions {
  std::string program = "/proc/self/exe";  ///< the stele binary
  std::size_t workers_max = 0;             ///< processes at once; 0 = one a core, at most 4
  /// Once one was needed, keep another that is free, as long as there may be more: a start takes some ten milliseconds.
  /// The first is started when it is asked for, so that whoever has no scripts has no processes.
  bool start_ahead = true;
  std::size_t memory_bytes_max = 256U << 20;  ///< of a script
  /// Run scripts where system calls cannot be restricted: whoever writes handlers is then trusted with the server's
  /// user.
  bool trusted = false;
  std::chrono::milliseconds busy_wait{0};  ///< how long begin() waits for a fold that has to end first
  /// Of whoever calls begin_upcasts(): at most half of them wait there, and one is left beside those and the ones at
  /// work, as long as there are more threads than processes. Others are told Busy at once. 0 = all may wait.
  std::size_t reader_threads = 0;
  std::chrono::milliseconds start_time_max{10'000};
  std::uint64_t folds_max = 10'000;  ///< that one process serves
};

class WorkerPool final : public api::ScriptHost {
 public:
  explicit WorkerPool(const WorkerOptions& options);
  ~WorkerPool() override;
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Never waits: empty as long as no process was to start.
  [[nodiscard]] std::string unavailable() const override;
  [[nodiscard]] std::string engine_id() const override;
  [[nodiscard]] std::variant<std::unique_ptr<api::Fold>, api::FoldFailure> begin(
      const api::ScriptStart& start) override;
  [[nodiscard]] std::variant<std::unique_ptr<api::UpcastScripts>, api::UpcastFailure> begin_upcasts(
      const api::UpcastScriptLimits& limits) override;
  /// Causes of kills: the limits (api::FoldFailure), "abandoned", "died", and "worn": it served long, its memory has
  /// grown, or it was retired.
  [[nodiscard]] api::ScriptMetrics metrics() const override;
  std::uint64_t retire() override;
  [[nodiscard]] bool has_retired(std::uint64_t mark) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stele::net

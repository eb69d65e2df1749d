#pragma once
// One fold with a script: what api::Fold promises, done by a worker process, and the upcasters that it needs, or these
// alone. Batches of events go over while it is at an earlier one. One thread; waits by poll(), and looks at the time
// and at who waits for it at least every 50 ms.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/records/event_aliases.h"
#include "api/records/upcast_scripts.h"
#include "api/replay/fold.h"
#include "api/replay/script_host.h"
#include "net/worker/worker_process.h"

namespace stele::net {

/// What the failure of a script means to whoever wanted an event upcast.
[[nodiscard]] api::UpcastFailure upcast_failure_of(const api::FoldFailure& failure);

/// Why workers are killed or not used again; static texts, for metrics.
[[nodiscard]] std::string_view kill_cause_of(const api::FoldFailure& failure);

class ScriptFold final : public api::Fold, public api::UpcastScripts {
 public:
  /// Takes the worker back. `cause` is empty if it can be used again; else it was killed, or is dead.
  using GiveBack = std::function<void(std::unique_ptr<WorkerProcess> process, std::string_view cause)>;

  ScriptFold(std::unique_ptr<WorkerProcess> process, const api::ScriptStart& start, GiveBack give_back);
  ~ScriptFold() override;
  ScriptFold(const ScriptFold&) = delete;
  ScriptFold& operator=(const ScriptFold&) = delete;

  /// To be called first. Returns when the source is evaluated and the first state is there.
  [[nodiscard]] std::optional<api::FoldFailure> begin(const api::ScriptStart& start);
  /// The same for upcasters alone: there is no fold. Sends nothing.
  void begin_upcasts();
  using Fold::apply;
  [[nodiscard]] std::optional<api::FoldFailure> apply(const Record& event, const api::Upcast* upcast) override;
  [[nodiscard]] std::optional<api::FoldFailure> settle() override;
  [[nodiscard]] api::UpcastScripts* upcasts() override { return this; }
  [[nodiscard]] std::variant<api::FoldState, api::FoldFailure> state() override;

  [[nodiscard]] std::optional<api::UpcastFailure> check(std::string_view source) override;
  void run(std::string_view source, std::span<Task> tasks) override;
  [[nodiscard]] bool usable() const override { return !failure_; }

 private:
  struct Batch {
    std::uint64_t events = 0;
    std::size_t bytes = 0;
  };

  void prepare();
  /// The number of the upcaster, or why it is none.
  [[nodiscard]] std::variant<std::uint32_t, api::UpcastFailure> number_of(std::string_view source);
  void take_upcast(WorkerReply& reply);
  void close_batch();
  /// Sends all of `out_`, and goes on until `done()` too.
  std::optional<api::FoldFailure> exchange(const std::function<bool()>& done);
  void take_replies();
  void take(WorkerReply& reply);
  void fail(api::FoldFailure failure);
  /// The fold fails, and the worker with it.
  void fail_and_kill(api::FoldFailure failure);
  void worker_is_gone();

  std::unique_ptr<WorkerProcess> process_;  ///< null once it was given back
  const GiveBack give_back_;
  const std::function<bool()> abandoned_;
  const std::shared_ptr<const api::AliasTable> aliases_;  ///< or null
  const std::chrono::steady_clock::time_point deadline_;
  const std::size_t state_bytes_max_;
  std::uint32_t number_ = 0;  ///< of this fold, for its worker
  std::chrono::steady_clock::time_point next_look_{};

  std::string out_;       ///< frames on their way, or being made
  std::size_t sent_ = 0;  ///< of these
  std::optional<std::size_t> batch_begun_;
  std::uint64_t batch_events_ = 0;
  std::deque<Batch> in_flight_;
  std::size_t bytes_in_flight_ = 0;

  bool started_ = false;
  bool upcasts_only_ = false;
  const std::chrono::milliseconds call_time_;
  std::vector<std::string> upcasters_;              ///< sources that the worker has evaluated, by number
  std::optional<api::FoldFailure> upcaster_fault_;  ///< of the one that is being evaluated
  bool evaluating_ = false;
  bool is_told_ = false;         ///< whose fault it is that the process has ended
  std::span<Task> tasks_;        ///< that are under way
  std::size_t tasks_sent_ = 0;   ///< of these
  std::size_t tasks_done_ = 0;   ///< of these, in order
  std::size_t tasks_bytes_ = 0;  ///< of those sent and not done

  std::uint64_t events_ = 0;  ///< given so far
  WorkerCounts counts_;
  std::optional<std::string> state_;
  std::optional<api::FoldFailure> failure_;
};

}  // namespace stele::net

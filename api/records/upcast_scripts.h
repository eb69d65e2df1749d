#pragma once
// Upcasters that are scripts: the seam between what is known of schemas (api/schemas) and whatever runs scripts, code
// that a stranger wrote, in another process. Implemented in net (net/worker).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "api/records/event_upcasts.h"
#include "engine/log/record.h"

namespace stele::api {

/// A process that runs scripts has ended, and by no limit.
inline constexpr std::string_view kWorkerDied = "worker-died";

/// Calls upcasters, in one process for as long as it is held. One thread.
///
/// A source is an expression whose value is a function of data and event, `(data, event) => …`. It is evaluated anew
/// for each event, so its own variables begin anew; what it leaves on globals stays. What it returns is the new data,
/// JSON as a handler's state is; if that is undefined it is the data that it was given, with what it has changed in it.
/// `event` is what was sent but for `data`: it has no `sequenceNumber`, `position`, `timestamp` and `aggregateType`
/// either, which are not known before it is stored.
class UpcastScripts {
 public:
  virtual ~UpcastScripts() = default;

  struct Task {
    const Record* event = nullptr;
    std::string_view data;  ///< JSON
    std::optional<std::string> result{};
    std::optional<UpcastFailure> failure{};
  };
  /// Why a source is no upcaster, as far as that is seen before it is called.
  [[nodiscard]] virtual std::optional<UpcastFailure> check(std::string_view source) = 0;
  /// One call of the source for each task. What has neither result nor failure afterwards was not come to, because the
  /// process has ended with the task before. One that it has ended under without being told why is blamed on that task
  /// too: its failure passes, with the slug kWorkerDied.
  virtual void run(std::string_view source, std::span<Task> tasks) = 0;
  /// False: its process has ended, and another one has to be begun.
  [[nodiscard]] virtual bool usable() const = 0;
};

struct UpcastScriptLimits {
  std::chrono::milliseconds call_time{100};
  std::size_t result_bytes_max = 16U << 20;  ///< of one call
  std::chrono::steady_clock::time_point deadline;
  std::function<bool()> abandoned;  ///< whether nobody waits any more; may be empty
};

/// Thread-safe.
class UpcastScriptHost {
 public:
  virtual ~UpcastScriptHost() = default;
  /// Waits a little if no process is free and not too many wait.
  [[nodiscard]] virtual std::variant<std::unique_ptr<UpcastScripts>, UpcastFailure> begin_upcasts(
      const UpcastScriptLimits& limits) = 0;
  /// Name and version of what runs them, as far as it can make a difference to what they give; at most 64 bytes.
  [[nodiscard]] virtual std::string engine_id() const = 0;
};

}  // namespace stele::api

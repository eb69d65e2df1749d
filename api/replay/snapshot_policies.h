#pragma once
// How often snapshots are taken, by aggregate type. Events in `$snapshot-policy/<type>` aggregates
// (`$SnapshotPolicySet`, `$SnapshotPolicyRemoved`).

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/problem.h"
#include "api/replay/handler_registry.h"
#include "engine/base/clock.h"
#include "engine/store/store.h"

namespace stele::api {

struct SnapshotPolicy {
  std::uint64_t every_events = 1000;  ///< due when the sequence number passes a multiple of it; 0 = never
  std::uint32_t keep = 2;             ///< newest folded states of an aggregate and handler that are kept
  bool operator==(const SnapshotPolicy&) const = default;

  /// Whether one is due when an aggregate grows from `before` to `now`.
  [[nodiscard]] bool due(SequenceNumber before, SequenceNumber now) const {
    return every_events != 0 && before.value() / every_events != now.value() / every_events;
  }
};

/// Thread-safe; changes come one at a time. They and load() may block.
class SnapshotPolicies {
 public:
  static constexpr std::uint64_t kEveryEventsMax = 1'000'000'000;
  static constexpr std::size_t kPoliciesMax = 10'000;

  explicit SnapshotPolicies(SnapshotPolicy by_default) : default_(by_default) {}

  [[nodiscard]] Status load(const ReadView& view);
  /// Durable on return. Sets it, or with none removes it. True if that has made one where there was none.
  [[nodiscard]] std::variant<bool, Problem> set(Store& store, const std::string& aggregate_type,
                                                const std::optional<SnapshotPolicy>& policy, const ChangedBy& by,
                                                const Clock& clock);

  [[nodiscard]] const SnapshotPolicy& default_policy() const { return default_; }
  /// That of the type, else the default. Cheap: asked for each event that is appended.
  [[nodiscard]] SnapshotPolicy policy_of(const std::optional<std::string>& aggregate_type) const;
  /// Only what was set.
  [[nodiscard]] std::optional<SnapshotPolicy> set_for(std::string_view aggregate_type) const;
  [[nodiscard]] std::map<std::string, SnapshotPolicy, std::less<>> all() const;

 private:
  void apply(const Record& record);

  const SnapshotPolicy default_;
  std::mutex changing_;
  std::atomic<bool> any_{false};
  mutable std::shared_mutex mutex_;
  std::map<std::string, SnapshotPolicy, std::less<>> policies_;
};

}  // namespace stele::api

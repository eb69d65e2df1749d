#pragma once
// Answered calls of a short time, joined: those of one principal, address, route, action and outcome are one entry. It
// holds so many entries and no more, whatever comes: calls of further kinds are one entry together, and so are all
// refusals of strangers.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/endpoint/call_auditor.h"
#include "engine/base/ids.h"
#include "engine/base/mutex.h"

namespace stele::api {

struct JoinedCall {
  const AuditedAction* action = nullptr;
  ActionOutcome outcome = ActionOutcome::Done;
  std::string principal{};                      ///< empty = none, or several
  std::string remote_address{};                 ///< empty = several
  std::string_view route{};                     ///< its pattern; empty = none, or several
  std::optional<std::string> resource{};        ///< of all of them; none if they differ
  std::optional<std::string> correlation_id{};  ///< the same
  std::uint64_t count = 0;
  Timestamp first{};
  Timestamp last{};
  ShownRecords shown{};
  std::vector<std::string> filters{};                     ///< the first distinct ones
  std::uint64_t with_other_filters = 0;                   ///< calls whose filters are not among those
  std::vector<std::pair<int, std::uint64_t>> statuses{};  ///< of the answers; the first distinct ones
};

inline constexpr std::size_t kJoinedFiltersMax = 8;
inline constexpr std::size_t kJoinedStatusesMax = 16;

/// Thread-safe.
class JoinedCalls {
 public:
  /// So many entries of their own between two calls of refill().
  explicit JoinedCalls(std::size_t separate_max);
  JoinedCalls(const JoinedCalls&) = delete;

  /// Takes memory only for an entry, filters or a status that are new; it may throw then.
  void add(const AnsweredCall& call, Timestamp now);

  /// All of them, by the time of their first call, the joint ones last; empties it.
  [[nodiscard]] std::vector<JoinedCall> take();
  void refill() { left_.store(static_cast<std::int64_t>(separate_max_), std::memory_order_relaxed); }
  /// Whether there may be another entry of its own before the next refill().
  [[nodiscard]] bool has_room() const { return left_.load(std::memory_order_relaxed) > 0; }

 private:
  struct Entry {
    std::uint64_t hash;
    const Route* route;
    JoinedCall call;
  };
  /// For calls of some hashes, so that threads seldom meet.
  struct Shard {
    Mutex mutex;
    std::vector<Entry> entries GUARDED_BY(mutex);
    std::optional<JoinedCall> strangers GUARDED_BY(mutex);
    std::optional<JoinedCall> beyond GUARDED_BY(mutex);
  };
  static constexpr std::size_t kShards = 8;

  const std::size_t separate_max_;
  std::atomic<std::int64_t> left_;
  const std::unique_ptr<Shard[]> shards_;
};

}  // namespace stele::api

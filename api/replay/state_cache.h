#pragma once
// Newest folded states at hand, so that a state that is asked for often is not folded each time.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/replay/folded_state.h"

namespace stele::api {

struct CachedState {
  FoldedState state;
  Digest fingerprint{};
};

/// Of each aggregate and handler the newest state that was put. What it gives may be old, and of another fingerprint:
/// the caller judges. Thread-safe; may forget anything at any time.
class StateCache {
 public:
  virtual ~StateCache() = default;
  /// `handler` is the handler's identity. Null if there is none.
  [[nodiscard]] virtual std::shared_ptr<const CachedState> find(std::string_view aggregate_id,
                                                                const Digest& handler) = 0;
  /// False: it was dropped, because a newer one of the same fingerprint is there.
  virtual bool put(std::string_view aggregate_id, const Digest& handler, std::shared_ptr<const CachedState> state) = 0;
};

/// Whether states are gone for good from a cache that others share.
enum class Forgotten : std::uint8_t { Yes, NotYet };

/// One that is not this process's own. It may hold states of a history that the log no longer has: after a restore from
/// a backup.
class SharedStateCache : public StateCache {
 public:
  struct Metrics {
    std::uint64_t hits = 0, misses = 0;
    std::uint64_t errors = 0;  ///< it was away, did not answer in time, or what it gave was not what was put
  };
  [[nodiscard]] virtual Metrics metrics() const = 0;
  /// Deletes the states of the aggregate by these handlers. NotYet: it is away or gives no answer, and may have them
  /// for time_to_live() from when they were put. May wait for it. What this process has put before is deleted too, but
  /// only by a call that comes some time later: call again.
  [[nodiscard]] virtual Forgotten forget(std::string_view aggregate_id, std::span<const Digest> handlers) = 0;
  [[nodiscard]] virtual std::chrono::milliseconds time_to_live() const = 0;
};

/// In this process; the states used least recently make room.
class MemoryStateCache final : public StateCache {
 public:
  /// 0 = nothing is kept.
  explicit MemoryStateCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  [[nodiscard]] std::shared_ptr<const CachedState> find(std::string_view aggregate_id, const Digest& handler) override;
  bool put(std::string_view aggregate_id, const Digest& handler, std::shared_ptr<const CachedState> state) override;

  /// Of all handlers. Looks at every entry.
  void forget(std::string_view aggregate_id);

  struct Metrics {
    std::uint64_t hits = 0, misses = 0, entries = 0, bytes = 0;
  };
  [[nodiscard]] Metrics metrics() const;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const CachedState> state;
    std::size_t bytes = 0;
  };
  const std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  ///< the one used last first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0, misses_ = 0;
};

}  // namespace stele::api

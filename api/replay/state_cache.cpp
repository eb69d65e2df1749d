#include "api/replay/state_cache.h"

#include <utility>

#include "engine/base/digest.h"

namespace stele::api {

namespace {

/// What an entry takes beside its texts, about.
constexpr std::size_t kEntryBytes = 400;

std::string key_of(std::string_view aggregate_id, const Digest& handler) {
  return std::string(as_bytes(handler)).append(aggregate_id);
}

}  // namespace

std::shared_ptr<const CachedState> MemoryStateCache::find(std::string_view aggregate_id, const Digest& handler) {
  const std::string key = key_of(aggregate_id, handler);
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  ++(found == by_key_.end() ? misses_ : hits_);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->state;
}

bool MemoryStateCache::put(std::string_view aggregate_id, const Digest& handler,
                           std::shared_ptr<const CachedState> state) {
  std::string key = key_of(aggregate_id, handler);
  const std::size_t bytes = kEntryBytes + key.size() + state->state.json.size();
  const std::lock_guard lock(mutex_);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    const CachedState& there = *found->second->state;
    if (there.fingerprint == state->fingerprint && there.state.sequence > state->state.sequence) return false;
    bytes_ -= found->second->bytes;
    const auto entry = found->second;
    by_key_.erase(found);
    entries_.erase(entry);
  }
  // One that would drive out most of the others is better folded again.
  if (bytes > bytes_max_ / 4) return true;
  entries_.push_front({std::move(key), std::move(state), bytes});
  by_key_.emplace(entries_.front().key, entries_.begin());
  bytes_ += bytes;
  while (bytes_ > bytes_max_) {
    bytes_ -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  return true;
}

void MemoryStateCache::forget(std::string_view aggregate_id) {
  const std::lock_guard lock(mutex_);
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto entry = at++;
    if (std::string_view(entry->key).substr(sizeof(Digest)) != aggregate_id) continue;
    bytes_ -= entry->bytes;
    by_key_.erase(entry->key);
    entries_.erase(entry);
  }
}

MemoryStateCache::Metrics MemoryStateCache::metrics() const {
  const std::lock_guard lock(mutex_);
  return {hits_, misses_, entries_.size(), bytes_};
}

}  // namespace stele::api

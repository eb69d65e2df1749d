#include "engine/snapshots/snapshot_buffer.h"

namespace stele {
namespace {

std::uint64_t bytes_of(const std::string& key, const SnapshotBuffer::States& states) {
  std::uint64_t bytes = 0;
  for (const BufferedState& state : states) bytes += 256 + key.size() + state.bytes->size();
  return bytes;
}

}  // namespace

void SnapshotBuffer::put(const std::string& key, BufferedState state) {
  States& states = states_[key];
  bytes_ -= bytes_of(key, states);
  add_state(states, std::move(state), true);
  drop_superseded(states);
  bytes_ += bytes_of(key, states);
}

void SnapshotBuffer::remove_aggregate(std::string_view deletion_key) {
  auto at = states_.lower_bound(std::string(deletion_key));
  while (at != states_.end() && at->first.starts_with(deletion_key)) {
    bytes_ -= bytes_of(at->first, at->second);
    at = states_.erase(at);
  }
}

const SnapshotBuffer::States* SnapshotBuffer::find(const std::string& key) const {
  const auto at = states_.find(key);
  return at == states_.end() ? nullptr : &at->second;
}

}  // namespace stele

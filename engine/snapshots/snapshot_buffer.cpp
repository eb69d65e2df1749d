#include "engine/snapshots/snapshot_buffer.h"

#include <algorithm>

namespace stele {
namespace {

std::uint64_t bytes_of(const std::string& key, const BufferedState& state) { return 256 + key.size() + state.bytes->size(); }

}  // namespace

void SnapshotBuffer::put(const std::string& key, BufferedState state) {
  States& states = states_[key];
  bytes_ += bytes_of(key, state);
  const auto at = std::find_if(states.begin(), states.end(), [&](const auto& other) { return other.sequence <= state.sequence; });
  if (at != states.end() && at->sequence == state.sequence) {
    bytes_ -= bytes_of(key, *at);
    *at = std::move(state);
  } else {
    states.insert(at, std::move(state));
  }
  for (; states.size() > states.front().keep; states.pop_back()) bytes_ -= bytes_of(key, states.back());
}

void SnapshotBuffer::remove_aggregate(std::string_view deletion_key) {
  auto at = states_.lower_bound(std::string(deletion_key));
  while (at != states_.end() && at->first.starts_with(deletion_key)) {
    for (const BufferedState& state : at->second) bytes_ -= bytes_of(at->first, state);
    at = states_.erase(at);
  }
}

const BufferedState* SnapshotBuffer::find(const std::string& key, SequenceNumber at_most) const {
  const auto at = states_.find(key);
  return at == states_.end() ? nullptr : newest_at(at->second, at_most);
}

}  // namespace stele

#pragma once
// States that are not written yet, sorted as they will be in a file (a memtable).

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/snapshots/snapshot_file.h"

namespace stele {

struct BufferedState {
  SequenceNumber sequence;
  Digest fingerprint{};
  Timestamp time;
  std::uint32_t keep = 0;
  std::uint64_t checksum = 0;
  std::shared_ptr<const std::string> bytes;
};

/// Not thread-safe.
class SnapshotBuffer {
 public:
  using States = std::vector<BufferedState>;  // greatest sequence number first

  /// Replaces a state with the same sequence number; lets go of those that are superseded. Keys: snapshot_file.h.
  void put(const std::string& key, BufferedState state);
  void remove_aggregate(std::string_view deletion_key);
  /// Null if there are none.
  [[nodiscard]] const States* find(const std::string& key) const;

  [[nodiscard]] bool empty() const { return states_.empty(); }
  /// About what it takes in memory.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] const std::map<std::string, States>& entries() const { return states_; }

 private:
  std::map<std::string, States> states_;
  std::uint64_t bytes_ = 0;
};

}  // namespace stele

#pragma once
// What opening a store found and did.

#include <cstdint>
#include <string>
#include <vector>

namespace stele {

struct RecoveryReport {
  std::string tail_case;  ///< name of the row of the tail table that applied; "new" for a new store
  bool created = false;   ///< there was no store, and one was made
  std::uint64_t segments = 0;
  std::uint64_t records = 0;
  std::uint64_t index_runs = 0;       ///< that were used
  std::uint64_t replayed = 0;         ///< records that no run held, read again
  std::uint64_t cut_bytes = 0;        ///< bytes behind the last whole group that were zeroed
  std::uint64_t rewritten_bytes = 0;  ///< tail bytes written again and synced
  std::vector<std::string> notes;     ///< anything an operator should read
};

}  // namespace stele

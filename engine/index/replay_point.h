#pragma once
// Where the log goes on behind the last record of a part of the index, and the Merkle tree so far: with it a store
// opens without reading anything before.

#include <vector>

#include "engine/log/log_writer.h"

namespace stele {

struct ReplayPoint {
  LogPoint log;
  std::vector<Digest> subtrees;  ///< of the tree over all records before: see MerkleFrontier
};

}  // namespace stele

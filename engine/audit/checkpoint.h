#pragma once
// What is signed of a log: its name, how many leaves its Merkle tree has and their root (C2SP tlog-checkpoint). No I/O.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/result.h"

namespace stele {

struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;  ///< leaves: everything before this position
  Digest root{};
  std::vector<std::string> extensions;  ///< further lines, none of them empty
  bool operator==(const Checkpoint&) const = default;
};

/// The text of its note.
[[nodiscard]] std::string format_checkpoint(const Checkpoint& checkpoint);
/// InvalidArgument says what is wrong with the text of a note.
[[nodiscard]] Result<Checkpoint> parse_checkpoint(std::string_view text);

}  // namespace stele

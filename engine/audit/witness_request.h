#pragma once
// What a log sends to a witness: the checkpoint to be cosigned, and the proof that it continues the one that the
// witness has cosigned before (C2SP tlog-witness, add-checkpoint). No I/O.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/audit/signed_note.h"
#include "engine/base/ids.h"
#include "engine/base/result.h"

namespace stele {

struct WitnessRequest {
  std::uint64_t old_size = 0;  ///< 0: the witness has cosigned none
  std::vector<Digest> path;    ///< consistency of old_size with the checkpoint
  SignedNote note;             ///< the checkpoint
};

inline constexpr std::size_t kWitnessPathMax = 63;
/// Of a whole request: its first line, the path and the note.
inline constexpr std::size_t kWitnessRequestBytesMax = kNoteBytesMax + 64 * (kWitnessPathMax + 2);

[[nodiscard]] std::string format_witness_request(const WitnessRequest& request);
/// InvalidArgument says what is wrong. Whether the note is a checkpoint is not looked at.
[[nodiscard]] Result<WitnessRequest> parse_witness_request(std::string_view bytes);

/// The size that a witness answers a wrong old_size with: a line of its own. InvalidArgument: it is none.
[[nodiscard]] Result<std::uint64_t> parse_witnessed_size(std::string_view bytes);

}  // namespace stele

#pragma once
// Verifies the log of a server from outside, by a key that is trusted and a checkpoint that was kept.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/audit/note_key.h"
#include "engine/verify/finding.h"
#include "tools/client/remote_log.h"

namespace stele::tools {

struct RemoteVerification {
  CheckpointFile checkpoint;       ///< the server's newest
  std::uint64_t leaves = 0;        ///< that the root was computed from
  std::uint64_t entries = 0;       ///< of these, that were computed from entries
  std::uint64_t cosignatures = 0;  ///< on that checkpoint, by keys that are not judged: nobody has given them
  Findings findings;
  std::vector<std::string> notes;  ///< what to know that is no fault
};

/// The signature of the server's newest checkpoint, that it continues `since`, and its root from the leaves of all
/// records: from their entries where the server shows them, else from its tiles. Beside `key` those count that it has
/// endorsed, and so on, as events of the log say, which have to stand in that very tree. Errors are what kept it from
/// being done.
[[nodiscard]] Result<RemoteVerification> verify_remote_log(
    RemoteLog& log, const NoteVerifier& key, const std::optional<CheckpointFile>& since,
    const std::function<void(std::uint64_t records, std::uint64_t size)>& on_progress);

}  // namespace stele::tools

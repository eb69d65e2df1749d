#pragma once
// Verifies the log of a data folder from its bytes alone: every checksum, what ties records together, every leaf
// computed anew from header and body, and the tree over them compared with the checkpoints that were signed.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/audit/signed_note.h"
#include "engine/base/file_system.h"
#include "engine/base/result.h"
#include "engine/verify/finding.h"
#include "engine/verify/log_notices.h"

namespace stele {

struct LogVerifierOptions {
  std::string folder;
  FileSystem* file_system = nullptr;  ///< none = posix_file_system()
  LogNotices* notices = nullptr;      ///< never null; must outlive the call
  /// A checkpoint that was kept elsewhere; it must be one.
  std::optional<SignedNote> since;
  std::size_t threads = 0;  ///< that hash; 0 = one for each processor
  /// On the calling thread, once for each piece of the log.
  std::function<void(std::uint64_t records, std::uint64_t bytes, std::uint64_t bytes_total)> on_progress;
};

struct LogVerification {
  Uuid store_id;
  std::string origin;  ///< empty if the genesis record cannot be read
  std::uint64_t size = 0;
  std::optional<Digest> root;  ///< none if leaves are missing
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
  std::uint64_t unreadable = 0;   ///< records
  std::uint64_t redacted = 0;     ///< records
  std::uint64_t supposed = 0;     ///< of those that are not readable: their leaves were taken from the tiles
  std::uint64_t tile_hashes = 0;  ///< hashes in tiles that were compared
  std::uint64_t checkpoints = 0;
  std::uint64_t agreeing_checkpoints = 0;
  std::uint64_t witnessed_checkpoints = 0;  ///< of those that agree
  /// Everything before this position was signed by a valid key: the size of the greatest checkpoint that agrees.
  std::optional<std::uint64_t> proven;
  bool signatures_judged = false;  ///< there was a key to judge them by
  bool beside_server = false;      ///< a server has the folder; what it had not made durable was not read
  Findings findings;
  std::vector<std::string> notes;  ///< what to know that is no fault
};

/// Nothing in the folder is written, made, removed or locked; a server may append beside it. Memory: some pieces of the
/// log, 16 to 32 bytes an aggregate, 8 a redacted record, and the checkpoints. Errors are what kept it from being done:
/// NotFound without a log, Io, NewerFormat, Locked while a server starts.
[[nodiscard]] Result<LogVerification> verify_log(LogVerifierOptions options);

}  // namespace stele

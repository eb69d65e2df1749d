#pragma once
// Checkpoints that somebody has kept in a file.

#include <string>
#include <string_view>

#include "engine/audit/checkpoint.h"
#include "engine/audit/signed_note.h"
#include "engine/base/result.h"

namespace stele::tools {

struct CheckpointFile {
  SignedNote note;
  Checkpoint checkpoint;
};

/// Whose signatures are good is not looked at. What the file's open() says, or InvalidArgument.
[[nodiscard]] Result<CheckpointFile> read_checkpoint_file(const std::string& path);

/// The same; or, of many in one file, each with an empty line behind it as `--anchor` writes them, the one of the
/// greatest size, and of the log `origin` unless that is empty. One that was not written to its end is passed over.
[[nodiscard]] Result<CheckpointFile> read_kept_checkpoint(const std::string& path, std::string_view origin);

}  // namespace stele::tools

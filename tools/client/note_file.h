#pragma once
// Checkpoints that somebody has kept in a file.

#include <string>

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

}  // namespace stele::tools

#include "tools/client/note_file.h"

#include <utility>

#include "tools/client/answers.h"

namespace stele::tools {

Result<CheckpointFile> read_checkpoint_file(const std::string& path) {
  STELE_ASSIGN(const std::string bytes, read_file(path));
  CheckpointFile file;
  STELE_ASSIGN(file.note, parse_note(bytes));
  STELE_ASSIGN(file.checkpoint, parse_checkpoint(file.note.text));
  return file;
}

}  // namespace stele::tools

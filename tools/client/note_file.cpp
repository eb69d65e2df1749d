#include "tools/client/note_file.h"

#include <optional>
#include <utility>

#include "tools/client/answers.h"

namespace stele::tools {

namespace {

constexpr std::string_view kEmptyLine = "\n\n";
/// Years of one each ten seconds.
constexpr std::size_t kAnchorBytesMax = std::size_t{4} << 30;

Result<CheckpointFile> parse_one(std::string_view bytes) {
  CheckpointFile file;
  STELE_ASSIGN(file.note, parse_note(bytes));
  STELE_ASSIGN(file.checkpoint, parse_checkpoint(file.note.text));
  return file;
}

}  // namespace

Result<CheckpointFile> read_checkpoint_file(const std::string& path) {
  STELE_ASSIGN(const std::string bytes, read_file(path));
  return parse_one(bytes);
}

Result<CheckpointFile> read_kept_checkpoint(const std::string& path, std::string_view origin) {
  STELE_ASSIGN(const std::string bytes, read_file(path, kAnchorBytesMax));
  auto only = parse_one(bytes);
  if (only) return only;
  std::optional<CheckpointFile> newest;
  for (std::string_view rest = bytes; !rest.empty();) {
    const auto gap = rest.find(kEmptyLine);
    if (gap == std::string_view::npos) break;
    const auto end = rest.find(kEmptyLine, gap + kEmptyLine.size());
    auto one = parse_one(end == std::string_view::npos ? rest : rest.substr(0, end + 1));
    // What was not written to its end has an empty line behind it too, where more was written.
    const auto next = one ? end : gap;
    const bool is_wanted = one && (origin.empty() || one->checkpoint.origin == origin);
    if (is_wanted && (!newest || one->checkpoint.size >= newest->checkpoint.size)) newest = std::move(*one);
    rest.remove_prefix(next == std::string_view::npos ? rest.size() : next + kEmptyLine.size());
  }
  if (newest) return *std::move(newest);
  return only;
}

}  // namespace stele::tools

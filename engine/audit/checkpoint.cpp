#include "engine/audit/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "engine/base/base64.h"
#include "engine/base/digest.h"

namespace stele {

namespace {

Error no_checkpoint(const char* message) { return Error{.kind = ErrorKind::InvalidArgument, .message = message}; }

/// Takes the first line off; none if there is no whole one.
std::optional<std::string_view> take_line(std::string_view& text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

}  // namespace

std::string format_checkpoint(const Checkpoint& checkpoint) {
  std::string text = checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" +
                     base64_encode(as_bytes(checkpoint.root)) + "\n";
  for (const std::string& line : checkpoint.extensions) text += line + "\n";
  return text;
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  const auto origin = take_line(text);
  const auto size = take_line(text);
  const auto root = take_line(text);
  if (!origin || !size || !root) return no_checkpoint("a checkpoint has three lines at least");
  if (origin->empty()) return no_checkpoint("the first line of the checkpoint, its origin, is empty");
  Checkpoint checkpoint{.origin = std::string(*origin), .size = 0, .root = {}, .extensions = {}};
  const auto [end, error] = std::from_chars(size->data(), size->data() + size->size(), checkpoint.size);
  if (error != std::errc{} || end != size->data() + size->size() || std::to_string(checkpoint.size) != *size) {
    return no_checkpoint("the second line of the checkpoint is no size of a tree");
  }
  const auto bytes = base64_decode(*root);
  if (!bytes || bytes->size() != checkpoint.root.size()) {
    return no_checkpoint("the third line of the checkpoint is not the base64 of a root");
  }
  std::copy(bytes->begin(), bytes->end(), checkpoint.root.begin());
  while (!text.empty()) {
    const auto line = take_line(text);
    if (!line || line->empty()) return no_checkpoint("a further line of the checkpoint is empty, or does not end");
    checkpoint.extensions.emplace_back(*line);
  }
  return checkpoint;
}

}  // namespace stele

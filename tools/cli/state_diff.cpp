#include "tools/cli/state_diff.h"

#include "api/json/json_patch.h"
#include "tools/cli/printable.h"

namespace stele::tools {

namespace {

std::string line_of(const api::JsonChange& change) {
  const std::string path = change.path.empty() ? "(the whole state)" : printable(change.path);
  switch (change.kind) {
    case api::JsonChange::Kind::Remove:
      return "- " + path + ": " + printable(change.before);
    case api::JsonChange::Kind::Add:
      return "+ " + path + ": " + printable(change.after);
    case api::JsonChange::Kind::Replace:
      return "~ " + path + ": " + printable(change.before) + " -> " + printable(change.after);
  }
  return {};
}

std::string_view color_of(api::JsonChange::Kind kind) {
  switch (kind) {
    case api::JsonChange::Kind::Remove:
      return "\x1b[31m";
    case api::JsonChange::Kind::Add:
      return "\x1b[32m";
    case api::JsonChange::Kind::Replace:
      return "\x1b[33m";
  }
  return {};
}

}  // namespace

std::string state_diff(std::string_view before, std::string_view after, bool colors) {
  std::string text;
  for (const api::JsonChange& change : api::json_changes(before, after)) {
    if (colors) text += color_of(change.kind);
    text += line_of(change);
    if (colors) text += "\x1b[0m";
    text += '\n';
  }
  return text;
}

}  // namespace stele::tools

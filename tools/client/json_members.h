#pragma once
// The members of an object in an answer, as text. Numbers of any size are read past: a state may hold what no parser of
// numbers takes.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/json/json_tree.h"

namespace stele::tools {

/// Borrows the text, which is valid JSON; of anything but an object it has no members.
class JsonMembers {
 public:
  explicit JsonMembers(std::string_view json);

  /// As written; none if there is no such member.
  [[nodiscard]] std::optional<std::string_view> raw(std::string_view name) const;
  /// What a string means, or another value as written; empty for null, and if there is no such member.
  [[nodiscard]] std::string text(std::string_view name) const;
  /// The same of a member's member.
  [[nodiscard]] std::string text(std::string_view name, std::string_view inner) const;
  /// The elements of an array, as written.
  [[nodiscard]] std::vector<std::string_view> list(std::string_view name) const;

 private:
  api::JsonTree tree_;
};

}  // namespace stele::tools

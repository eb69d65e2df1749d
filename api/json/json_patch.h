#pragma once
// The difference of two JSON texts as a JSON Patch (RFC 6902).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stele::api {

/// One operation of a patch. The values are JSON without white space outside strings.
struct JsonChange {
  enum class Kind : std::uint8_t { Add, Remove, Replace };
  Kind kind = Kind::Add;
  std::string path;    ///< RFC 6901, in the document as the changes before this one left it
  std::string before;  ///< empty for Add
  std::string after;   ///< empty for Remove
};

/// What makes `changed` of `original`, both valid JSON, in the order in which it is to be done.
///
/// Objects are compared member by member, whatever their order; of a repeated name the last member counts. Arrays are
/// compared from both ends; what is left between is compared element by element, then added or removed. Numbers are
/// the same if they are written the same (1 and 1.0 are not), strings if they mean the same.
///
/// Where the changes inside an array or object would make a patch several times as long as that value, they give way to
/// one that replaces it: paths and new values are at most about four times as long as `changed`, and 64 KiB. Time is n
/// log n, times the nesting of what differs; memory some 32 bytes a value, up to a million values of each text (what
/// comes behind is replaced, not looked into, and so is what lies deeper than JsonTree::kDepthMax).
[[nodiscard]] std::vector<JsonChange> json_changes(std::string_view original, std::string_view changed);

/// Appends them as a JSON Patch: `[]` if there are none.
void append_json_patch(std::string& to, std::string_view original, std::string_view changed);

}  // namespace stele::api

#pragma once
// JSON Merge Patch (RFC 7396) on JSON text.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "api/json/json_tree.h"

namespace stele::api {

/// A document that patches are merged into, one after another. All texts are valid JSON.
///
/// Numbers and strings stay as they were written, and so does a member's name: as it was written first. White space
/// outside strings is removed. Names are compared by what they mean; of a name that is repeated in an object the last
/// member counts. Members stay in the order in which they came. Arrays and objects that lie deeper than
/// JsonTree::kDepthMax are replaced, not merged.
///
/// Merging takes time linear in the patch (n log n in the members of one object), whatever the size of the document.
/// Memory is some hundred bytes a member of the document and its text. Not thread-safe.
class MergeDocument {
 public:
  explicit MergeDocument(std::string_view initial);
  ~MergeDocument();
  MergeDocument(MergeDocument&&) noexcept;
  MergeDocument& operator=(MergeDocument&&) noexcept;

  void apply(std::string_view patch);
  /// Of what append_to() appends.
  [[nodiscard]] std::size_t bytes() const;
  void append_to(std::string& to) const;

 private:
  struct Object;
  struct Value;
  enum class Nulls : std::uint8_t { Keep, Remove };

  void set(std::string_view json, Nulls nulls);
  void merge(Object& to, std::uint32_t from, Nulls nulls);
  static void append_value(std::string& to, const Value& value);

  JsonTree patch_;  ///< kept for its memory
  std::unique_ptr<Value> root_;
};

}  // namespace stele::api

#pragma once
// The values of a JSON text that has already been validated, in the order of the text: what is needed to compare or
// combine two texts member by member. Text that is not valid JSON gives a meaningless tree, but never a read outside
// the text.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace stele::api {

/// Reused from text to text without allocating. Borrows the text. Not thread-safe.
class JsonTree {
 public:
  /// Arrays and objects that lie deeper than this are not looked into.
  static constexpr std::size_t kDepthMax = 1024;

  enum class Kind : std::uint8_t {
    Object,  ///< its members are its children
    Array,   ///< its elements are its children
    Whole,   ///< has no children: a scalar, or what was not looked into
  };
  struct Node {
    std::uint64_t name_hash = 0;   ///< of what the name means; 0 for what is no member
    std::uint32_t name = 0;        ///< offset of a member's name in the text
    std::uint32_t name_bytes = 0;  ///< quotes included; 0 for what is no member
    std::uint32_t value = 0;       ///< offset
    std::uint32_t value_bytes = 0;
    std::uint32_t end = 0;  ///< number of the node behind the last one inside it, which is the next child of its parent
    Kind kind = Kind::Whole;
    bool repeated = false;  ///< a member whose name comes again behind it: it does not count
  };
  struct Options {
    bool arrays = true;  ///< false: arrays are not looked into
    /// From this number on nothing is looked into any more.
    std::size_t nodes_max = std::numeric_limits<std::uint32_t>::max();
  };

  /// Time is linear in the text, but for n log n in the members of an object. Node 0 is the value itself, its children
  /// begin at 1; those of node n at n + 1. A text of 4 GiB or more is taken for the value null.
  void parse(std::string_view text, const Options& options);

  [[nodiscard]] const Node& node(std::uint32_t number) const { return nodes_[number]; }
  /// As written, with quotes.
  [[nodiscard]] std::string_view name(const Node& node) const { return text_.substr(node.name, node.name_bytes); }
  /// As written, with the white space inside it.
  [[nodiscard]] std::string_view value(const Node& node) const { return text_.substr(node.value, node.value_bytes); }

 private:
  struct Name {
    std::uint64_t hash;
    std::uint32_t node;
  };

  [[nodiscard]] std::uint64_t hash_of(std::string_view token);
  void close(std::uint32_t number, std::size_t end);
  void find_repeated(std::uint32_t object);

  std::string_view text_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> open_;
  std::vector<Name> names_;
  std::string decoded_;
};

}  // namespace stele::api

#include "api/json/json_patch.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "api/json/json_string.h"
#include "api/json/json_text.h"
#include "api/json/json_tree.h"
#include "api/json/json_writer.h"

namespace stele::api {

namespace {

constexpr std::size_t kNodesMax = 1U << 20;
constexpr std::size_t kSlackBytes = 64U << 10;
constexpr std::size_t kTimes = 4;
constexpr std::size_t kOperationBytes = 40;  ///< of a patch, beside path and value

std::string minified(std::string_view json) {
  std::string text;
  text.reserve(json.size());
  append_minified(text, json);
  return text;
}

class Comparison {
 public:
  Comparison(std::string_view original, std::string_view changed)
      : old_text_(minified(original)), new_text_(minified(changed)) {
    old_.parse(old_text_, {.nodes_max = kNodesMax});
    new_.parse(new_text_, {.nodes_max = kNodesMax});
  }

  std::vector<JsonChange> run() {
    compare(0, 0, std::numeric_limits<std::size_t>::max());
    return std::move(changes_);
  }

 private:
  using Kind = JsonTree::Kind;
  struct Name {
    std::uint64_t hash;
    std::uint32_t node;
  };

  [[nodiscard]] std::string_view old_value(std::uint32_t number) const { return old_.value(old_.node(number)); }
  [[nodiscard]] std::string_view new_value(std::uint32_t number) const { return new_.value(new_.node(number)); }

  /// Both are at path_. Nobody wants what comes when bytes_ is more than `bytes_max`.
  void compare(std::uint32_t before, std::uint32_t after, std::size_t bytes_max) {
    const std::string_view is = new_value(after);
    if (old_value(before) == is) return;
    const Kind kind = new_.node(after).kind;
    if (kind == Kind::Whole || old_.node(before).kind != kind) {
      const bool strings = is.starts_with('"') && old_value(before).starts_with('"');
      if (!strings || !same_json_string(old_value(before), is))
        change(JsonChange::Kind::Replace, old_value(before), is);
      return;
    }
    const std::size_t first = changes_.size();
    const std::size_t bytes = bytes_;
    const std::size_t own_max = bytes + kSlackBytes + kTimes * (path_.size() + is.size());
    if (kind == Kind::Object) {
      compare_objects(before, after, std::min(bytes_max, own_max));
    } else {
      compare_arrays(before, after, std::min(bytes_max, own_max));
    }
    if (bytes_ <= own_max) return;
    changes_.resize(first);
    bytes_ = bytes;
    change(JsonChange::Kind::Replace, old_value(before), is);
  }

  /// Its members that count, by hash.
  static std::vector<Name> names_of(const JsonTree& tree, std::uint32_t object) {
    std::vector<Name> names;
    const std::uint32_t end = tree.node(object).end;
    for (std::uint32_t child = object + 1; child < end; child = tree.node(child).end) {
      if (!tree.node(child).repeated) names.push_back({tree.node(child).name_hash, child});
    }
    std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.hash < b.hash; });
    return names;
  }

  /// The member of `tree` that has the same name; none if there is none.
  static std::optional<std::uint32_t> same_member(const JsonTree& tree, const std::vector<Name>& names,
                                                  const JsonTree& other, std::uint32_t member) {
    const JsonTree::Node& node = other.node(member);
    auto at = std::lower_bound(names.begin(), names.end(), node.name_hash,
                               [](const Name& name, std::uint64_t hash) { return name.hash < hash; });
    for (; at != names.end() && at->hash == node.name_hash; ++at) {
      if (same_json_string(tree.name(tree.node(at->node)), other.name(node))) return at->node;
    }
    return std::nullopt;
  }

  void compare_objects(std::uint32_t before, std::uint32_t after, std::size_t bytes_max) {
    const std::vector<Name> new_names = names_of(new_, after);
    const std::uint32_t old_end = old_.node(before).end;
    for (std::uint32_t child = before + 1; child < old_end; child = old_.node(child).end) {
      if (bytes_ > bytes_max) return;
      if (old_.node(child).repeated) continue;
      const std::size_t parent = enter(old_.name(old_.node(child)));
      const auto kept = same_member(new_, new_names, old_, child);
      if (kept) {
        compare(child, *kept, bytes_max);
      } else {
        change(JsonChange::Kind::Remove, old_value(child), {});
      }
      path_.resize(parent);
    }
    const std::vector<Name> old_names = names_of(old_, before);
    const std::uint32_t new_end = new_.node(after).end;
    for (std::uint32_t child = after + 1; child < new_end; child = new_.node(child).end) {
      if (bytes_ > bytes_max) return;
      if (new_.node(child).repeated || same_member(old_, old_names, new_, child)) continue;
      const std::size_t parent = enter(new_.name(new_.node(child)));
      change(JsonChange::Kind::Add, {}, new_value(child));
      path_.resize(parent);
    }
  }

  static std::vector<std::uint32_t> elements_of(const JsonTree& tree, std::uint32_t array) {
    std::vector<std::uint32_t> elements;
    const std::uint32_t end = tree.node(array).end;
    for (std::uint32_t child = array + 1; child < end; child = tree.node(child).end) elements.push_back(child);
    return elements;
  }

  void compare_arrays(std::uint32_t before, std::uint32_t after, std::size_t bytes_max) {
    const std::vector<std::uint32_t> from = elements_of(old_, before);
    const std::vector<std::uint32_t> into = elements_of(new_, after);
    const std::size_t shorter = std::min(from.size(), into.size());
    std::size_t first = 0;
    while (first < shorter && old_value(from[first]) == new_value(into[first])) ++first;
    std::size_t last = 0;  // counted from the end
    while (last < shorter - first &&
           old_value(from[from.size() - 1 - last]) == new_value(into[into.size() - 1 - last])) {
      ++last;
    }
    const auto at_element = [&](std::size_t index, const auto& act) {
      const std::size_t parent = path_.size();
      path_ += '/';
      append_number(path_, index);
      act();
      path_.resize(parent);
    };
    const std::size_t aligned = shorter - last;
    for (std::size_t i = first; i < aligned && bytes_ <= bytes_max; ++i) {
      at_element(i, [&] { compare(from[i], into[i], bytes_max); });
    }
    for (std::size_t i = from.size() - last; i > aligned && bytes_ <= bytes_max; --i) {
      at_element(i - 1, [&] { change(JsonChange::Kind::Remove, old_value(from[i - 1]), {}); });
    }
    for (std::size_t i = aligned; i < into.size() - last && bytes_ <= bytes_max; ++i) {
      at_element(i, [&] { change(JsonChange::Kind::Add, {}, new_value(into[i])); });
    }
  }

  /// Goes down to a member; gives the length of the path to go back to.
  std::size_t enter(std::string_view name) {
    const std::size_t parent = path_.size();
    std::string meaning;
    append_decoded_string(meaning, name);
    path_ += '/';
    for (const char c : meaning) {
      if (c == '~') {
        path_ += "~0";
      } else if (c == '/') {
        path_ += "~1";
      } else {
        path_ += c;
      }
    }
    return parent;
  }

  void change(JsonChange::Kind kind, std::string_view before, std::string_view after) {
    changes_.push_back({kind, path_, std::string(before), std::string(after)});
    bytes_ += kOperationBytes + path_.size() + after.size();
  }

  const std::string old_text_;
  const std::string new_text_;
  JsonTree old_;
  JsonTree new_;
  std::string path_;
  std::vector<JsonChange> changes_;
  std::size_t bytes_ = 0;  ///< of a patch that says so, about
};

std::string_view operation_of(JsonChange::Kind kind) {
  switch (kind) {
    case JsonChange::Kind::Add:
      return "add";
    case JsonChange::Kind::Remove:
      return "remove";
    case JsonChange::Kind::Replace:
      return "replace";
  }
  return {};
}

}  // namespace

std::vector<JsonChange> json_changes(std::string_view original, std::string_view changed) {
  return Comparison(original, changed).run();
}

void append_json_patch(std::string& to, std::string_view original, std::string_view changed) {
  JsonWriter json(to);
  json.begin_array();
  for (const JsonChange& change : json_changes(original, changed)) {
    json.begin_object().key("op").plain(operation_of(change.kind)).key("path").string(change.path);
    if (change.kind != JsonChange::Kind::Remove) json.key("value").raw(change.after);
    json.end_object();
  }
  json.end_array();
}

}  // namespace stele::api

#include "tools/client/json_members.h"

#include "api/json/json_string.h"

namespace stele::tools {

JsonMembers::JsonMembers(std::string_view json) { tree_.parse(json, {.nodes_max = 1}); }

std::optional<std::string_view> JsonMembers::raw(std::string_view name) const {
  const api::JsonTree::Node& root = tree_.node(0);
  if (root.kind != api::JsonTree::Kind::Object) return std::nullopt;
  for (std::uint32_t child = 1; child < root.end; child = tree_.node(child).end) {
    const api::JsonTree::Node& node = tree_.node(child);
    if (node.repeated) continue;
    std::string meaning;
    api::append_decoded_string(meaning, tree_.name(node));
    if (meaning == name) return tree_.value(node);
  }
  return std::nullopt;
}

std::string JsonMembers::text(std::string_view name) const {
  const auto value = raw(name);
  if (!value || *value == "null") return {};
  if (!value->starts_with('"')) return std::string(*value);
  std::string meaning;
  api::append_decoded_string(meaning, *value);
  return meaning;
}

std::string JsonMembers::text(std::string_view name, std::string_view inner) const {
  return JsonMembers(raw(name).value_or("null")).text(inner);
}

std::vector<std::string_view> JsonMembers::list(std::string_view name) const {
  std::vector<std::string_view> elements;
  api::JsonTree array;
  array.parse(raw(name).value_or("null"), {.nodes_max = 1});
  if (array.node(0).kind != api::JsonTree::Kind::Array) return elements;
  for (std::uint32_t child = 1; child < array.node(0).end; child = array.node(child).end) {
    elements.push_back(array.value(array.node(child)));
  }
  return elements;
}

}  // namespace stele::tools

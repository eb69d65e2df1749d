#include "api/schemas/schema_part.h"

#include "api/schemas/json_equality.h"
#include "api/schemas/schema_keyword.h"
#include "api/schemas/schema_program.h"

namespace stele::api {

using simdjson::dom::element;

namespace {

bool has_id_within(element value, bool is_root) {
  if (value.is_array()) {
    for (const element each : array_in(value)) {
      if (has_id_within(each, false)) return true;
    }
  }
  if (!value.is_object()) return false;
  for (const auto& [name, member] : object_in(value)) {
    std::string_view id;
    if (name == "$id" && !is_root && member.get(id) == simdjson::SUCCESS && !id.starts_with('#')) return true;
    if (has_id_within(member, false)) return true;
  }
  return false;
}

std::uint8_t type_of_value(element value) {
  switch (value.type()) {
    case simdjson::dom::element_type::NULL_VALUE:
      return kNullType;
    case simdjson::dom::element_type::BOOL:
      return kBooleanType;
    case simdjson::dom::element_type::STRING:
      return kStringType;
    case simdjson::dom::element_type::ARRAY:
      return kArrayType;
    case simdjson::dom::element_type::OBJECT:
      return kObjectType;
    default:
      return JsonNumber::of(value)->whole() ? kIntegerType : kNumberType;
  }
}

}  // namespace

std::optional<element> find_member(element object, std::string_view name) {
  element value;
  if (!object.is_object() || object.at_key(name).get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

std::set<std::string_view> texts_in(std::optional<element> list) {
  std::set<std::string_view> texts;
  if (!list || !list->is_array()) return texts;
  for (const element each : array_in(*list)) {
    if (each.is_string()) texts.insert(each.get_string().value_unsafe());
  }
  return texts;
}

bool has_reference(element schema) {
  if (schema.is_array()) {
    for (const element each : array_in(schema)) {
      if (has_reference(each)) return true;
    }
  }
  if (!schema.is_object()) return false;
  for (const auto& [name, value] : object_in(schema)) {
    if (name == "$ref" || name == "$dynamicRef" || has_reference(value)) return true;
  }
  return false;
}

SchemaDocument::SchemaDocument(std::string_view text) : text_(text) {
  readable_ = parser_.parse(text_).get(root_) == simdjson::SUCCESS;
  if (!readable_) return;
  has_id_below_root_ = has_id_within(root_, true);
  std::string_view uri;
  if (const auto named = find_member(root_, "$schema")) {
    is_2020_ = named->get(uri) == simdjson::SUCCESS && uri.find("2020-12") != std::string_view::npos;
  }
}

SchemaPart::Id SchemaPart::id() const { return size() == 0 ? nullptr : object_in(schema).begin().key().data(); }

std::uint64_t SchemaPart::size() const { return schema.is_object() ? object_in(schema).size() : 0; }

bool SchemaPart::is_true() const {
  if (schema.is_bool()) return schema.get_bool().value_unsafe();
  return schema.is_object() && size() == 0;
}

bool SchemaPart::is_false() const { return schema.is_bool() && !schema.get_bool().value_unsafe(); }

std::optional<element> SchemaPart::member(std::string_view name) const { return find_member(schema, name); }

std::optional<element> SchemaPart::member_of_2020(std::string_view keyword) const {
  return document->is_2020() ? member(keyword) : std::nullopt;
}

std::optional<SchemaPart> SchemaPart::resolve(element reference) const {
  std::string_view text;
  if (document->has_id_below_root()) return std::nullopt;
  if (reference.get(text) != simdjson::SUCCESS || !text.starts_with('#')) return std::nullopt;
  text.remove_prefix(1);
  if (!text.empty() && text.front() != '/') return std::nullopt;
  if (text.find('%') != std::string_view::npos) return std::nullopt;
  if (text.empty()) return at(document->root());
  element target;
  if (document->root().at_pointer(text).get(target) != simdjson::SUCCESS) return std::nullopt;
  return at(target);
}

std::uint8_t SchemaPart::declared_types() const {
  const auto named = member("type");
  if (!named) return kAnyType;
  if (named->is_string()) return schema_type_bits(named->get_string().value_unsafe());
  std::uint8_t types = 0;
  for (const std::string_view name : texts_in(named)) types |= schema_type_bits(name);
  return types;
}

std::uint8_t SchemaPart::types() const {
  const std::uint8_t declared = declared_types();
  const auto listed = values();
  if (!listed) return declared;
  std::uint8_t of_values = 0;
  for (const element value : *listed) of_values |= type_of_value(value);
  return declared & of_values;
}

std::optional<std::vector<element>> SchemaPart::values() const {
  auto constant = values_of("const");
  return constant ? std::move(constant) : values_of("enum");
}

std::optional<std::vector<element>> SchemaPart::values_of(std::string_view keyword) const {
  const auto list = member(keyword);
  if (list && keyword == "const") return std::vector{*list};
  if (!list || !list->is_array()) return std::nullopt;
  std::vector<element> values;
  for (const element value : array_in(*list)) values.push_back(value);
  return values;
}

std::optional<JsonNumber> SchemaPart::number(std::string_view keyword) const {
  const auto value = member(keyword);
  return value ? JsonNumber::of(*value) : std::nullopt;
}

ObjectMembers SchemaPart::members() const {
  ObjectMembers members;
  if (const auto declared = member("properties"); declared && declared->is_object()) {
    for (const auto& [name, property] : object_in(*declared)) members.declared.emplace(name, at(property));
  }
  if (const auto patterns = member("patternProperties"); patterns && patterns->is_object()) {
    for (const auto& [name, property] : object_in(*patterns)) members.patterns.emplace_back(name, at(property));
  }
  if (const auto rest = member("additionalProperties")) members.additional = at(*rest);
  members.required = texts_in(member("required"));
  return members;
}

ArrayItems SchemaPart::items() const {
  ArrayItems items;
  const auto own = member("items");
  const auto prefix = document->is_2020() ? member("prefixItems") : own;
  if (prefix && prefix->is_array()) {
    if (document->is_2020()) items.first_keyword = "prefixItems";
    for (const element each : array_in(*prefix)) items.first.push_back(at(each));
    if (!document->is_2020()) items.rest_keyword = "additionalItems";
  }
  const auto rest = member(items.rest_keyword);
  if (rest && !rest->is_array()) items.rest = at(*rest);
  return items;
}

std::vector<SchemaPart> SchemaPart::branches(std::string_view keyword) const {
  std::vector<SchemaPart> branches;
  const auto list = member(keyword);
  if (!list || !list->is_array()) return branches;
  for (const element each : array_in(*list)) branches.push_back(at(each));
  return branches;
}

std::optional<element> SchemaPart::dependencies(std::string_view keyword) const {
  const auto found = keyword == "dependencies" ? member(keyword) : member_of_2020(keyword);
  return found && found->is_object() ? found : std::nullopt;
}

}  // namespace stele::api

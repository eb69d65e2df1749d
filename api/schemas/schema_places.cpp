#include "api/schemas/schema_places.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/http/percent.h"
#include "api/json/json_diagnosis.h"
#include "api/schemas/json_equality.h"
#include "api/schemas/json_pointer.h"
#include "api/schemas/schema_keyword.h"
#include "api/schemas/uri_reference.h"
#include "engine/base/check.h"
#include "engine/base/keyed_hash.h"

namespace stele::api {

namespace {

constexpr std::size_t kResolvedUriBytesMax = 4096;

bool is_anchor_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
  });
}

}  // namespace

std::size_t SchemaPlaces::KeyHash::operator()(const Key& key) const {
  return static_cast<std::size_t>(keyed_hash(key.token) + key.parent * 0x9E3779B97F4A7C15ULL);
}

SchemaPlaces::SchemaPlaces(simdjson::dom::element root, SchemaDraft draft) : draft_(draft) {
  places_.push_back({0, {}, root});
  resources_.push_back({});
  by_uri_.emplace("", 0);
  scan(0, 1, Addresses::Register);
}

void SchemaPlaces::fail(PlaceId place, std::initializer_list<std::string_view> tokens, std::string detail) const {
  std::vector<std::string_view> path;
  for (; place != root(); place = places_[place].parent) path.push_back(places_[place].token);
  std::reverse(path.begin(), path.end());
  path.insert(path.end(), tokens);
  SchemaError error;
  for (const std::string_view token : path) append_pointer_token(error.pointer, token);
  error.detail = std::move(detail);
  throw SchemaErrorFound{std::move(error)};
}

PlaceId SchemaPlaces::enter(PlaceId parent, std::string_view token, simdjson::dom::element element) {
  const auto [at, fresh] = children_.try_emplace({parent, token}, static_cast<PlaceId>(places_.size()));
  if (fresh) places_.push_back({parent, token, element, places_[parent].resource});
  return at->second;
}

PlaceId SchemaPlaces::enter(PlaceId parent, std::size_t index, simdjson::dom::element element) {
  return enter(parent, tokens_.emplace_back(std::to_string(index)), element);
}

PlaceId SchemaPlaces::below(PlaceId place, std::string_view keyword) const {
  const auto found = children_.find({place, keyword});
  STELE_CHECK(found != children_.end());
  return found->second;
}

PlaceId SchemaPlaces::below(PlaceId place, std::string_view keyword, std::string_view name) const {
  return below(below(place, keyword), name);
}

PlaceId SchemaPlaces::below(PlaceId place, std::string_view keyword, std::size_t index) const {
  return below(place, keyword, std::string_view(std::to_string(index)));
}

void SchemaPlaces::scan(PlaceId place, std::size_t depth, Addresses addresses) {
  if (places_[place].subschema) return;
  places_[place].subschema = true;
  if (++subschemas_ > kSubschemasMax) {
    fail(place, {}, fmt::format("The schema has more than {} subschemas.", kSubschemasMax));
  }
  if (depth > kSchemaDepthMax) {
    fail(place, {}, fmt::format("More than {} subschemas lie in each other.", kSchemaDepthMax));
  }
  const simdjson::dom::element element = places_[place].element;
  if (element.is_bool()) return;
  simdjson::dom::object schema;
  if (element.get_object().get(schema) != simdjson::SUCCESS) fail(place, {}, "A schema is an object, true or false.");

  simdjson::dom::element reference;
  const bool is_reference = draft_ == SchemaDraft::Draft07 && schema.at_key("$ref").get(reference) == simdjson::SUCCESS;
  if (addresses == Addresses::Register) register_addresses(place, schema, is_reference);
  for (const auto& [keyword, value] : schema) {
    // Of what stands beside a reference only its goals are of use.
    if (is_reference && keyword != "definitions" && keyword != "$defs") continue;
    scan_keyword(place, keyword, value, depth + 1, addresses);
  }
}

void SchemaPlaces::scan_keyword(PlaceId place, std::string_view keyword, simdjson::dom::element value,
                                std::size_t depth, Addresses addresses) {
  SchemaHolds holds = find_schema_keyword(keyword, draft_).holds;
  if (holds == SchemaHolds::None) return;
  if (holds == SchemaHolds::OneOrArray) holds = value.is_array() ? SchemaHolds::Several : SchemaHolds::One;
  const PlaceId holder = enter(place, keyword, value);
  if (holds == SchemaHolds::One) return scan(holder, depth, addresses);

  if (holds == SchemaHolds::Several) {
    simdjson::dom::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) fail(place, {keyword}, "It must be an array of schemas.");
    std::size_t index = 0;
    for (const simdjson::dom::element element : array) scan(enter(holder, index++, element), depth, addresses);
    return;
  }
  simdjson::dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) fail(place, {keyword}, "It must be an object of schemas.");
  for (const auto& [name, element] : object) {
    if (holds == SchemaHolds::NamedOrNames && element.is_array()) continue;
    scan(enter(holder, name, element), depth, addresses);
  }
}

std::optional<std::string_view> SchemaPlaces::address(PlaceId place, simdjson::dom::object schema,
                                                      std::string_view keyword) const {
  simdjson::dom::element value;
  if (schema.at_key(keyword).get(value) != simdjson::SUCCESS) return std::nullopt;
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) fail(place, {keyword}, "It must be a string.");
  if (text.size() > kSchemaUriBytesMax) {
    fail(place, {keyword}, fmt::format("It is longer than {} bytes.", kSchemaUriBytesMax));
  }
  return text;
}

void SchemaPlaces::register_addresses(PlaceId place, simdjson::dom::object schema, bool is_reference) {
  const auto id = is_reference ? std::nullopt : address(place, schema, "$id");
  if (id) {
    const UriParts parts = split_uri(*id);
    if (!is_uri_reference(*id, UriCharacters::Unicode)) fail(place, {"$id"}, "It is no URI reference.");
    if (!parts.fragment.empty() && draft_ != SchemaDraft::Draft07) {
      fail(place, {"$id"}, "It must have no fragment; $anchor is for that.");
    }
    const std::string_view without_fragment = id->substr(0, id->find('#'));
    if (!without_fragment.empty()) {
      std::string uri = resolve_uri(resources_[places_[place].resource].uri, without_fragment);
      if (uri.size() > kResolvedUriBytesMax) {
        fail(place, {"$id"}, fmt::format("Resolved it is longer than {} bytes.", kResolvedUriBytesMax));
      }
      if (place != root()) {
        places_[place].resource = static_cast<std::uint32_t>(resources_.size());
        resources_.push_back({});
        resources_.back().place = place;
      }
      const std::uint32_t resource = places_[place].resource;
      resources_[resource].uri = uri;
      if (!by_uri_.try_emplace(std::move(uri), resource).second) {
        fail(place, {"$id"}, "Another subschema has the same $id.");
      }
    }
    // Some tools write the pointer to the place itself, which adds nothing.
    if (is_anchor_name(parts.fragment)) register_anchor(place, "$id", parts.fragment, false);
  }
  if (draft_ == SchemaDraft::Draft07) return;
  for (const std::string_view keyword : {"$anchor", "$dynamicAnchor"}) {
    if (const auto anchor = address(place, schema, keyword)) {
      register_anchor(place, keyword, *anchor, keyword == "$dynamicAnchor");
    }
  }
}

void SchemaPlaces::register_anchor(PlaceId place, std::string_view keyword, std::string_view anchor, bool dynamic) {
  if (!is_anchor_name(anchor)) fail(place, {keyword}, "It must be a name: a letter, then letters, digits, - _ . or :.");
  Resource& resource = resources_[places_[place].resource];
  const auto [at, fresh] = resource.anchors.try_emplace(std::string(anchor), place);
  if (!fresh && at->second != place) fail(place, {keyword}, "Another subschema has the same anchor.");
  if (dynamic) resource.dynamic_anchors.try_emplace(std::string(anchor), place);
}

PlaceId SchemaPlaces::walk(PlaceId from, std::string_view keyword, PlaceId at, std::string_view pointer) {
  while (!pointer.empty()) {
    const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
    const auto token = pointer_token(pointer.substr(1, end - 1));
    pointer.remove_prefix(end);
    if (!token) fail(from, {keyword}, "It has a ~ with neither 0 nor 1 behind it.");
    const auto known = children_.find({at, *token});
    if (known != children_.end()) {
      at = known->second;
      continue;
    }
    const simdjson::dom::element element = places_[at].element;
    simdjson::dom::element next;
    bool found = false;
    if (element.is_object()) {
      found = object_in(element).at_key(*token).get(next) == simdjson::SUCCESS;
    } else if (element.is_array()) {
      const auto index = array_index(*token);
      found = index && array_in(element).at(*index).get(next) == simdjson::SUCCESS;
    }
    if (!found) fail(from, {keyword}, "It leads to nothing in this document.");
    at = enter(at, tokens_.emplace_back(*token), next);
  }
  return at;
}

SchemaPlaces::Target SchemaPlaces::resolve(PlaceId from, std::string_view keyword, std::string_view reference) {
  if (reference.size() > kSchemaUriBytesMax) {
    fail(from, {keyword}, fmt::format("It is longer than {} bytes.", kSchemaUriBytesMax));
  }
  if (!is_uri_reference(reference, UriCharacters::Unicode)) fail(from, {keyword}, "It is no URI reference.");
  std::uint32_t resource = places_[from].resource;
  if (!reference.starts_with('#')) {
    const auto found = by_uri_.find(resolve_uri(resources_[resource].uri, reference));
    if (found == by_uri_.end()) {
      fail(from, {keyword}, "It leads out of this document; references are followed within it only.");
    }
    resource = found->second;
  }
  const auto fragment = percent_decode(split_uri(reference).fragment, PlusMeans::Plus);
  if (!fragment) fail(from, {keyword}, "Its fragment is no text once its escapes are undone.");

  Target target{resources_[resource].place};
  if (fragment->starts_with('/')) {
    target.place = walk(from, keyword, target.place, *fragment);
  } else if (!fragment->empty()) {
    const auto anchor = resources_[resource].anchors.find(*fragment);
    if (anchor == resources_[resource].anchors.end())
      fail(from, {keyword}, "There is no such anchor in this document.");
    target.place = anchor->second;
    if (resources_[resource].dynamic_anchors.contains(*fragment)) target.dynamic_anchor = *fragment;
  }
  const simdjson::dom::element element = places_[target.place].element;
  if (!element.is_object() && !element.is_bool()) fail(from, {keyword}, "It leads to what is no schema.");
  scan(target.place, 1, Addresses::Ignore);
  return target;
}

}  // namespace stele::api

#pragma once
// The places in the text of a schema: which of them are subschemas, by which addresses they are known, and where a
// reference leads. Internal to the compiler.

#include <simdjson.h>

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/schemas/compiled_schema.h"

namespace stele::api {

/// Thrown and caught within the compiler: what is wrong may show anywhere in the text.
struct SchemaErrorFound {
  SchemaError error;
};

using PlaceId = std::uint32_t;

/// Borrows the document. Every function throws SchemaErrorFound for what is wrong with the schema.
class SchemaPlaces {
 public:
  /// One document of those that the text consists of: the whole, or a subschema with an `$id`.
  struct Resource {
    std::string uri;
    PlaceId place = 0;
    std::map<std::string, PlaceId, std::less<>> anchors;
    std::map<std::string, PlaceId, std::less<>> dynamic_anchors;  ///< which are also anchors
  };
  struct Target {
    PlaceId place = 0;
    std::string dynamic_anchor{};  ///< by which it was found, if it is one
  };

  SchemaPlaces(simdjson::dom::element root, SchemaDraft draft);

  [[nodiscard]] static constexpr PlaceId root() { return 0; }
  /// More may come with each resolve().
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] bool is_subschema(PlaceId place) const { return places_[place].subschema; }
  [[nodiscard]] simdjson::dom::element element(PlaceId place) const { return places_[place].element; }
  [[nodiscard]] std::uint32_t resource(PlaceId place) const { return places_[place].resource; }
  [[nodiscard]] const std::vector<Resource>& resources() const { return resources_; }

  /// Of a subschema below the subschema `place`.
  [[nodiscard]] PlaceId below(PlaceId place, std::string_view keyword) const;
  [[nodiscard]] PlaceId below(PlaceId place, std::string_view keyword, std::string_view name) const;
  [[nodiscard]] PlaceId below(PlaceId place, std::string_view keyword, std::size_t index) const;

  /// Where `reference`, the value of `keyword` in the subschema `from`, leads: always to a subschema.
  [[nodiscard]] Target resolve(PlaceId from, std::string_view keyword, std::string_view reference);

  [[noreturn]] void fail(PlaceId place, std::initializer_list<std::string_view> tokens, std::string detail) const;

 private:
  struct Place {
    PlaceId parent = 0;
    std::string_view token;
    simdjson::dom::element element;
    std::uint32_t resource = 0;
    bool subschema = false;
  };
  struct Key {
    PlaceId parent;
    std::string_view token;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  enum class Addresses { Register, Ignore };

  PlaceId enter(PlaceId parent, std::string_view token, simdjson::dom::element element);
  PlaceId enter(PlaceId parent, std::size_t index, simdjson::dom::element element);
  void scan(PlaceId place, std::size_t depth, Addresses addresses);
  void scan_keyword(PlaceId place, std::string_view keyword, simdjson::dom::element value, std::size_t depth,
                    Addresses addresses);
  void register_addresses(PlaceId place, simdjson::dom::object schema, bool is_reference);
  void register_anchor(PlaceId place, std::string_view keyword, std::string_view anchor, bool dynamic);
  [[nodiscard]] std::optional<std::string_view> address(PlaceId place, simdjson::dom::object schema,
                                                        std::string_view keyword) const;
  [[nodiscard]] PlaceId walk(PlaceId from, std::string_view keyword, PlaceId at, std::string_view pointer);

  SchemaDraft draft_;
  std::vector<Place> places_;
  std::unordered_map<Key, PlaceId, KeyHash> children_;
  std::deque<std::string> tokens_;  ///< those that are not in the document
  std::vector<Resource> resources_;
  std::map<std::string, std::uint32_t, std::less<>> by_uri_;
  std::size_t subschemas_ = 0;
};

}  // namespace stele::api

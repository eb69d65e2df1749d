#include "api/access/api_key.h"

#include <fmt/core.h>
#include <openssl/crypto.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

constexpr std::uint64_t kKeysVersion = 1;

Error corrupt(const KeyStore& store, std::string why) {
  return Error{.kind = ErrorKind::Corrupt,
               .message = "the list of API keys is damaged: " + std::move(why),
               .file = store.folder() + "/" + kApiKeysFile};
}

std::optional<std::string> text_of(const dom::object& object, std::string_view name) {
  std::string_view text;
  if (object[name].get(text) != simdjson::SUCCESS) return std::nullopt;
  return std::string(text);
}

/// False if the member is there but is no time.
bool time_of(const dom::object& object, std::string_view name, std::optional<Timestamp>& to) {
  if (object[name].error() == simdjson::NO_SUCH_FIELD) return true;
  const auto text = text_of(object, name);
  to = text ? parse_timestamp(*text, FinerTimes::Refuse) : std::nullopt;
  return to.has_value();
}

std::optional<ApiKey> key_of(const dom::object& object) {
  ApiKey key;
  auto id = text_of(object, "id");
  auto name = text_of(object, "name");
  const auto hash = text_of(object, "hash");
  const auto role = text_of(object, "role");
  if (!id || !name || !hash || !role || !is_principal_name(*name)) return std::nullopt;
  const auto digest = base64url_decode(*hash);
  const auto known_role = role_of(*role);
  if (!digest || digest->size() != key.hash.size() || !known_role) return std::nullopt;
  std::memcpy(key.hash.data(), digest->data(), key.hash.size());
  key.id = std::move(*id);
  key.principal.name = std::move(*name);
  key.principal.role = *known_role;
  std::optional<Timestamp> created;
  if (!time_of(object, "created", created) || !created || !time_of(object, "expires", key.expires) ||
      !time_of(object, "revoked", key.revoked)) {
    return std::nullopt;
  }
  key.created = *created;
  const auto limit = object["aggregateTypes"];
  if (limit.error() == simdjson::NO_SUCH_FIELD) return key;
  dom::array types;
  // A limit that is empty or cannot be read must not become no limit.
  if (limit.get(types) != simdjson::SUCCESS || types.begin() == types.end()) return std::nullopt;
  for (const dom::element type : types) {
    std::string_view text;
    if (type.get(text) != simdjson::SUCCESS) return std::nullopt;
    key.principal.aggregate_types.emplace_back(text);
  }
  if (!make_type_limit(key.principal.aggregate_types)) return std::nullopt;
  return key;
}

KnownKey known_key_of(const ApiKey& key) {
  KnownKey known{.id = key.id, .shown = {}, .key = key.hash};
  JsonWriter json(known.shown);
  json.begin_object().key("id").string(key.id).key("name").string(key.principal.name);
  json.key("role").plain(name_of(key.principal.role));
  if (!key.principal.aggregate_types.empty()) {
    json.key("aggregateTypes").begin_array();
    for (const std::string& type : key.principal.aggregate_types) json.string(type);
    json.end_array();
  }
  json.key("created").plain(format_timestamp(key.created));
  if (key.expires) json.key("expires").plain(format_timestamp(*key.expires));
  if (key.revoked) json.key("revoked").plain(format_timestamp(*key.revoked));
  json.end_object();
  return known;
}

}  // namespace

std::string make_api_secret() {
  std::array<char, 32> random{};
  random_bytes(random.data(), random.size());
  std::string secret(kApiKeyPrefix);
  secret += base64url_encode({random.data(), random.size()});
  OPENSSL_cleanse(random.data(), random.size());
  return secret;
}

std::string make_api_key_id() {
  std::uint64_t random = 0;
  random_bytes(&random, sizeof random);
  return fmt::format("{:016x}", random);
}

Digest hash_of_secret(std::string_view secret) { return sha256({secret}); }

Result<std::vector<ApiKey>> read_api_keys(const KeyStore& store) {
  STELE_ASSIGN(const std::optional<std::string> content, store.read(kApiKeysFile));
  std::vector<ApiKey> keys;
  if (!content) return keys;
  dom::parser parser;
  dom::object root;
  std::uint64_t version = 0;
  dom::array list;
  if (parser.parse(*content).get(root) != simdjson::SUCCESS || root["version"].get(version) != simdjson::SUCCESS ||
      root["keys"].get(list) != simdjson::SUCCESS) {
    return corrupt(store, "it is not a JSON object with version and keys");
  }
  if (version != kKeysVersion) {
    return Error{.kind = ErrorKind::NewerFormat,
                 .message = "the list of API keys was written by another version of stele",
                 .file = store.folder() + "/" + kApiKeysFile};
  }
  for (const dom::element element : list) {
    dom::object object;
    std::optional<ApiKey> key;
    if (element.get(object) == simdjson::SUCCESS) key = key_of(object);
    if (!key) return corrupt(store, "entry " + std::to_string(keys.size()) + " cannot be read");
    keys.push_back(std::move(*key));
  }
  return keys;
}

Status write_api_keys(const KeyStore& store, const std::vector<ApiKey>& keys) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("version").number(kKeysVersion).key("keys").begin_array();
  for (const ApiKey& key : keys) {
    text += '\n';
    json.begin_object();
    json.key("id").string(key.id).key("name").string(key.principal.name);
    json.key("role").plain(name_of(key.principal.role));
    json.key("hash").plain(base64url_encode(as_bytes(key.hash)));
    json.key("created").plain(format_timestamp(key.created));
    if (key.expires) json.key("expires").plain(format_timestamp(*key.expires));
    if (key.revoked) json.key("revoked").plain(format_timestamp(*key.revoked));
    if (!key.principal.aggregate_types.empty()) {
      json.key("aggregateTypes").begin_array();
      for (const std::string& type : key.principal.aggregate_types) json.string(type);
      json.end_array();
    }
    json.end_object();
  }
  json.end_array().end_object();
  text += '\n';
  return store.write(kApiKeysFile, text);
}

ApiKeyTable::ApiKeyTable(const std::vector<ApiKey>& keys) {
  for (const ApiKey& key : keys) {
    Principal principal = key.principal;
    principal.has_key = true;
    if (!key.revoked) by_name_.emplace(principal.name, Named{principal.role, key.expires});
    entries_.insert_or_assign(
        key.hash, Entry{std::make_shared<const Principal>(std::move(principal)), key.expires, key.revoked.has_value()});
    known_.push_back(known_key_of(key));
  }
  sort_by_id(known_);
}

const ApiKeyTable::Entry* ApiKeyTable::find(std::string_view secret) const {
  const auto found = entries_.find(hash_of_secret(secret));
  return found == entries_.end() ? nullptr : &found->second;
}

bool ApiKeyTable::has_usable(Timestamp now) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const auto& entry) { return !entry.second.revoked && !entry.second.expired(now); });
}

std::vector<Role> ApiKeyTable::roles_of(std::string_view name, Timestamp now) const {
  std::vector<Role> roles;
  const auto [begin, end] = by_name_.equal_range(name);
  for (auto at = begin; at != end; ++at) {
    if (!at->second.expires || *at->second.expires > now) roles.push_back(at->second.role);
  }
  return roles;
}

std::size_t ApiKeyTable::First8::operator()(const Digest& digest) const {
  std::size_t first = 0;
  std::memcpy(&first, digest.data(), sizeof first);
  return first;
}

bool ApiKeyTable::InConstantTime::operator()(const Digest& a, const Digest& b) const {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace stele::api

#include "tools/commands/token.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <thread>

#include "api/access/api_key.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "tools/cli/actions.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/commands/access_options.h"

namespace stele::tools {

namespace {

using api::ApiKey;
using api::KeyStore;

constexpr std::chrono::microseconds kLongest = std::chrono::hours{24 * 3650};

/// Where the keys are.
struct Place {
  std::string data;
  std::string key_store;

  void declare(CommandLine& app) {
    app.add_text("--data", data, "The server's data folder").type("DIR").environment("STELE_DATA").group("Key store");
    add_key_store(app, key_store).environment("STELE_KEY_STORE").group("Key store");
  }
  [[nodiscard]] bool given() const { return !data.empty() || !key_store.empty(); }
  [[nodiscard]] std::string folder() const { return key_store_folder(key_store, data); }
  [[nodiscard]] Result<KeyStore> open(KeyStore::IfMissing if_missing) const {
    return KeyStore::open(posix_file_system(), folder(), if_missing);
  }
};

int usage(const char* action, const std::string& why) {
  say("stele token {}: {}\n", action, why);
  return kExitUsage;
}

int failure(const char* action, const Error& error) {
  say("stele token {}: {}\n", action, error.describe());
  return kExitFailure;
}

constexpr const char* kNoPlace = "say where the keys are: --data or --key-store";

/// Changes the list while no other process does.
template <class Change>
Status change_keys(const KeyStore& store, Change change) {
  STELE_ASSIGN(const auto lock, store.lock());
  STELE_ASSIGN(std::vector<ApiKey> keys, api::read_api_keys(store));
  STELE_TRY(change(keys));
  STELE_TRY(api::write_api_keys(store, keys));
  // A server that runs has surely taken notice when the command ends.
  std::this_thread::sleep_for(2 * api::kLookInterval);
  return {};
}

/// When a key ceased or ceases to be good.
std::optional<Timestamp> end_of(const ApiKey& key) {
  if (!key.revoked) return key.expires;
  return key.expires ? std::min(*key.revoked, *key.expires) : *key.revoked;
}

/// Forgets the key that has been of no use for longest; false if all are good.
bool forget_one(std::vector<ApiKey>& keys, Timestamp now) {
  const auto oldest = std::min_element(keys.begin(), keys.end(), [](const ApiKey& a, const ApiKey& b) {
    const auto end_a = end_of(a), end_b = end_of(b);
    return end_a && (!end_b || *end_a < *end_b);
  });
  if (oldest == keys.end() || !end_of(*oldest) || *end_of(*oldest) > now) return false;
  keys.erase(oldest);
  return true;
}

int create(int argc, const char* const* argv) {
  Place place;
  std::string name, role, expires_at;
  std::vector<std::string> types;
  std::chrono::microseconds expires_in{0};
  CommandLine app("token create", "Makes an API key and prints its secret, which is shown this once.");
  app.add_text("--name", name, "Who the key stands for: the userId of what is appended with it")
      .type("TEXT")
      .required()
      .group("Key");
  app.add_text("--role", role, "reader, writer, service, auditor or admin")
      .type("ROLE")
      .required()
      .one_of({"reader", "writer", "service", "auditor", "admin"})
      .group("Key");
  app.add_texts("--aggregate-type", types, "TEXT", "Limits it to aggregates of this type; may be repeated")
      .group("Key");
  app.add_duration("--expires-in", expires_in, std::chrono::microseconds{0}, kLongest,
                   "How long it is good; 0: for ever")
      .group("Key");
  app.add_text("--expires-at", expires_at, "Until when it is good, RFC 3339").type("TIME").group("Key");
  place.declare(app);
  app.footer("The secret alone goes to stdout. Exit status: 0 made, 1 failure, 2 wrong usage.");
  if (const auto code = app.parse(argc, argv)) return *code;

  if (!place.given()) return usage("create", kNoPlace);
  ApiKey key;
  key.created = system_clock().now();
  key.principal.name = name;
  key.principal.role = api::role_of(role).value_or(api::Role::Reader);
  key.principal.aggregate_types = types;
  if (!api::is_principal_name(name)) {
    return usage("create", "--name must have 1 to 255 bytes of UTF-8, no control characters, and not begin with $");
  }
  if (!api::make_type_limit(key.principal.aggregate_types)) {
    return usage("create", "--aggregate-type must be an aggregate type, and there may be at most 100");
  }
  if (!expires_at.empty()) {
    if (expires_in.count() != 0) return usage("create", "--expires-in and --expires-at exclude each other");
    key.expires = api::parse_timestamp(expires_at, api::FinerTimes::RoundUp);
    if (!key.expires) {
      return usage("create",
                   "--expires-at must be an RFC 3339 date-time such as 2026-03-01T12:00:00Z, with at most nine "
                   "fractional digits");
    }
  } else if (expires_in.count() != 0) {
    key.expires = Timestamp{key.created.micros + expires_in.count()};
  }
  if (key.expires && *key.expires <= key.created) return usage("create", "the key would have expired already");

  const std::string secret = api::make_api_secret();
  key.hash = api::hash_of_secret(secret);
  key.id = api::make_api_key_id();
  const auto was_there = posix_file_system().exists(place.folder());
  const auto store = place.open(KeyStore::IfMissing::Create);
  if (!store) return failure("create", store.error());
  // A mistyped folder looks like this.
  if (was_there && !*was_there) {
    say("stele token create: there was no key store in {}: a new one was made\n", place.folder());
  }
  const Status stored = change_keys(*store, [&](std::vector<ApiKey>& keys) -> Status {
    if (keys.size() >= api::kApiKeysMax && !forget_one(keys, key.created)) {
      return Error{.kind = ErrorKind::TooLarge, .message = "there are 10,000 keys that are good"};
    }
    keys.push_back(key);
    return {};
  });
  if (!stored) return failure("create", stored.error());
  put(secret + "\n");
  if (const std::string why = flush_output(); !why.empty()) {
    say("stele token create: the secret of API key {} cannot be written to stdout ({}) and is lost; revoke it\n",
        key.id, why);
    return kExitFailure;
  }
  say("API key {} for {} ({}){}. Its secret cannot be shown again.\n", key.id, name, role,
      key.expires ? ", good until " + api::format_timestamp(*key.expires) : "");
  return kExitOk;
}

std::string_view state_of(const ApiKey& key, Timestamp now) {
  if (key.revoked) return "revoked";
  return key.expires && *key.expires <= now ? "expired" : "good";
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ",") + text;
  return all;
}

void print_json(const ApiKey& key, Timestamp now) {
  std::string line;
  api::JsonWriter json(line);
  json.begin_object().key("id").string(key.id).key("name").string(key.principal.name);
  json.key("role").plain(name_of(key.principal.role)).key("state").plain(state_of(key, now));
  json.key("created").plain(api::format_timestamp(key.created));
  if (key.expires) json.key("expires").plain(api::format_timestamp(*key.expires));
  if (key.revoked) json.key("revoked").plain(api::format_timestamp(*key.revoked));
  json.key("aggregateTypes").begin_array();
  for (const std::string& type : key.principal.aggregate_types) json.string(type);
  json.end_array().end_object();
  put(line + "\n");
}

int list(int argc, const char* const* argv) {
  Place place;
  std::string format = "table";
  CommandLine app("token list", "Lists API keys, without their secrets.");
  place.declare(app);
  app.add_text("--format", format, "table (for people) or ndjson (one JSON object a line)")
      .type("FORMAT")
      .one_of({"ndjson", "table"})
      .group("Output");
  if (const auto code = app.parse(argc, argv)) return *code;
  if (!place.given()) return usage("list", kNoPlace);
  const auto store = place.open(KeyStore::IfMissing::Fail);
  if (!store) return failure("list", store.error());
  const auto keys = api::read_api_keys(*store);
  if (!keys) return failure("list", keys.error());
  const Timestamp now = system_clock().now();
  const bool table = format == "table";
  if (table) {
    put(fmt::format("{:<17} {:<8} {:<8} {:<27} {:<27} {} [TYPES]\n", "ID", "STATE", "ROLE", "CREATED", "EXPIRES",
                    "NAME"));
  }
  for (const ApiKey& key : *keys) {
    if (!table) {
      print_json(key, now);
      continue;
    }
    const std::string types = joined(key.principal.aggregate_types);
    put(fmt::format("{:<17} {:<8} {:<8} {:<27} {:<27} {}{}\n", key.id, state_of(key, now), name_of(key.principal.role),
                    api::format_timestamp(key.created), key.expires ? api::format_timestamp(*key.expires) : "never",
                    key.principal.name, types.empty() ? "" : " [" + types + "]"));
  }
  return finish_output("stele token list");
}

int revoke(int argc, const char* const* argv) {
  Place place;
  std::string id;
  CommandLine app("token revoke", "Revokes an API key: from the next request on it is refused.");
  app.add_text("ID", id, "As `stele token list` shows it").required();
  place.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (!place.given()) return usage("revoke", kNoPlace);
  const auto store = place.open(KeyStore::IfMissing::Fail);
  if (!store) return failure("revoke", store.error());
  std::string name;
  const Status revoked = change_keys(*store, [&](std::vector<ApiKey>& keys) -> Status {
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const ApiKey& key) { return key.id == id; });
    if (found == keys.end()) return Error{.kind = ErrorKind::NotFound, .message = "there is no key " + id};
    if (!found->revoked) found->revoked = system_clock().now();
    name = found->principal.name;
    return {};
  });
  if (!revoked) return failure("revoke", revoked.error());
  say("API key {} of {} is revoked\n", id, name);
  return kExitOk;
}

constexpr std::array kTokenActions{
    Action{"create", "make an API key and print its secret", &create},
    Action{"list", "list API keys", &list},
    Action{"revoke", "revoke an API key", &revoke},
};

}  // namespace

int token_command(int argc, const char* const* argv) {
  return run_action("token", kTokenActions, "A server that runs takes notice by itself.", argc, argv);
}

}  // namespace stele::tools

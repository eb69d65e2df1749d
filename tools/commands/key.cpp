#include "tools/commands/key.h"

#include <fmt/core.h>

#include <array>
#include <string>

#include "api/audit/log_keys.h"
#include "api/audit/signing_keys.h"
#include "api/json/json_writer.h"
#include "engine/store/store.h"
#include "tools/cli/actions.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/commands/access_options.h"

namespace stele::tools {

namespace {

using api::SigningKeyFiles;

/// Which key is meant.
struct KeyPlace {
  std::string data;
  std::string key_store;
  std::string signing_key;
  std::string origin;

  void declare(CommandLine& app) {
    app.add_text("--data", data, "The server's data folder").type("DIR").environment("STELE_DATA").group("Key");
    add_key_store(app, key_store).environment("STELE_KEY_STORE").group("Key");
    app.add_text("--signing-key", signing_key, "File of the private key; checkpoint.key in the key store if not given")
        .type("FILE")
        .group("Key");
    app.add_text("--origin", origin, "Name of the log; as the store in --data has it if not given")
        .type("NAME")
        .group("Key");
  }

  [[nodiscard]] bool given() const { return !data.empty() || !key_store.empty() || !signing_key.empty(); }

  /// Null without --data, and if there is no store in it yet.
  [[nodiscard]] Result<std::unique_ptr<ReadOnlyStore>> open_store() const {
    if (data.empty()) return std::unique_ptr<ReadOnlyStore>();
    ReadOnlyOptions options;
    options.folder = data;
    auto opened = Store::open_read_only(options);
    if (!opened && opened.error().kind == ErrorKind::NotFound) return std::unique_ptr<ReadOnlyStore>();
    return opened;
  }

  [[nodiscard]] Result<SigningKeyFiles> open(const ReadOnlyStore* store, api::KeyStore::IfMissing if_missing) const {
    const std::string name = !origin.empty() ? origin : store != nullptr ? store->origin() : StoreOptions().origin;
    return SigningKeyFiles::open(posix_file_system(), name, key_store_folder(key_store, data), signing_key, if_missing);
  }
};

constexpr const char* kNoKeyPlace = "say where the key is: --data, --key-store or --signing-key";

int fail_key(const char* action, const Error& error) {
  say("stele key {}: {}\n", action, error.describe());
  return kExitFailure;
}

int create_key(int argc, const char* const* argv) {
  KeyPlace place;
  CommandLine app("key create", "Makes the key that signs checkpoints, and prints its public part.");
  place.declare(app);
  app.footer("`stele serve` makes it by itself where it is not told of another one by --signing-key.");
  if (const auto code = app.parse(argc, argv)) return *code;
  if (!place.given()) {
    say("stele key create: {}\n", kNoKeyPlace);
    return kExitUsage;
  }
  const auto store = place.open_store();
  if (!store) return fail_key("create", store.error());
  auto files = place.open(store->get(), api::KeyStore::IfMissing::Create);
  if (!files) return fail_key("create", files.error());
  const auto made = files->create();
  if (!made) return fail_key("create", made.error());
  put(made->vkey() + "\n");
  return finish_output("stele key create");
}

int show_key(int argc, const char* const* argv) {
  KeyPlace place;
  std::string format = "table";
  CommandLine app("key show", "Shows the public keys whose signatures on checkpoints count.");
  place.declare(app);
  app.add_text("--format", format, "table (for people) or ndjson (one JSON object a line)")
      .type("FORMAT")
      .one_of({"ndjson", "table"})
      .group("Output");
  if (const auto code = app.parse(argc, argv)) return *code;
  if (!place.given()) {
    say("stele key show: {}\n", kNoKeyPlace);
    return kExitUsage;
  }
  const auto store = place.open_store();
  if (!store) return fail_key("show", store.error());
  api::LogKeys announced;
  if (*store) {
    auto keys = api::LogKeys::read(*(*store)->view());
    if (!keys) return fail_key("show", keys.error());
    announced = std::move(*keys);
  }
  auto files = place.open(store->get(), api::KeyStore::IfMissing::Fail);
  if (!files && announced.all().empty()) return fail_key("show", files.error());
  const auto line = [&](const std::string& vkey, const api::LogKey* key) {
    if (format == "table") {
      const std::string until = key != nullptr && key->until ? std::to_string(key->until->value()) : "-";
      put(fmt::format("{:>12} {:>12} {:<9} {}\n", key != nullptr ? std::to_string(key->from.value()) : "not yet", until,
                      key == nullptr || key->endorsed ? "yes" : "NO", vkey));
      return;
    }
    std::string text;
    api::JsonWriter json(text);
    json.begin_object().key("vkey").string(vkey);
    if (key != nullptr) json.key("from").number(key->from.value()).key("endorsed").boolean(key->endorsed);
    if (key != nullptr && key->until) json.key("until").number(key->until->value());
    json.end_object();
    put(text + "\n");
  };
  if (format == "table") put(fmt::format("{:>12} {:>12} {:<9} {}\n", "FROM", "UNTIL", "ENDORSED", "KEY"));
  for (const api::LogKey& key : announced.all()) line(key.verifier.vkey(), &key);
  // One that was made, and that no server has announced yet.
  if (files) {
    const auto set = files->read();
    if (!set) return fail_key("show", set.error());
    const auto* const newest = announced.current();
    if (set->current && (newest == nullptr || newest->verifier != set->current->verifier())) {
      line(set->current->verifier().vkey(), nullptr);
    }
  }
  return finish_output("stele key show");
}

int rotate_key(int argc, const char* const* argv) {
  KeyPlace place;
  bool lost = false;
  CommandLine app("key rotate", "Makes another key, which signs checkpoints from now on, and prints its public part.");
  place.declare(app);
  app.add_switch("--lost", lost, "The key before is lost, or must not be trusted: it does not vouch for the new one")
      .group("Key");
  app.footer(
      "The server announces it in the log, signed by the key before, and signs with both for --key-overlap. What that\n"
      "key has signed stays good.");
  if (const auto code = app.parse(argc, argv)) return *code;
  if (!place.given()) {
    say("stele key rotate: {}\n", kNoKeyPlace);
    return kExitUsage;
  }
  const auto store = place.open_store();
  if (!store) return fail_key("rotate", store.error());
  auto files = place.open(store->get(), lost ? api::KeyStore::IfMissing::Create : api::KeyStore::IfMissing::Fail);
  if (!files) return fail_key("rotate", files.error());
  const auto made = files->rotate(lost);
  if (!made) return fail_key("rotate", made.error());
  put(made->vkey() + "\n");
  return finish_output("stele key rotate");
}

constexpr std::array kKeyActions{
    Action{"create", "make the key that signs checkpoints", &create_key},
    Action{"show", "show the public keys", &show_key},
    Action{"rotate", "make another key, for which the one before vouches", &rotate_key},
};

}  // namespace

int key_command(int argc, const char* const* argv) {
  return run_action("key", kKeyActions, "A server that runs takes notice by itself.", argc, argv);
}

}  // namespace stele::tools

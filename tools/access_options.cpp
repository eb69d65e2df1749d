#include "tools/access_options.h"

#include <spdlog/spdlog.h>

namespace stele::tools {

void AccessOptions::declare(CLI::App& app) {
  const char* const group = "Access";
  app.add_option("--auth", auth, "on: every request needs an API key or a JWT; off: none does")
      ->type_name("off|on")
      ->default_str(auth)
      ->check(CLI::IsMember({"off", "on"}).description(""))
      ->group(group);
  add_key_store(app, key_store)->group(group);
  app.add_option("--jwks", jwks, "Public keys that JWTs may be signed with (RFC 7517); read again when it changes")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--jwt-issuer", jwt_issuer, "What iss of a JWT must be")->type_name("TEXT")->group(group);
  app.add_option("--jwt-audience", jwt_audience, "What aud of a JWT must be or contain")
      ->type_name("TEXT")
      ->group(group);
}

std::string AccessOptions::complaint() const {
  const bool any = !jwks.empty() || !jwt_issuer.empty() || !jwt_audience.empty();
  if (any && !required()) return "--jwks, --jwt-issuer and --jwt-audience mean nothing without --auth on";
  if (any && (jwks.empty() || jwt_issuer.empty() || jwt_audience.empty())) {
    return "--jwks, --jwt-issuer and --jwt-audience go together: a token must be signed, from this issuer and for this "
           "audience";
  }
  return {};
}

Result<std::shared_ptr<api::Authenticator>> AccessOptions::open(const std::string& data_folder) const {
  const std::string folder = key_store_folder(key_store, data_folder);
  FileSystem& files = posix_file_system();
  if (!required()) {
    const auto keys = files.exists(folder + "/" + api::kApiKeysFile);
    if (keys && *keys) spdlog::warn("there are API keys in {}, but authentication is off (--auth on)", folder);
    return std::shared_ptr<api::Authenticator>();
  }
  STELE_ASSIGN(api::KeyStore keys, api::KeyStore::open(files, folder, api::KeyStore::IfMissing::Create));
  api::AuthenticatorOptions options;
  options.jwks_file = jwks;
  options.look_interval = api::kLookInterval;
  options.jwt = {jwt_issuer, jwt_audience};
  options.report = [](const std::string& line) { spdlog::warn("{}", line); };
  STELE_ASSIGN(auto authenticator, api::Authenticator::open(std::move(keys), std::move(options)));
  if (!authenticator->has_credentials()) {
    spdlog::warn("nobody can be authenticated yet; make an API key with: stele token create --key-store {}", folder);
  }
  return authenticator;
}

CLI::Option* add_key_store(CLI::App& app, std::string& to) {
  return app
      .add_option("--key-store", to, "Folder of secrets, for its owner only; keys/ in the data folder if not given")
      ->type_name("DIR");
}

std::string key_store_folder(const std::string& key_store, const std::string& data_folder) {
  return key_store.empty() ? data_folder + "/keys" : key_store;
}

}  // namespace stele::tools

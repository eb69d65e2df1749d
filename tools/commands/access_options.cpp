#include "tools/commands/access_options.h"

#include "net/log/log.h"

namespace stele::tools {

void AccessOptions::declare(CommandLine& app) {
  const char* const group = "Access";
  app.add_text("--auth", auth, "on: every request needs an API key or a JWT; off: none does")
      .type("off|on")
      .one_of({"off", "on"})
      .group(group);
  add_key_store(app, key_store).group(group);
  app.add_text("--jwks", jwks, "Public keys that JWTs may be signed with (RFC 7517); read again when it changes")
      .type("FILE")
      .group(group);
  app.add_text("--jwt-issuer", jwt_issuer, "What iss of a JWT must be").type("TEXT").group(group);
  app.add_text("--jwt-audience", jwt_audience, "What aud of a JWT must be or contain").type("TEXT").group(group);
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
    if (keys && *keys) net::log_warning("there are API keys in {}, but authentication is off (--auth on)", folder);
    return std::shared_ptr<api::Authenticator>();
  }
  STELE_ASSIGN(api::KeyStore keys, api::KeyStore::open(files, folder, api::KeyStore::IfMissing::Create));
  api::AuthenticatorOptions options;
  options.jwks_file = jwks;
  options.look_interval = api::kLookInterval;
  options.jwt = {jwt_issuer, jwt_audience};
  options.report = [](const std::string& line) { net::log_warning("{}", line); };
  STELE_ASSIGN(auto authenticator, api::Authenticator::open(std::move(keys), std::move(options)));
  if (!authenticator->has_credentials()) {
    net::log_warning("nobody can be authenticated yet; make an API key with: stele token create --key-store {}",
                     folder);
  }
  return authenticator;
}

CommandLine::Option add_key_store(CommandLine& app, std::string& to) {
  return app.add_text("--key-store", to, "Folder of secrets, for its owner only; keys/ in the data folder if not given")
      .type("DIR");
}

std::string key_store_folder(const std::string& key_store, const std::string& data_folder) {
  return key_store.empty() ? data_folder + "/keys" : key_store;
}

}  // namespace stele::tools

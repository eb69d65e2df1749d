#include "tools/commands/redis_options.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

#include "api/access/key_store.h"
#include "engine/base/digest.h"
#include "engine/base/file_system.h"
#include "engine/base/uuid.h"
#include "net/redis/redis_url.h"
#include "net/tls/pem_files.h"

namespace stele::tools {

namespace {

/// In the key store: what the states in Redis are authenticated with.
constexpr const char* kSecretFile = "state-cache.key";

/// This store's alone: made when it is first needed. States made with another one are not believed.
Result<Digest> state_secret(const std::string& folder) {
  STELE_ASSIGN(const api::KeyStore keys,
               api::KeyStore::open(posix_file_system(), folder, api::KeyStore::IfMissing::Create));
  STELE_ASSIGN(const auto lock, keys.lock());
  STELE_ASSIGN(const auto there, keys.read(kSecretFile));
  Digest secret{};
  if (there && there->size() == secret.size()) {
    std::copy(there->begin(), there->end(), reinterpret_cast<char*>(secret.data()));
    return secret;
  }
  random_bytes(secret.data(), secret.size());
  STELE_TRY(keys.write(kSecretFile, as_bytes(secret)));
  return secret;
}

}  // namespace

void RedisOptions::declare(CommandLine& app) {
  const char* const group = "Redis";
  app.add_text("--redis", url,
               "Publish committed events to this Redis and keep folded states there:\n"
               "redis://[[user]:password@]host[:port][/database]. A password must not stand on the command line: give\n"
               "the URL by STELE_REDIS or in the configuration file, or the password in a file")
      .type("URL")
      .group(group);
  app.add_text("--redis-password-file", password_file, "Its first line is the password; for its owner only")
      .type("FILE")
      .group(group);
  app.add_duration("--redis-state-ttl", state_time_to_live, std::chrono::seconds{1}, std::chrono::hours{24 * 365},
                   "How long a folded state stays in Redis")
      .group(group);
}

std::string RedisOptions::complaint() const {
  if (url.empty()) return password_file.empty() ? "" : "--redis-password-file means nothing without --redis";
  const auto parsed = net::parse_redis_url(url);
  if (const auto* const wrong = std::get_if<std::string>(&parsed)) return "--redis " + *wrong;
  const auto& redis = std::get<net::RedisUrl>(parsed);
  if (!redis.password.empty() && !password_file.empty()) return "--redis has a password and --redis-password-file too";
  if (!redis.user.empty() && redis.password.empty() && password_file.empty()) {
    return "--redis has a user without a password";
  }
  return {};
}

bool RedisOptions::shows_password(int argc, const char* const* argv) const {
  const auto parsed = net::parse_redis_url(url);
  const auto* const redis = std::get_if<net::RedisUrl>(&parsed);
  if (redis == nullptr || redis->password.empty()) return false;
  return std::any_of(argv, argv + argc,
                     [&](std::string_view argument) { return argument.find(url) != std::string_view::npos; });
}

std::string RedisOptions::without_password(std::string text) const {
  const auto parsed = net::parse_redis_url(url);
  const auto* const redis = std::get_if<net::RedisUrl>(&parsed);
  if (redis == nullptr || redis->password.empty()) return text;
  const std::size_t at = url.rfind('@');
  const std::size_t colon = url.find(':', url.find("//") + 2);
  std::string shown = url;
  shown.replace(colon + 1, at - colon - 1, "***");
  for (std::size_t found; (found = text.find(url)) != std::string::npos;) text.replace(found, url.size(), shown);
  return text;
}

Result<std::unique_ptr<net::RedisBridge>> RedisOptions::open(const Uuid& store, const std::string& keys) const {
  if (url.empty()) return std::unique_ptr<net::RedisBridge>();
  auto redis = std::get<net::RedisUrl>(net::parse_redis_url(url));
  if (!password_file.empty()) {
    STELE_ASSIGN(std::string password, net::read_pem_file(password_file, net::Readers::Owner));
    password.resize(std::min(password.find_first_of("\r\n"), password.size()));
    if (password.empty())
      return Error{ErrorKind::InvalidArgument, "the file of Redis's password is empty", 0, password_file};
    redis.password = std::move(password);
  }
  STELE_ASSIGN(const Digest secret, state_secret(keys));
  net::RedisStateCacheOptions cache;
  cache.time_to_live = std::chrono::duration_cast<std::chrono::milliseconds>(state_time_to_live);
  return std::make_unique<net::RedisBridge>(redis, store, secret, cache);
}

}  // namespace stele::tools

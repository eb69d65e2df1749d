#pragma once
// What `stele serve` is told about Redis.

#include <chrono>
#include <memory>
#include <string>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "net/redis/redis_bridge.h"
#include "tools/cli/command_line.h"

namespace stele::tools {

struct RedisOptions {
  std::string url;  ///< empty: none
  std::string password_file;
  std::chrono::microseconds state_time_to_live{std::chrono::hours{1}};

  /// `*this` must outlive the parsing.
  void declare(CommandLine& app);
  /// For people, if the flags are wrong or contradict each other; else empty.
  [[nodiscard]] std::string complaint() const;
  /// True if the URL, with a password, is one of these arguments: everyone on the machine can read those.
  [[nodiscard]] bool shows_password(int argc, const char* const* argv) const;
  /// `text` without the password.
  [[nodiscard]] std::string without_password(std::string text) const;
  /// Null without a URL. `keys`: where the store's secrets are. After complaint() had nothing to say.
  [[nodiscard]] Result<std::unique_ptr<net::RedisBridge>> open(const Uuid& store, const std::string& keys) const;
};

}  // namespace stele::tools

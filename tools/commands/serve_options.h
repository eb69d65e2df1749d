#pragma once
// Everything `stele serve` can be told, and where it goes.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "api/endpoint/options.h"
#include "engine/store/store.h"
#include "net/server/server.h"
#include "net/webhook/address_guard.h"
#include "net/worker/worker_pool.h"
#include "tools/cli/command_line.h"
#include "tools/cli/listen_address.h"
#include "tools/commands/access_options.h"
#include "tools/commands/redis_options.h"

namespace stele::tools {

struct ServeOptions {
  StoreOptions store;
  api::ServiceOptions service;
  net::ServerOptions server;
  AccessOptions access;
  RedisOptions redis;
  ListenAddress listen{"127.0.0.1", 8080};
  net::TlsFiles tls;
  bool no_create = false;
  std::vector<std::string> host_names;
  std::vector<std::string> callback_nets;
  net::AddressGuard callback_guard;
  std::size_t callback_answer_bytes_max = 64U << 10;
  bool insecure = false;
  std::string handlers = "sandboxed";
  net::WorkerOptions workers;
  bool print_config = false;
  std::string audit_reads = "all";
  std::string on_audit_failure = "serve";
  bool audit_reads_durable = false;
  std::string log_level = "info";
  net::LogFormat log_format = net::LogFormat::Text;

  // Durations as flags have them; apply() converts.
  std::chrono::microseconds header_timeout{};
  std::chrono::microseconds idle_timeout{};
  std::chrono::microseconds body_timeout{};
  std::chrono::microseconds request_timeout{};
  std::chrono::microseconds write_timeout{};
  std::chrono::microseconds drain_timeout{};
  std::chrono::microseconds position_wait{};
  std::chrono::microseconds handler_call_timeout{};
  std::chrono::microseconds replay_timeout{};
  std::chrono::microseconds key_overlap{};
  std::chrono::microseconds witness_interval{};
  std::chrono::microseconds retry_delay_min{};
  std::chrono::microseconds retry_delay_max{};
  std::vector<std::string> witnesses;         ///< URL=VKEY
  std::vector<std::string> retention_minima;  ///< CLASS=TIME
  std::vector<std::string> anchors;
  std::uint64_t depth_max = 0;
  std::string log_format_name = "text";

  ServeOptions();
  /// Declares the flags; `*this` must outlive the parsing.
  void declare(CommandLine& app);
  /// After parsing: fills in what follows from other options. A message for people if they contradict each other.
  [[nodiscard]] std::string apply();
  [[nodiscard]] bool has_tls() const { return !tls.certificate.empty(); }
  /// Whoever gets in has shown who they are: by key, token or certificate.
  [[nodiscard]] bool authenticates() const {
    return access.required() || (!tls.client_ca.empty() && !tls.client_optional);
  }

 private:
  [[nodiscard]] std::string guard_hosts();
  [[nodiscard]] std::string guard_callbacks();
  [[nodiscard]] api::AuditSettings audit_settings() const;
  void declare_subscriptions(CommandLine& app);
  [[nodiscard]] std::string take_witnesses();
  [[nodiscard]] std::string take_retention_minima();
};

}  // namespace stele::tools

#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "api/http/http.h"
#include "net/http/connection_budget.h"
#include "net/log/rate_limited_log.h"
#include "net/server/server_options.h"

namespace stele::net {

class AccessLog;
class ReadPool;

/// What all sessions of a server share. Outlives them.
struct ServerCore {
  ServerOptions options;
  std::shared_ptr<api::TrafficMetrics> traffic;
  ConnectionBudget budget;
  std::unique_ptr<ReadPool> pool;
  std::unique_ptr<AccessLog> access_log;  ///< null = none
  RateLimitedLog log;
  const std::string request_id_prefix;  ///< another one in each process
  std::atomic<bool> shutting_down{false};
  std::unique_ptr<api::Handler> handler;

  explicit ServerCore(ServerOptions o);
  ~ServerCore();
};

}  // namespace stele::net

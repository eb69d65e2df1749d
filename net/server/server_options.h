#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "api/endpoint/traffic_metrics.h"
#include "net/http/limits.h"
#include "net/log/log.h"
#include "net/tls/server_tls.h"

namespace stele::net {

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< a numeric address (IPv6 with or without brackets), or a name: all its addresses
  std::uint16_t port = 0;          ///< 0 = any free one, the same on all addresses
  std::size_t io_threads = 0;      ///< 0 = as many as cores
  std::size_t read_threads = 0;  ///< 0 = twice as many as cores, at least four: they wait for disks, and for long reads
  std::size_t read_queue_max = 1024;
  int accept_backlog = 1024;
  HttpLimits limits;
  std::shared_ptr<ServerTls> tls;                ///< null = plain HTTP
  std::int64_t drain_ms = 10'000;                ///< after begin_shutdown(): what is still open then is closed
  std::int64_t handler_grace_ms = 10'000;        ///< after that: how long requests may still be in the handler's hands
  std::shared_ptr<api::TrafficMetrics> traffic;  ///< counts what passes; none = nobody looks at it
  std::string access_log;                        ///< "" = none, "-" = stdout, else a file that is appended to
  LogFormat log_format = LogFormat::Text;        ///< of the access log
};

}  // namespace stele::net

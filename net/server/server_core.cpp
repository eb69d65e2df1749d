#include "net/server/server_core.h"

#include <fmt/core.h>

#include <utility>

#include "engine/base/clock.h"
#include "net/log/access_log.h"
#include "net/server/read_pool.h"

namespace stele::net {

ServerCore::ServerCore(ServerOptions o)
    : options(std::move(o)),
      traffic(options.traffic ? options.traffic : std::make_shared<api::TrafficMetrics>()),
      budget(options.limits.connections_max, options.limits.connections_per_address_max,
             options.limits.bodies_bytes_max, 2 * std::uint64_t{options.limits.body_bytes_max}, traffic->connections()),
      request_id_prefix(fmt::format("{:x}", system_clock().now().micros)) {}

ServerCore::~ServerCore() = default;

}  // namespace stele::net

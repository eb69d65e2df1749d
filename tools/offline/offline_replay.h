#pragma once
// Replays over a data folder, without a server or beside one.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "api/http/problem.h"
#include "api/replay/handler_registry.h"
#include "api/replay/replay_request.h"
#include "engine/base/result.h"
#include "engine/store/read_only_store.h"
#include "net/worker/worker_pool.h"

namespace stele::tools {

/// A data folder opened for reading, with the handlers that are registered in it. Nothing in it is changed.
class OfflineReplay {
 public:
  /// As Store::open_read_only().
  [[nodiscard]] static Result<std::unique_ptr<OfflineReplay>> open(const std::string& folder,
                                                                   const net::WorkerOptions& workers);

  /// What the server would answer, but that no snapshots are used: the body, or why there is none.
  [[nodiscard]] std::variant<std::string, api::Problem> replay(std::string_view aggregate_id,
                                                               const api::ReplayRequest& request);

 private:
  OfflineReplay(std::unique_ptr<ReadOnlyStore> store, const net::WorkerOptions& workers);

  std::unique_ptr<ReadOnlyStore> store_;
  net::WorkerPool workers_;
  api::HandlerRegistry handlers_;
};

}  // namespace stele::tools

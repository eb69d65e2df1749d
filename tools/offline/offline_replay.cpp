#include "tools/offline/offline_replay.h"

#include <utility>

#include "api/http/bounded_read.h"
#include "api/replay/replay_answer.h"
#include "engine/store/store.h"

namespace stele::tools {

OfflineReplay::OfflineReplay(std::unique_ptr<ReadOnlyStore> store, const net::WorkerOptions& workers)
    : store_(std::move(store)), workers_(workers) {}

Result<std::unique_ptr<OfflineReplay>> OfflineReplay::open(const std::string& folder,
                                                           const net::WorkerOptions& workers) {
  ReadOnlyOptions options;
  options.folder = folder;
  STELE_ASSIGN(std::unique_ptr<ReadOnlyStore> store, Store::open_read_only(std::move(options)));
  std::unique_ptr<OfflineReplay> replay(new OfflineReplay(std::move(store), workers));
  STELE_TRY(replay->handlers_.load(*replay->store_->view()));
  return replay;
}

std::variant<std::string, api::Problem> OfflineReplay::replay(std::string_view aggregate_id,
                                                              const api::ReplayRequest& request) {
  const auto aggregate = store_->view()->aggregate(aggregate_id);
  if (!aggregate) return api::read_failed();
  if (!*aggregate) return api::Problem("aggregate-not-found", "No event belongs to this aggregate.");
  const api::Replayer replayer({.views = [this] { return store_->view(); }, .scripts = &workers_});
  return api::answer_replay(**aggregate, request, handlers_, replayer, [] { return false; });
}

}  // namespace stele::tools

#include "api/replay/layered_state_cache.h"

#include <utility>

namespace stele::api {

std::shared_ptr<const CachedState> LayeredStateCache::find(std::string_view aggregate_id, const Digest& handler) {
  auto found = near_.find(aggregate_id, handler);
  if (found != nullptr || far_ == nullptr) return found;
  const auto before = redactions_ == nullptr ? RedactionNotes::Standing{} : redactions_->standing(aggregate_id);
  found = far_->find(aggregate_id, handler);
  if (found == nullptr || !is_of_this_history(aggregate_id, found->state)) return nullptr;
  const auto keep = [&] { near_.put(aggregate_id, handler, found); };
  if (redactions_ == nullptr) {
    keep();
  } else {
    (void)redactions_->keep_unless_changed(aggregate_id, before, keep);
  }
  return found;
}

bool LayeredStateCache::put(std::string_view aggregate_id, const Digest& handler,
                            std::shared_ptr<const CachedState> state) {
  const bool is_newest = near_.put(aggregate_id, handler, state);
  if (is_newest && far_ != nullptr) far_->put(aggregate_id, handler, std::move(state));
  return is_newest;
}

bool LayeredStateCache::is_of_this_history(std::string_view aggregate_id, const FoldedState& state) const {
  Record record;
  if (!views_()->read(state.position, record)) return false;
  const RecordHeader& header = record.header();
  return header.aggregate_id == aggregate_id && header.sequence == state.sequence && header.time == state.time;
}

}  // namespace stele::api

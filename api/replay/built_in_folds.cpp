#include "api/replay/built_in_folds.h"

#include "api/replay/last_fold.h"
#include "api/replay/merge_fold.h"

namespace stele::api {

std::unique_ptr<Fold> make_built_in_fold(EventHandler::Kind kind, std::optional<std::string_view> state,
                                         std::size_t state_bytes_max) {
  if (kind == EventHandler::Kind::Last) return std::make_unique<LastFold>(state.value_or("null"), state_bytes_max);
  return std::make_unique<MergeFold>(state.value_or("{}"), state_bytes_max);
}

}  // namespace stele::api

#pragma once
// The built-in fold `merge`: the data of each event is merged into the state (RFC 7396).

#include <cstddef>
#include <optional>
#include <string_view>
#include <variant>

#include "api/replay/fold.h"
#include "api/replay/merge_patch.h"

namespace stele::api {

/// Events whose data is redacted are passed over and counted as such; those that have none are ignored. A state of more
/// than `state_bytes_max` is the failure Limit "state-size" of the event that made it so.
class MergeFold final : public Fold {
 public:
  MergeFold(std::string_view initial, std::size_t state_bytes_max);

  using Fold::apply;
  [[nodiscard]] std::optional<FoldFailure> apply(const Record& event, const Upcast* upcast) override;
  [[nodiscard]] std::variant<FoldState, FoldFailure> state() override;

 private:
  const std::size_t state_bytes_max_;
  MergeDocument document_;
  FoldState counts_;  ///< without its text
  std::optional<FoldFailure> failure_;
};

}  // namespace stele::api

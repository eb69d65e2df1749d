#pragma once
// The built-in fold `last`: the state is the data of the newest event.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/replay/fold.h"

namespace stele::api {

/// Redacted events, events without data and states that are too large: as with MergeFold.
class LastFold final : public Fold {
 public:
  /// `initial` is `null` where folding begins at the first event.
  LastFold(std::string_view initial, std::size_t state_bytes_max);

  using Fold::apply;
  [[nodiscard]] std::optional<FoldFailure> apply(const Record& event, const Upcast* upcast) override;
  [[nodiscard]] std::variant<FoldState, FoldFailure> state() override;

 private:
  [[nodiscard]] bool too_large();

  const std::size_t state_bytes_max_;
  std::string newest_;  ///< as written; white space goes when somebody asks
  FoldState counts_;    ///< without its text
  std::optional<FoldFailure> failure_;
};

}  // namespace stele::api

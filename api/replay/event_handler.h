#pragma once
// What folds events into a state: one of the built-in folds, or a version of a registered script.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/ids.h"

namespace stele::api {

inline constexpr std::string_view kMergeHandler = "merge";
inline constexpr std::string_view kLastHandler = "last";
inline constexpr std::string_view kDefaultHandler = "default";

/// One handler, ready to be used.
struct EventHandler {
  enum class Kind : std::uint8_t { Merge, Last, Script };
  Kind kind = Kind::Merge;
  std::string name{kMergeHandler};
  std::optional<std::uint32_t> version;  ///< of a registered script
  Digest identity{};                     ///< of its source, or of the built-in's version
  std::string source;                    ///< of a script; empty if it is where `source_at` says
  std::optional<Position> source_at;     ///< the event that registered it
  std::string aggregate_type;            ///< of a registered script
  /// Of a script: whether its states depend on nothing but the events. None = not checked yet.
  std::optional<bool> pure;
  std::optional<Position> impure_since;

  /// Whether folding may go on from a state that was kept.
  [[nodiscard]] bool may_fold_on() const { return kind != Kind::Script || pure == true; }
};

[[nodiscard]] EventHandler built_in_handler(EventHandler::Kind kind);
/// A script by its source alone, as a trial.
[[nodiscard]] EventHandler trial_handler(std::string source);
[[nodiscard]] Digest script_identity(std::string_view source);

/// 1..128 letters, digits, `. _ -`; not the name of a built-in one.
[[nodiscard]] bool is_handler_name(std::string_view name);

}  // namespace stele::api

#pragma once
// A state with all that must be known to fold on from it, as it is kept by snapshots and caches.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "api/records/event_aliases.h"
#include "api/records/event_upcasts.h"
#include "engine/base/ids.h"

namespace stele::api {

/// The event types that were folded into a state, because a state depends on what becomes of these alone.
class FoldedTypes {
 public:
  void add(std::string_view type);
  /// More than are kept: it may be any.
  [[nodiscard]] bool any() const { return any_; }
  [[nodiscard]] const std::set<std::string, std::less<>>& types() const { return types_; }
  bool operator==(const FoldedTypes&) const = default;

  static constexpr std::size_t kTypesMax = 256;

 private:
  friend struct FoldedState;
  std::set<std::string, std::less<>> types_;
  bool any_ = false;
};

struct FoldedState {
  SequenceNumber sequence;  ///< of the last event that was folded; 0 = none
  Position position;        ///< of that event
  Timestamp time;           ///< of that event
  FoldedTypes types;
  std::string json;  ///< without white space outside strings

  /// The same in bytes, for snapshots. The sequence number is not in it.
  [[nodiscard]] std::string encode() const;
  /// None if these are no such bytes.
  [[nodiscard]] static std::optional<FoldedState> decode(SequenceNumber sequence, std::string_view bytes);
};

/// In which versions of their schemas events are folded, and under which names.
struct FoldedVersions {
  const UpcastChains* chains = nullptr;  ///< null: as they are stored
  bool numbers = false;                  ///< whether it makes a difference which number a version has
  const AliasTable* aliases = nullptr;   ///< by which names event types are known; null: by the stored ones
};

/// What a state is by: SHA-256 of the handler's identity (its source, or the version of a built-in one), of what runs
/// it, of the upcasters and the alias of each event type that was folded, and of how many events of the aggregate were
/// redacted. States with different fingerprints are not comparable.
[[nodiscard]] Digest fingerprint_of(const Digest& handler, std::string_view engine_id, const FoldedTypes& types,
                                    const FoldedVersions& versions, std::uint64_t redactions);

}  // namespace stele::api

#include "api/replay/folded_state.h"

#include <utility>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"

namespace stele::api {

namespace {
constexpr std::uint8_t kForm = 1;
constexpr std::uint8_t kTakesAnyType = 1;
}  // namespace

void FoldedTypes::add(std::string_view type) {
  if (any_ || types_.contains(type)) return;
  if (types_.size() == kTypesMax) {
    any_ = true;
    types_.clear();
    return;
  }
  types_.emplace(type);
}

// Form, flags, position, time, number of types; each type's length and bytes; the state.
std::string FoldedState::encode() const {
  std::string bytes;
  put<std::uint8_t>(bytes, kForm);
  put<std::uint8_t>(bytes, types.any_ ? kTakesAnyType : 0);
  put<std::uint64_t>(bytes, position.value());
  put<std::int64_t>(bytes, time.micros);
  put<std::uint16_t>(bytes, static_cast<std::uint16_t>(types.types_.size()));
  for (const std::string& type : types.types_) {
    put<std::uint8_t>(bytes, static_cast<std::uint8_t>(type.size()));
    bytes += type;
  }
  return bytes += json;
}

std::optional<FoldedState> FoldedState::decode(SequenceNumber sequence, std::string_view bytes) {
  ByteReader in(bytes);
  if (in.take<std::uint8_t>() != kForm) return std::nullopt;
  FoldedState state;
  state.sequence = sequence;
  state.types.any_ = (in.take<std::uint8_t>() & kTakesAnyType) != 0;
  state.position = Position{in.take<std::uint64_t>()};
  state.time = Timestamp{in.take<std::int64_t>()};
  const auto types = in.take<std::uint16_t>();
  for (std::uint16_t i = 0; i < types && in.ok(); ++i) {
    state.types.types_.emplace(in.take_bytes(in.take<std::uint8_t>()));
  }
  if (!in.ok() || in.left() == 0) return std::nullopt;
  state.json = in.take_bytes(in.left());
  return state;
}

namespace {

/// Adds nothing for types without an alias.
void append_aliases(std::string& text, const FoldedTypes& types, const AliasTable* aliases) {
  if (aliases == nullptr) return;
  bool any = false;
  for (const auto& [stored, shown] : aliases->shown) {
    if (!types.any() && !types.types().contains(stored)) continue;
    if (!std::exchange(any, true)) text += "aliases";
    for (const std::string* const name : {&stored, &shown}) {
      put<std::uint16_t>(text, static_cast<std::uint16_t>(name->size()));
      text += *name;
    }
  }
}

}  // namespace

Digest fingerprint_of(const Digest& handler, std::string_view engine_id, const FoldedTypes& types,
                      const FoldedVersions& versions, std::uint64_t redactions) {
  std::string text("stele/fold/v1");
  text += as_bytes(handler);
  put<std::uint16_t>(text, static_cast<std::uint16_t>(engine_id.size()));
  text += engine_id;
  put<std::uint64_t>(text, redactions);
  // A type without upcasters adds nothing, so that its first one changes the fingerprint and an unrelated one does not.
  append_aliases(text, types, versions.aliases);
  std::string upcasts;
  if (versions.chains != nullptr && types.any()) versions.chains->append_identity(versions.numbers, upcasts);
  if (versions.chains != nullptr) {
    for (const std::string& type : types.types()) versions.chains->append_identity(type, versions.numbers, upcasts);
  }
  put<std::uint16_t>(text, upcasts.empty() ? 0 : 1);
  return sha256({text, upcasts});
}

}  // namespace stele::api

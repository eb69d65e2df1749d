#include "api/replay/folded_state.h"

#include <doctest/doctest.h>

#include <string>

#include "api/json/hex.h"
#include "api/replay/event_handler.h"
#include "engine/base/digest.h"

using namespace stele;
using namespace stele::api;

namespace {

FoldedState sample() {
  FoldedState state;
  state.sequence = SequenceNumber{7};
  state.position = Position{0x0102};
  state.time = Timestamp{0x0304};
  state.types.add("B");
  state.types.add("A");
  state.types.add("B");
  state.json = R"({"x":1})";
  return state;
}

}  // namespace

TEST_CASE("FoldedState.HasTheBytesOfTheSpecification") {
  // Form, flags, position, time, two types, the state.
  CHECK(hex(sample().encode()) ==
        "0100"
        "0201000000000000"
        "0403000000000000"
        "0200"
        "0141"
        "0142"
        "7b2278223a317d");
  const auto again = FoldedState::decode(SequenceNumber{7}, sample().encode());
  REQUIRE(again);
  CHECK(again->sequence == SequenceNumber{7});
  CHECK(again->position == Position{0x0102});
  CHECK(again->time == Timestamp{0x0304});
  CHECK(again->types == sample().types);
  CHECK(again->json == R"({"x":1})");
}

TEST_CASE("FoldedState.OtherBytesAreNone") {
  const std::string bytes = sample().encode();
  const std::size_t without_state = bytes.size() - sample().json.size();
  for (std::size_t size = 0; size <= without_state; ++size) {
    CAPTURE(size);
    CHECK_FALSE(FoldedState::decode(SequenceNumber{7}, std::string_view(bytes).substr(0, size)));
  }
  std::string other_form = bytes;
  other_form[0] = 2;
  CHECK_FALSE(FoldedState::decode(SequenceNumber{7}, other_form));
}

TEST_CASE("FoldedState.OfTooManyTypesCountsAsOfAny") {
  FoldedState state = sample();
  for (std::size_t i = 0; i <= FoldedTypes::kTypesMax; ++i) state.types.add("T" + std::to_string(i));
  CHECK(state.types.any());
  const auto again = FoldedState::decode(SequenceNumber{7}, state.encode());
  REQUIRE(again);
  CHECK(again->types.any());
}

TEST_CASE("Fingerprint.IsOfHandlerEngineAndRedactionsAndStaysWhatItIs") {
  const Digest merge = built_in_handler(EventHandler::Kind::Merge).identity;
  const Digest fingerprint = fingerprint_of(merge, "built-in", sample().types, {}, 0);
  CHECK(hex(as_bytes(fingerprint)) == "88733c6d56c8f7325d661979e3d7cfc1a752a7a0b29b3b6ffdd78e6c259a4113");
  CHECK(fingerprint != fingerprint_of(merge, "built-in", sample().types, {}, 1));
  CHECK(fingerprint != fingerprint_of(merge, "other", sample().types, {}, 0));
  CHECK(fingerprint != fingerprint_of(script_identity("x"), "built-in", sample().types, {}, 0));
  // Other names of types that were folded do, of others not.
  AliasTable aliases;
  const FoldedVersions named{.aliases = &aliases};
  aliases.set("Another", "New");
  CHECK(fingerprint == fingerprint_of(merge, "built-in", sample().types, named, 0));
  aliases.set("A", "New");
  const Digest aliased = fingerprint_of(merge, "built-in", sample().types, named, 0);
  CHECK(fingerprint != aliased);
  aliases.set("A", "Newer");
  CHECK(aliased != fingerprint_of(merge, "built-in", sample().types, named, 0));
  // Event types without upcasters change nothing.
  CHECK(fingerprint == fingerprint_of(merge, "built-in", FoldedTypes(), {}, 0));
}

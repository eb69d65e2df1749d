#include "net/redis/state_value.h"

#include <doctest/doctest.h>

using namespace stele;
using namespace stele::net;

namespace {

api::CachedState sample_state() {
  api::CachedState state;
  state.state.sequence = SequenceNumber{7};
  state.state.position = Position{70};
  state.state.time = Timestamp{1'700'000'000'000'000};
  state.state.types.add("Set");
  state.state.json = R"({"balance":100})";
  state.fingerprint.fill(static_cast<Digest::value_type>(9));
  return state;
}

struct SamplePlace {
  Uuid store{};
  Digest handler{};
  std::string aggregate_id = "mission/1";
  [[nodiscard]] StatePlace place() const { return {store, aggregate_id, handler}; }
};

}  // namespace

TEST_CASE("StateValue.ComesBackAsItWas") {
  const SamplePlace at;
  const Digest secret{};
  const api::CachedState state = sample_state();
  const auto back = decode_state_value(secret, at.place(), encode_state_value(secret, at.place(), state));
  REQUIRE(back);
  CHECK_EQ(back->state.json, state.state.json);
  CHECK(back->state.sequence == state.state.sequence);
  CHECK(back->state.position == state.state.position);
  CHECK(back->state.time == state.state.time);
  CHECK(back->state.types == state.state.types);
  CHECK(back->fingerprint == state.fingerprint);
}

TEST_CASE("StateValue.NothingElseIsTaken") {
  const SamplePlace at;
  const Digest secret{};
  const std::string value = encode_state_value(secret, at.place(), sample_state());
  for (std::size_t i = 0; i < value.size(); ++i) {
    CAPTURE(i);
    std::string changed = value;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(decode_state_value(secret, at.place(), changed));
    CHECK_FALSE(decode_state_value(secret, at.place(), std::string_view(value).substr(0, i)));
  }
  CHECK_FALSE(decode_state_value(secret, at.place(), value + " "));
  SamplePlace other;
  other.aggregate_id = "mission/2";
  CHECK_FALSE(decode_state_value(secret, other.place(), value));
  other = {};
  other.store.bytes[0] = static_cast<decltype(other.store.bytes)::value_type>(1);
  CHECK_FALSE(decode_state_value(secret, other.place(), value));
  CHECK_NE(state_key(other.place()), state_key(at.place()));
  other = {};
  other.handler.fill(static_cast<Digest::value_type>(1));
  CHECK_FALSE(decode_state_value(secret, other.place(), value));
  CHECK_NE(state_key(other.place()), state_key(at.place()));
  Digest wrong{};
  wrong.fill(static_cast<Digest::value_type>(1));
  CHECK_FALSE(decode_state_value(wrong, at.place(), value));
}

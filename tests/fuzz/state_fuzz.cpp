// The state file of a live server or of one that ended in any way.

#include "engine/log/state_file.h"

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_file.h"

namespace stele {
namespace {

constexpr std::size_t kStateBytes = 80;

std::vector<std::string> seeds() {
  std::string state = "STELEST1";
  for (std::uint64_t word = 0; word < 8; ++word) put<std::uint64_t>(state, word == 0 ? 2 : word * 1000);
  put<std::uint64_t>(state, xxh3(state));
  std::string odd = state;
  odd[8] = 3;
  return {state, odd, state.substr(0, 79)};
}

}  // namespace

FUZZ_TARGET(state, seeds) {
  fuzz::MemoryFileSystem as_it_is(input);
  (void)read_state(as_it_is, "state");
  if (input.size() < kStateBytes) return;
  std::string mended(input.substr(0, kStateBytes));
  mended[8] = static_cast<char>(mended[8] & ~1);
  put_at<std::uint64_t>(mended.data() + kStateBytes - 8, xxh3(std::string_view(mended).substr(0, kStateBytes - 8)));
  fuzz::MemoryFileSystem sound(mended);
  const auto state = read_state(sound, "state");
  STELE_CHECK(state.has_value() == mended.starts_with("STELEST1"));
  if (state) STELE_CHECK(state->end == Position{get_at<std::uint64_t>(mended.data() + 32)});
}

}  // namespace stele

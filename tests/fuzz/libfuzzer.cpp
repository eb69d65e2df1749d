// The entry point of libFuzzer for the one target that is linked with it.

#include <cstddef>
#include <cstdint>

#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  STELE_CHECK(stele::fuzz::targets().size() == 1);
  stele::fuzz::targets().front().run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}

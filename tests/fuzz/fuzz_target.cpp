#include "tests/fuzz/fuzz_target.h"

namespace stele::fuzz {

std::vector<Target>& targets() {
  static std::vector<Target> all;
  return all;
}

}  // namespace stele::fuzz

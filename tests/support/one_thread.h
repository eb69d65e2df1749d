#pragma once
// TEST_CASE("..." * one_thread()): it starts no thread and takes seconds. ThreadSanitizer has nothing to find in it and
// would take ten times as long for it, so it is left out there.

#include <doctest/doctest.h>

namespace stele::tests {

inline doctest::skip one_thread() {
#ifdef __SANITIZE_THREAD__
  return {true};
#else
  return {false};
#endif
}

}  // namespace stele::tests

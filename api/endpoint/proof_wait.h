#pragma once
// `?wait=checkpoint`: an answer that waits until a signed checkpoint covers what it is about.

#include <chrono>

#include "api/http/parameters.h"

namespace stele::api {

inline constexpr std::chrono::milliseconds kProofWait{5000};

/// Whether the parameter `wait` is given; anything but `checkpoint` is refused.
[[nodiscard]] inline bool read_proof_wait(Parameters& parameters) {
  const auto wait = parameters.text("wait");
  if (wait && *wait != "checkpoint") parameters.refuse("wait", "Must be checkpoint.");
  return wait.has_value();
}

}  // namespace stele::api

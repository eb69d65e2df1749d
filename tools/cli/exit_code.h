#pragma once

namespace stele::tools {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
/// What was to be verified was looked at, and does not hold.
inline constexpr int kExitDoesNotHold = 3;

}  // namespace stele::tools

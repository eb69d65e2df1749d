#pragma once
// The version of the binary: the project version of CMakeLists.txt.

namespace stele::tools {

inline constexpr const char* kVersion = STELE_VERSION;

}  // namespace stele::tools

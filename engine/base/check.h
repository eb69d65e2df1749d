#pragma once
// Assertions of programmer errors, on in every build. Never for bytes that came from disk or network.

namespace stele {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace stele

#define STELE_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::stele::check_failed(#condition, __FILE__, __LINE__))

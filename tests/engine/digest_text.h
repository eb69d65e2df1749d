#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/digest.h"

namespace stele {

/// Two lower-case digits a byte.
inline std::string hex(const Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace stele

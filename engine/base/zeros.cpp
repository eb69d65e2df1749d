#include "engine/base/zeros.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace stele {

Status write_zeros(File& file, std::uint64_t from, std::uint64_t to) {
  static const std::string zeros(1ULL << 20, '\0');
  for (std::uint64_t at = from; at < to; at += zeros.size()) {
    STELE_TRY(file.write_at(ByteOffset{at}, std::string_view(zeros).substr(0, to - at)));
  }
  return {};
}

}  // namespace stele

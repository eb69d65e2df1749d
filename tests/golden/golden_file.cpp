#include "tests/golden/golden_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "tests/support/build_paths.h"
#include "tests/support/text.h"

namespace {

std::string path_of(const std::string& name) { return stele::tests::source_path("tests/golden/v1/" + name); }

bool regenerate() {
  const char* const value = std::getenv("STELE_REGENERATE_GOLDEN");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

std::string read_source_file(const std::string& path_from_root) {
  return stele::tests::read_file(stele::tests::source_path(path_from_root));
}

std::string golden_bytes(const std::string& name) {
  std::string bytes = stele::tests::read_file(path_of(name));
  REQUIRE_MESSAGE(!bytes.empty(), "no golden file " << name);
  return bytes;
}

void check_golden(const std::string& name, std::string_view bytes) {
  if (regenerate()) {
    std::ofstream out(path_of(name), std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    REQUIRE_MESSAGE(out.good(), "cannot write golden file " << name);
    MESSAGE("regenerated golden file " << name);
    return;
  }
  const std::string golden = golden_bytes(name);
  const auto parted = std::mismatch(bytes.begin(), bytes.end(), golden.begin(), golden.end());
  CHECK_MESSAGE(bytes == golden, name << " differs from byte " << (parted.first - bytes.begin()) << " on; now "
                                      << bytes.size() << " bytes, golden " << golden.size());
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

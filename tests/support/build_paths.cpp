#include "tests/support/build_paths.h"

namespace stele::tests {

std::string stele_binary() { return STELE_BINARY; }

std::string source_path(std::string_view from_root) { return STELE_SOURCE_DIR "/" + std::string(from_root); }

std::string clients_folder() { return STELE_CLIENTS; }

std::string sandbox_probe() { return STELE_SANDBOX_PROBE; }

std::string shifted_clock() { return STELE_SHIFTED_CLOCK; }

std::string killed_at_call() { return STELE_KILLED_AT_CALL; }

}  // namespace stele::tests

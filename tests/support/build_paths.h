#pragma once

#include <string>
#include <string_view>

namespace stele::tests {

// Where this build and its sources are. Only build_paths.cpp is compiled with these paths, so that a compiler cache
// finds in one clone what another has compiled.

/// The binary that is tested.
std::string stele_binary();
/// A file of the sources, by its path from the root; the root itself for "".
std::string source_path(std::string_view from_root);
/// Where tests/clients/install puts the npm packages.
std::string clients_folder();
/// tests/net/probes/sandbox_probe.
std::string sandbox_probe();
/// tests/preload/shifted_clock, to be loaded by LD_PRELOAD.
std::string shifted_clock();
/// tests/preload/killed_at_call, the same way.
std::string killed_at_call();

}  // namespace stele::tests

#pragma once
// Bundles: events and their proofs in a file, made from a server and verified without one.

namespace stele::tools {

/// `stele audit bundle`.
int audit_bundle_command(int argc, const char* const* argv);
/// `stele verify-bundle`.
int verify_bundle_command(int argc, const char* const* argv);

}  // namespace stele::tools

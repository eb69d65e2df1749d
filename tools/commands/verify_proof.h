#pragma once
// `stele verify-proof` and `stele verify-consistency`: proofs checked with nothing but a key.

namespace stele::tools {

int verify_proof_command(int argc, const char* const* argv);
int verify_consistency_command(int argc, const char* const* argv);

}  // namespace stele::tools

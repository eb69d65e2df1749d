#pragma once
// A mount namespace for tests that mount file systems.

namespace stele::tests {

/// From now on, what this process and its children mount is seen by them only, and goes with the last of them. Also in
/// a chroot. Throws std::runtime_error, saying what is not allowed. Only while there is one thread.
void enter_private_mounts();

}  // namespace stele::tests

#pragma once
// What a process that runs the code of strangers gives up. Linux only. For the process that calls it and all of its
// threads; nothing of it can be taken back.
//
// leave_server() comes first, before anything is loaded. confine() comes when the process has opened, started and
// mapped all that it will ever need: threads, helper threads of libraries, a first run of everything that reads a file
// once. From then on it may use memory, its descriptors and clocks, and end; whatever else it asks the kernel for ends
// it with SIGSYS. Memory that can be executed is among what it does not get.

#include <cstdint>
#include <string>

namespace stele::net {

struct SandboxLimits {
  std::uint64_t memory_bytes_max = 0;  ///< of address space beyond what the process has when it is confined
  bool trusted = false;                ///< go on where the kernel cannot restrict system calls
};

/// Whether this build can be confined at all: sanitizers need address space and system calls of their own.
[[nodiscard]] bool can_confine();

/// The process ends with its parent's thread, leaves no core, is the first to go when the machine has no more memory,
/// and cannot be looked into by others of its user.
void leave_server();

/// Why the process could not be confined, for people; empty if it is.
[[nodiscard]] std::string confine(const SandboxLimits& limits);

}  // namespace stele::net

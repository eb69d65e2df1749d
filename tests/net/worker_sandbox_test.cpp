#include "net/worker/sandbox.h"

#include <doctest/doctest.h>
#include <signal.h>

#include "tests/support/build_paths.h"
#include "tests/support/server_process.h"

namespace stele::tests {

namespace {
int probe(const char* what) { return run_process({sandbox_probe(), what}).exit_code; }
}  // namespace

TEST_CASE("WorkerSandbox.WhatAWorkerNeedsGoesOn" * doctest::skip(!net::can_confine())) {
  for (const char* const what : {"nothing", "memory", "write"}) CHECK_MESSAGE(probe(what) == 0, what);
}

TEST_CASE("WorkerSandbox.WhatLeadsOutOfItEndsTheProcess" * doctest::skip(!net::can_confine())) {
  for (const char* const what :
       {"open", "open-to-write", "socket", "socketpair", "fork", "exec", "thread", "executable-memory",
        "make-executable", "kill", "ptrace", "raise-limit", "unlink", "dup"}) {
    CHECK_MESSAGE(probe(what) == 128 + SIGSYS, what);
  }
}

TEST_CASE("WorkerSandbox.WhereSystemCallsCannotBeRestrictedItSaysSo" * doctest::skip(!net::can_confine())) {
  const ProcessResult refused = run_process({sandbox_probe(), "without-seccomp"});
  CHECK(refused.exit_code == 1);
  CHECK_MESSAGE(refused.err.starts_with("the kernel cannot restrict system calls (seccomp): "), refused.err);
  CHECK(probe("without-seccomp-trusted") == 0);
}

TEST_CASE("WorkerSandbox.MemoryIsLimited" * doctest::skip(!net::can_confine())) { CHECK(probe("much-memory") == 1); }

}  // namespace stele::tests

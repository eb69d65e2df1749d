// A worker as `stele serve` starts it, without the rest of the binary, which a build with a sanitizer need not compile
// for it. The contract tests run the binary's own.

#include "net/worker/worker_main.h"

int main() {
  constexpr int kSocket = 3;
  return stele::net::run_worker(kSocket);
}

#include "tools/commands/worker.h"

#include <sys/socket.h>

#include "net/worker/worker_main.h"
#include "tools/cli/exit_code.h"
#include "tools/cli/output.h"

namespace stele::tools {

namespace {

constexpr int kSocket = 3;

bool is_stream_socket(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

}  // namespace

int worker_command(int argc, const char* const* /*argv*/) {
  if (argc > 1 || !is_stream_socket(kSocket)) {
    say("stele worker: this is started by 'stele serve', to run handlers; it does nothing by itself\n");
    return kExitUsage;
  }
  return net::run_worker(kSocket);
}

}  // namespace stele::tools

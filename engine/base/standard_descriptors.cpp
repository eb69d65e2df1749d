#include "engine/base/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace stele {

void open_standard_descriptors() {
  static constexpr std::array<int, 3> kFlags{O_WRONLY, O_RDONLY, O_RDWR};
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is given out, which is this one. Without a /dev: what can be neither read nor written.
    if (::open("/dev/null", kFlags[static_cast<std::size_t>(fd)]) < 0) (void)(::open("/", O_PATH) < 0);
  }
}

}  // namespace stele

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char** argv) {
  // Started with a closed stdin, say, a test would get a pipe or socket with that number, which its children then lack.
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
  return doctest::Context(argc, argv).run();
}

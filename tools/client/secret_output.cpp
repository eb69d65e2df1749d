#include "tools/client/secret_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

namespace stele::tools {

Result<SecretOutput> SecretOutput::create(std::string path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return os_error(errno, "cannot make the file", path);
  return SecretOutput(std::move(path), descriptor);
}

SecretOutput::~SecretOutput() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!is_written_) ::unlink(path_.c_str());
}

SecretOutput::SecretOutput(SecretOutput&& from) noexcept
    : path_(std::move(from.path_)), descriptor_(std::exchange(from.descriptor_, -1)), is_written_(from.is_written_) {}

Status SecretOutput::write(std::string_view secret) {
  const std::string line = std::string(secret) + "\n";
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t wrote = ::write(descriptor_, line.data() + done, line.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return os_error(errno, "cannot write", path_);
    done += static_cast<std::size_t>(wrote);
  }
  is_written_ = true;
  return {};
}

}  // namespace stele::tools

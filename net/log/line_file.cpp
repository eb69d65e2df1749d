#include "net/log/line_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "net/log/log.h"

namespace stele::net {

namespace {

constexpr std::size_t flush_bytes = 16U << 10;
constexpr std::size_t waiting_bytes_max = 1U << 20;

void close_unless_stdout(int fd) {
  if (fd > STDOUT_FILENO) ::close(fd);
}

}  // namespace

Result<int> LineFile::open(const std::string& path, Opening opening) {
  std::error_code ignored;  // the opening tells
  if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty()) {
    std::filesystem::create_directories(folder, ignored);
  }
  const int waiting = opening == Opening::Again ? O_NONBLOCK : 0;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | waiting, 0666);
  if (fd < 0) return os_error(errno, "cannot open the access log", path);
  if (waiting != 0) (void)::fcntl(fd, F_SETFL, O_APPEND);
  return fd;
}

LineFile::~LineFile() {
  flush();
  close_unless_stdout(fd_);
}

void LineFile::add(std::string_view line) {
  if (next_.load() >= 0) flush();
  if (waiting_.size() + line.size() >= waiting_bytes_max) {
    dropped_.fetch_add(1);
    return;
  }
  waiting_.append(line) += '\n';
  if (waiting_.size() >= flush_bytes) flush();
}

void LineFile::flush() {
  write_waiting();
  const int next = next_.exchange(-1);
  if (next < 0) return;
  close_unless_stdout(fd_);
  fd_ = next;
  written_ = 0;  // a line that could not be ended there stands here whole
  write_waiting();
}

void LineFile::go_on_in(int fd) {
  if (const int unused = next_.exchange(fd); unused >= 0) close_unless_stdout(unused);
}

void LineFile::write_waiting() {
  while (written_ < waiting_.size()) {
    const ssize_t put = ::write(fd_, waiting_.data() + written_, waiting_.size() - written_);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      if (!std::exchange(failing_, true)) log_error("the access log cannot be written: {}", std::strerror(errno));
      const std::size_t last_end = written_ == 0 ? std::string::npos : waiting_.rfind('\n', written_ - 1);
      if (last_end == std::string::npos) return;
      waiting_.erase(0, last_end + 1);
      written_ -= last_end + 1;
      return;
    }
    written_ += static_cast<std::size_t>(put);
  }
  if (!waiting_.empty() && std::exchange(failing_, false)) log_info("the access log is written again");
  waiting_.clear();
  written_ = 0;
}

}  // namespace stele::net

#include "engine/base/result.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace stele {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "stele: internal error: %s does not hold (%s:%d)\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

const char* name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::NotFound:
      return "not found";
    case ErrorKind::InvalidArgument:
      return "invalid argument";
    case ErrorKind::TooLarge:
      return "too large";
    case ErrorKind::Io:
      return "I/O error";
    case ErrorKind::DiskFull:
      return "disk full";
    case ErrorKind::Corrupt:
      return "corrupt";
    case ErrorKind::Foreign:
      return "foreign file";
    case ErrorKind::NewerFormat:
      return "newer format";
    case ErrorKind::Locked:
      return "locked";
    case ErrorKind::Unsupported:
      return "not supported";
    case ErrorKind::Displaced:
      return "displaced";
    case ErrorKind::Busy:
      return "busy";
    case ErrorKind::Poisoned:
      return "poisoned";
    case ErrorKind::Closed:
      return "closed";
    case ErrorKind::NotReady:
      return "not ready";
    case ErrorKind::WouldWait:
      return "would wait";
  }
  return "unknown";
}

std::string Error::describe() const {
  std::string text = fmt::format("{}: {}", name_of(kind), message);
  if (!file.empty()) text += fmt::format(" [{}", file);
  if (!file.empty() && offset) text += fmt::format(" at byte {}", *offset);
  if (!file.empty()) text += "]";
  if (os_error != 0) {
    char buffer[128];
    text += fmt::format(" ({})", strerror_r(os_error, buffer, sizeof buffer));
  }
  return text;
}

Error os_error(int error_number, std::string message, std::string file) {
  const ErrorKind kind = (error_number == ENOSPC || error_number == EDQUOT) ? ErrorKind::DiskFull
                         : error_number == ENOENT                           ? ErrorKind::NotFound
                                                                            : ErrorKind::Io;
  return Error{.kind = kind, .message = std::move(message), .os_error = error_number, .file = std::move(file)};
}

}  // namespace stele

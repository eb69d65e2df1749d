#include "tools/client/answers.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "api/json/json_text.h"
#include "tools/cli/exit_code.h"
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/client/json_members.h"
#include "tools/client/problem.h"

namespace stele::tools {

namespace {

Result<std::string> read_to_end(int fd, const std::string& name, std::size_t bytes_max) {
  std::string content;
  for (char piece[16 * 1024];;) {
    const ssize_t got = ::read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_error(errno, "cannot read", name);
    if (got == 0) return content;
    content.append(piece, static_cast<std::size_t>(got));
    if (content.size() > bytes_max)
      return Error{.kind = ErrorKind::TooLarge, .message = "the file is too long", .file = name};
  }
}

}  // namespace

int exit_code_of(std::string_view command, const Result<HttpResponse>& response) {
  if (!response) {
    say("{}: {}\n", command, response.error().describe());
    return kExitFailure;
  }
  if (response->status / 100 == 2) return kExitOk;
  say("{}: refused: {}\n", command, read_problem(*response).describe());
  return kExitFailure;
}

int wrong_usage(std::string_view command, std::string_view why) {
  say("{}: {}\n", command, why);
  return kExitUsage;
}

int unusable_input(std::string_view command, const Error& error) {
  const int code = wrong_usage(command, error.describe());
  return error.kind == ErrorKind::Io ? kExitFailure : code;
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return os_error(errno, "cannot open", path);
  auto content = read_to_end(fd, path, bytes_max);
  ::close(fd);
  if (!content) return content;
  content->erase(0, content->size() - api::without_byte_order_mark(*content).size());
  if (content->empty()) return Error{.kind = ErrorKind::InvalidArgument, .message = "the file is empty", .file = path};
  return content;
}

Result<std::string> read_stdin(std::size_t bytes_max) { return read_to_end(STDIN_FILENO, "stdin", bytes_max); }

std::string script_complaint(const std::string& file, const HttpResponse& response) {
  if (response.status / 100 == 2) return {};
  const JsonMembers problem(response.body);
  const std::string line = problem.text("line");
  if (line.empty()) return {};
  const std::string column = problem.text("column");
  std::string message = problem.text("scriptMessage");
  if (message.empty()) message = problem.text("detail");
  return fmt::format("{}:{}:{} {}", file, line, column.empty() ? "" : column + ":", printable(message));
}

}  // namespace stele::tools

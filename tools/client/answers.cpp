#include "tools/client/answers.h"

#include <fmt/core.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "api/json/json_text.h"
#include "tools/cli/exit_code.h"
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/client/json_members.h"
#include "tools/client/problem.h"

namespace stele::tools {

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

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return os_error(errno, "cannot open", path);
  std::string content;
  for (char piece[16 * 1024]; file && content.size() <= bytes_max;) {
    file.read(piece, sizeof piece);
    content.append(piece, static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) return os_error(EIO, "cannot read", path);
  content.erase(0, content.size() - api::without_byte_order_mark(content).size());
  if (content.empty()) return Error{.kind = ErrorKind::InvalidArgument, .message = "the file is empty", .file = path};
  if (content.size() > bytes_max)
    return Error{.kind = ErrorKind::TooLarge, .message = "the file is too long", .file = path};
  return content;
}

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

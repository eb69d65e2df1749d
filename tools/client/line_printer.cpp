#include "tools/client/line_printer.h"

#include <chrono>

#include "tools/cli/output.h"
#include "tools/cli/table.h"
#include "tools/client/answers.h"
#include "tools/client/http_client.h"
#include "tools/client/problem.h"

namespace stele::tools {

namespace {

/// The server may search through very many records before it finds one.
constexpr std::chrono::seconds kSilentMax{600};

/// Gives out whole lines of a body that arrives in pieces.
class LinePrinter {
 public:
  LinePrinter(const LineTable* table, std::uint64_t limit)
      : table_(table), limit_(limit), columns_(table != nullptr ? terminal_columns() : 0) {}

  /// False when nothing more is wanted.
  [[nodiscard]] bool take(std::string_view piece) {
    while (!piece.empty()) {
      const auto newline = piece.find('\n');
      rest_.append(piece.substr(0, newline));
      if (newline == std::string_view::npos) return true;
      piece.remove_prefix(newline + 1);
      print_line();
      if (output_failed() || (limit_ != 0 && printed_ == limit_)) return false;
    }
    return true;
  }
  void finish() {
    if (!rest_.empty()) print_line();
  }

 private:
  void print_line() {
    if (table_ != nullptr && printed_ == 0) print(table_->heading());
    print(table_ != nullptr ? table_->row(rest_, columns_) : rest_);
    rest_.clear();
    ++printed_;
  }
  static void print(std::string_view line) {
    put(line);
    put("\n");
  }

  const LineTable* table_;
  std::uint64_t limit_;
  std::size_t columns_;
  std::uint64_t printed_ = 0;
  std::string rest_;
};

}  // namespace

int print_lines(const char* command, const ServerFlags& server, const std::string& target, const LineTable* table,
                std::uint64_t limit) {
  HttpTimeouts timeouts;
  timeouts.transfer = kSilentMax;
  const auto client = server.client(timeouts);
  if (!client) return wrong_usage(command, client.error().describe());
  HttpRequest request;
  request.target = target;
  request.headers.emplace_back("Accept", "application/x-ndjson");
  LinePrinter printer(table, limit);
  const auto response = (*client)->stream(request, [&](std::string_view piece) { return printer.take(piece); });
  if (!response) {
    (void)flush_output();  // the failure is told all the same
    say("{}: {}\n", command, response.error().describe());
    return kExitFailure;
  }
  if (response->status / 100 != 2) {
    say("{}: refused: {}\n", command, read_problem(*response).describe());
    return kExitFailure;
  }
  printer.finish();
  return finish_output(command);
}

}  // namespace stele::tools

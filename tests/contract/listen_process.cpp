#include "tests/contract/listen_process.h"

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <utility>

#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

ListenProcess::ListenProcess(std::vector<std::string> arguments, const Environment& environment, int port) {
  arguments.insert(arguments.begin(), {stele_binary(), "listen", "--address", "127.0.0.1:" + std::to_string(port)});
  process_ = ChildProcess::start(arguments, environment);
  const std::string line = process_->wait_for_stderr("listening on http://127.0.0.1:");
  if (line.empty()) throw std::runtime_error("stele listen has ended: " + process_->err());
  port_ = std::stoi(line.substr(line.rfind(':') + 1));
}

void ListenProcess::wait_for(std::string_view text, std::size_t times) {
  const auto has_printed = [&] {
    const std::string out = process_->out();
    std::size_t found = 0;
    for (std::size_t at = 0; (at = out.find(text, at)) != std::string::npos; ++at) ++found;
    return found >= times;
  };
  (void)eventually([&] { return has_printed() || !process_->running(); });
  if (has_printed()) return;
  throw std::runtime_error("stele listen does not print " + std::string(text) + ":\n" + process_->out() +
                           process_->err());
}

std::vector<std::string> ListenProcess::end() {
  process_->signal(SIGTERM);
  if (process_->wait() != 0) throw std::runtime_error("stele listen failed: " + process_->err());
  return lines_of(process_->out());
}

}  // namespace stele::tests

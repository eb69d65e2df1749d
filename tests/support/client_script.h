#pragma once
// Runs the scripts of tests/clients/ with the Node and the packages that its lock file names. The CTest fixture
// `clients` installs them.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/server_process.h"

namespace stele::tests {

/// `name` is that of the script without ".cjs". Throws if the clients are not installed.
[[nodiscard]] ProcessResult run_client_script(std::string_view name, const std::vector<std::string>& arguments = {},
                                              std::string_view input = {}, const Environment& environment = {});

/// The same beside the test, for what listens.
[[nodiscard]] std::unique_ptr<ChildProcess> start_client_script(std::string_view name,
                                                                const std::vector<std::string>& arguments = {},
                                                                const Environment& environment = {});

}  // namespace stele::tests

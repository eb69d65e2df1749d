#pragma once
// What all subcommands share: exit codes, options with units, and where a value comes from.
//
// Precedence of every option that has an environment name: flag, then STELE_* variable, then configuration file, then
// default.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/exit_code.h"
#include "tools/http_client.h"

namespace stele::tools {

/// A parser for `stele <command>`; its help lists each option under its group, with default, unit and environment
/// variable.
[[nodiscard]] std::unique_ptr<CLI::App> make_parser(const std::string& command, const std::string& description);

/// Adds `--config FILE` (see tools/config_file.h; names as the flags without dashes). An unknown name is an error.
void add_config_file(CLI::App& app);

/// Parses; an exit code if the command shall end now: help was asked for (stdout, 0) or the usage is wrong (stderr, 2).
/// A value that is given and empty is wrong usage, except for a STELE_* variable, which then counts as not set unless
/// it is that of a switch.
[[nodiscard]] std::optional<int> parse(CLI::App& app, int argc, const char* const* argv);

/// An option with a text that may be repeated; each is taken as it stands.
CLI::Option* add_texts(CLI::App& app, const std::string& flag, std::vector<std::string>& to, const std::string& type,
                       const std::string& help);

/// A flag that is true if it is given alone, and can be given a value: see parse_boolean().
CLI::Option* add_switch(CLI::App& app, const std::string& flag, bool& to, const std::string& help);

struct BytesRange {
  std::uint64_t least = 0;
  std::uint64_t most = 1ULL << 62;
};
/// An option like 256MiB; `to` holds the default.
CLI::Option* add_bytes(CLI::App& app, const std::string& flag, std::uint64_t& to, BytesRange range,
                       const std::string& help);

/// An option like 10s; `to` holds the default.
CLI::Option* add_duration(CLI::App& app, const std::string& flag, std::chrono::microseconds& to,
                          std::chrono::microseconds least, std::chrono::microseconds most, const std::string& help);

/// An option that is a whole number in a range; `to` holds the default.
CLI::Option* add_number(CLI::App& app, const std::string& flag, std::uint64_t& to, std::uint64_t least,
                        std::uint64_t most, const std::string& help);

/// Lets every option that has a long name be set by STELE_<NAME> (`--segment-size` by STELE_SEGMENT_SIZE).
void name_environment(CLI::App& app);

/// `--url`, default http://127.0.0.1:8080 or STELE_URL.
void add_url(CLI::App& app, std::string& to);

/// `--ca`, `--client-cert` and `--client-key`, or STELE_CA, STELE_CLIENT_CERT and STELE_CLIENT_KEY.
void add_tls(CLI::App& app, HttpTls& to);

}  // namespace stele::tools

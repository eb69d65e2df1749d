#pragma once
// What all subcommands share: exit codes, options with units, and where a value comes from.
//
// Precedence of every option that has an environment name: flag, then STELE_* variable, then configuration file, then
// default.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/cli/exit_code.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI
namespace stele::net {
struct ClientTlsFiles;
}

namespace stele::tools {

/// The command line of `stele <command>`. CLI11, which takes seconds to compile, is known to command_line.cpp alone.
/// What options are declared with must outlive parse(); what a variable holds then is the default that the help shows.
class CommandLine {
 public:
  /// One option, to be described further. As long-lived as the command line.
  class Option {
   public:
    /// What the value is, in the help: FILE, N.
    Option type(const std::string& name) const;
    /// The heading in the help that it stands under.
    Option group(const std::string& name) const;
    Option required() const;
    Option environment(const std::string& variable) const;
    Option one_of(const std::vector<std::string>& values) const;
    /// Wrong usage without the other one.
    Option needs(Option other) const;
    Option not_in_file() const;

   private:
    friend class CommandLine;
    explicit Option(CLI::Option* option) : option_(option) {}
    CLI::Option* option_;
  };

  CommandLine(const std::string& command, const std::string& description);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // `flag` is like --name, or a name alone: an argument without a flag.

  Option add_text(const std::string& flag, std::string& to, const std::string& help);
  /// May be repeated; each text is taken as it stands.
  Option add_texts(const std::string& flag, std::vector<std::string>& to, const std::string& type,
                   const std::string& help);
  /// May be repeated, and one text may be several with commas between them.
  Option add_list(const std::string& flag, std::vector<std::string>& to, const std::string& type,
                  const std::string& help);
  /// True if it is given alone; it can be given a value: see parse_boolean().
  Option add_switch(const std::string& flag, bool& to, const std::string& help);
  struct BytesRange {
    std::uint64_t least = 0;
    std::uint64_t most = 1ULL << 62;
  };
  /// Like 256MiB.
  Option add_bytes(const std::string& flag, std::uint64_t& to, BytesRange range, const std::string& help);
  /// Like 10s.
  Option add_duration(const std::string& flag, std::chrono::microseconds& to, std::chrono::microseconds least,
                      std::chrono::microseconds most, const std::string& help);
  /// A whole number in a range.
  Option add_number(const std::string& flag, std::uint64_t& to, std::uint64_t least, std::uint64_t most,
                    const std::string& help);
  /// So many whole numbers behind one flag. `type` is like "A B".
  Option add_numbers(const std::string& flag, std::vector<std::uint64_t>& to, int count, const std::string& type,
                     const std::string& help);
  /// `take` gets the text and says what is wrong with it ("is no such thing"); empty if nothing is.
  Option add_parsed(const std::string& flag, const std::string& type, const std::string& default_text,
                    const std::string& help, std::function<std::string(const std::string&)> take);

  /// `--url`, or STELE_URL.
  void add_url(std::string& to);
  /// `--ca`, `--client-cert` and `--client-key`, or STELE_CA, STELE_CLIENT_CERT and STELE_CLIENT_KEY.
  void add_tls(net::ClientTlsFiles& to);

  /// Lets every option so far that has a long name be set by STELE_<NAME> (`--segment-size` by STELE_SEGMENT_SIZE).
  void name_environment();
  /// Adds `--config FILE` (see tools/cli/config_file.h; names as the flags without dashes). An unknown name is an
  /// error.
  void add_config_file(const std::string& group);
  /// Text behind the options in the help.
  void footer(const std::string& text);

  /// An exit code if the command shall end now: help was asked for (stdout, 0) or the usage is wrong (stderr, 2). A
  /// value that is given and empty is wrong usage, except for a STELE_* variable, which then counts as not set unless
  /// it is that of a switch.
  [[nodiscard]] std::optional<int> parse(int argc, const char* const* argv);
  /// After parsing: what applies, as a configuration file.
  [[nodiscard]] std::string config_text() const;

 private:
  const std::unique_ptr<CLI::App> app_;
};

}  // namespace stele::tools

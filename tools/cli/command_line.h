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
#include <string_view>
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
/// Texts are views: a hundred strings made in one function take the compiler seconds.
class CommandLine {
 public:
  /// One option, to be described further. As long-lived as the command line.
  class Option {
   public:
    /// What the value is, in the help: FILE, N.
    Option type(std::string_view name) const;
    /// The heading in the help that it stands under.
    Option group(std::string_view name) const;
    Option required() const;
    Option environment(std::string_view variable) const;
    Option one_of(const std::vector<std::string>& values) const;
    /// Wrong usage without the other one.
    Option needs(Option other) const;
    Option not_in_file() const;

   private:
    friend class CommandLine;
    explicit Option(CLI::Option* option) : option_(option) {}
    CLI::Option* option_;
  };

  CommandLine(std::string_view command, std::string_view description);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // `flag` is like --name, or a name alone: an argument without a flag.

  Option add_text(std::string_view flag, std::string& to, std::string_view help);
  /// May be repeated; each text is taken as it stands.
  Option add_texts(std::string_view flag, std::vector<std::string>& to, std::string_view type, std::string_view help);
  /// May be repeated, and one text may be several with commas between them.
  Option add_list(std::string_view flag, std::vector<std::string>& to, std::string_view type, std::string_view help);
  /// True if it is given alone; it can be given a value: see parse_boolean().
  Option add_switch(std::string_view flag, bool& to, std::string_view help);
  struct BytesRange {
    std::uint64_t least = 0;
    std::uint64_t most = 1ULL << 62;
  };
  /// Like 256MiB.
  Option add_bytes(std::string_view flag, std::uint64_t& to, BytesRange range, std::string_view help);
  /// Like 10s.
  Option add_duration(std::string_view flag, std::chrono::microseconds& to, std::chrono::microseconds least,
                      std::chrono::microseconds most, std::string_view help);
  /// A whole number in a range.
  Option add_number(std::string_view flag, std::uint64_t& to, std::uint64_t least, std::uint64_t most,
                    std::string_view help);
  /// So many whole numbers behind one flag. `type` is like "A B".
  Option add_numbers(std::string_view flag, std::vector<std::uint64_t>& to, int count, std::string_view type,
                     std::string_view help);
  /// `take` gets the text and says what is wrong with it ("is no such thing"); empty if nothing is.
  Option add_parsed(std::string_view flag, std::string_view type, std::string_view default_text, std::string_view help,
                    std::function<std::string(const std::string&)> take);

  /// `--url`, or STELE_URL.
  void add_url(std::string& to);
  /// `--retry-for`.
  void add_retry_for(std::chrono::microseconds& to);
  /// `--ca`, `--client-cert` and `--client-key`, or STELE_CA, STELE_CLIENT_CERT and STELE_CLIENT_KEY.
  void add_tls(net::ClientTlsFiles& to);

  /// Lets every option so far that has a long name be set by STELE_<NAME> (`--segment-size` by STELE_SEGMENT_SIZE).
  void name_environment();
  /// Adds `--config FILE` (see tools/cli/config_file.h; names as the flags without dashes). An unknown name is an
  /// error.
  void add_config_file(std::string_view group);
  /// Text behind the options in the help.
  void footer(std::string_view text);

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

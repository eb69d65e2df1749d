#include "tools/cli/command_line.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <istream>
#include <map>
#include <utility>

#include "api/json/duration.h"
#include "net/tls/client_tls.h"
#include "tools/cli/config_file.h"
#include "tools/cli/output.h"
#include "tools/cli/quantity.h"

namespace stele::tools {

namespace {

std::string environment_name(const std::string& long_name) {
  std::string name = "STELE_";
  for (const char c : long_name)
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

bool is_switch(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

bool is_repeatable(const CLI::Option& option) {
  return option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
}

constexpr const char* kNoBoolean = "is not true or false (on or off, yes or no, 1 or 0)";

bool is_in_environment(const std::string& long_name) {
  const char* const value = std::getenv(environment_name(long_name).c_str());
  return value != nullptr && *value != '\0';
}

/// Files in the form of tools/cli/config_file.h. Leaves out what the environment sets, because CLI11 by itself puts the
/// file before the environment.
class ConfigFile : public CLI::Config {
 public:
  /// `app` must outlive this.
  explicit ConfigFile(const CLI::App& app) : app_(app) {}

  [[nodiscard]] std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::string text;
    for (char piece[4096]; input;) {
      input.read(piece, sizeof piece);
      text.append(piece, static_cast<std::size_t>(input.gcount()));
    }
    if (input.bad()) throw CLI::ConfigError("it cannot be read", CLI::ExitCodes::ConfigError);
    auto lines = parse_config(text);
    if (!lines) throw CLI::ConfigError(lines.error().message, CLI::ExitCodes::ConfigError);
    std::vector<CLI::ConfigItem> read;
    for (ConfigLine& line : *lines) {
      const auto refuse = [&line](const std::string& why) {
        throw CLI::ConfigError(fmt::format("line {}: {}", line.number, why), CLI::ExitCodes::ConfigError);
      };
      const CLI::Option* const option = app_.get_option_no_throw("--" + line.name);
      if (option == nullptr || !option->get_configurable()) refuse("there is no option " + line.name);
      if (is_switch(*option) && !parse_boolean(line.value)) refuse(fmt::format("'{}' {}", line.value, kNoBoolean));
      const auto earlier = std::find_if(read.begin(), read.end(), [&](const auto& i) { return i.name == line.name; });
      if (earlier != read.end()) {
        if (!is_repeatable(*option)) refuse(line.name + " stands in an earlier line already");
        earlier->inputs.push_back(std::move(line.value));
        continue;
      }
      CLI::ConfigItem& item = read.emplace_back();
      item.name = line.name;
      item.inputs = {std::move(line.value)};
      if (option->empty() && !is_in_environment(line.name)) line_numbers_[line.name] = line.number;
    }
    std::erase_if(read, [](const CLI::ConfigItem& item) { return is_in_environment(item.name); });
    return read;
  }

  /// Names without a value stand in a comment.
  [[nodiscard]] std::string to_config(const CLI::App* app, bool /*defaults*/, bool /*descriptions*/,
                                      std::string /*prefix*/) const override {
    std::string text;
    for (const CLI::Option* const option :
         app->get_options([](const CLI::Option* o) { return o->get_configurable(); })) {
      if (option->get_lnames().empty()) continue;
      const std::string& name = option->get_lnames().front();
      std::vector<std::string> values = option->results();
      if (values.size() > 1 && !is_repeatable(*option)) values = {values.back()};
      if (is_switch(*option)) {
        values = {!values.empty() && parse_boolean(values.back()).value_or(false) ? "true" : "false"};
      } else if (values.empty() && !option->get_default_str().empty()) {
        values = {option->get_default_str()};
      }
      if (values.empty()) text += fmt::format("# {} =\n", name);
      for (const std::string& value : values) text += format_config_line(name, value);
    }
    return text;
  }

  /// Where the value comes from that an option does not take; empty if not from the file.
  [[nodiscard]] std::string place_of(std::string_view complaint) const {
    for (const auto& [name, number] : line_numbers_) {
      if (complaint.starts_with("--" + name + ":")) return fmt::format("line {}: ", number);
    }
    return {};
  }

 private:
  const CLI::App& app_;
  mutable std::map<std::string, std::size_t> line_numbers_;  ///< of names that no flag gives
};

/// What CLI11 would take for something else. It has no way to give an option nothing: `--name=` takes the argument
/// behind it, a switch is switched on by `--name=`, and an unset variable in a script gives an empty argument, which
/// would mean as little as the option not given. Empty if there is no complaint.
std::string complaint_of(const CLI::App& app, int argc, const char* const* argv) {
  for (const auto* const option : app.get_options([](const CLI::Option* o) { return !o->get_envname().empty(); })) {
    const char* const value = std::getenv(option->get_envname().c_str());
    if (value != nullptr && is_switch(*option) && !parse_boolean(value)) {
      return fmt::format("{}: '{}' {}", option->get_envname(), value, kNoBoolean);
    }
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.empty()) return "an argument is empty";
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    const std::size_t equals = argument.find('=');
    const std::string name(argument.substr(0, equals));
    const CLI::Option* const option = app.get_option_no_throw(name);
    if (option == nullptr) continue;
    const bool separate = equals == std::string_view::npos;
    if (separate && (is_switch(*option) || i + 1 == argc)) continue;
    const std::string_view value = separate ? std::string_view(argv[++i]) : argument.substr(equals + 1);
    if (is_switch(*option) && !parse_boolean(value)) return fmt::format("{}: '{}' {}", name, value, kNoBoolean);
    if (value.empty()) return name + " is given and empty";
  }
  return {};
}

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(38); }

  [[nodiscard]] std::string make_usage(const CLI::App* app, std::string /*name*/) const override {
    std::string usage = "Usage: " + app->get_name() + " [OPTIONS]";
    for (const auto* option : app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
      usage += option->get_required() ? " " + option->get_name(true) : " [" + option->get_name(true) + "]";
    }
    return "\n" + usage + "\n\n";
  }

  [[nodiscard]] std::string make_group(std::string group, bool is_positional,
                                       std::vector<const CLI::Option*> options) const override {
    return CLI::Formatter::make_group(std::move(group), is_positional, std::move(options)).substr(1) +
           (is_positional ? "\n" : "");
  }

  [[nodiscard]] std::string make_option_opts(const CLI::Option* option) const override {
    std::string text;
    if (option->get_type_size() != 0 && !option->get_type_name().empty()) text += " " + option->get_type_name();
    return text;
  }

  [[nodiscard]] std::string make_option_desc(const CLI::Option* option) const override {
    std::string text = option->get_description();
    if (option->get_required()) text += " (required)";
    if (option->get_type_size() != 0 && !option->get_default_str().empty()) {
      text += " [" + option->get_default_str() + "]";
    }
    return text;
  }
};

}  // namespace

CommandLine::CommandLine(std::string_view command, std::string_view description)
    : app_(std::make_unique<CLI::App>(std::string(description), "stele " + std::string(command))) {
  app_->formatter(std::make_shared<HelpFormatter>());
  app_->set_help_flag("-h,--help", "Show this and exit");
  app_->get_help_ptr()->group("Help");
  app_->option_defaults()->configurable()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app_->allow_config_extras(CLI::config_extras_mode::error);
}

CommandLine::~CommandLine() = default;

CommandLine::Option CommandLine::Option::type(std::string_view name) const {
  option_->type_name(std::string(name));
  return *this;
}

CommandLine::Option CommandLine::Option::group(std::string_view name) const {
  option_->group(std::string(name));
  return *this;
}

CommandLine::Option CommandLine::Option::required() const {
  option_->required();
  return *this;
}

CommandLine::Option CommandLine::Option::environment(std::string_view variable) const {
  option_->envname(std::string(variable));
  return *this;
}

CommandLine::Option CommandLine::Option::one_of(const std::vector<std::string>& values) const {
  option_->check(CLI::IsMember(values).description(""));
  return *this;
}

CommandLine::Option CommandLine::Option::needs(Option other) const {
  option_->needs(other.option_);
  return *this;
}

CommandLine::Option CommandLine::Option::not_in_file() const {
  option_->configurable(false);
  return *this;
}

CommandLine::Option CommandLine::add_text(std::string_view flag, std::string& to, std::string_view help) {
  return Option(app_->add_option(std::string(flag), to, std::string(help))->default_str(to));
}

CommandLine::Option CommandLine::add_parsed(std::string_view flag, std::string_view type, std::string_view default_text,
                                            std::string_view help,
                                            std::function<std::string(const std::string&)> take) {
  auto* option = app_->add_option(
      std::string(flag),
      [flag = std::string(flag), take = std::move(take)](const CLI::results_t& results) {
        if (const auto complaint = take(results.back()); !complaint.empty()) {
          throw CLI::ValidationError(flag, fmt::format("'{}' {}", results.back(), complaint));
        }
        return true;
      },
      std::string(help));
  option->type_name(std::string(type))->default_str(std::string(default_text));
  return Option(option);
}

void CommandLine::add_config_file(std::string_view group) {
  app_->config_formatter(std::make_shared<ConfigFile>(*app_));
  const char* from_environment = std::getenv("STELE_CONFIG");
  const std::string file = from_environment != nullptr ? from_environment : "";
  app_->set_config("--config", file, "Read options from a file: name = value, names as the flags without dashes",
                   !file.empty());
  app_->get_config_ptr()->type_name("FILE")->group(std::string(group));
}

void CommandLine::footer(std::string_view text) { app_->footer(std::string(text)); }

std::string CommandLine::config_text() const { return app_->config_to_str(true, false); }

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
  CLI::App& app = *app_;
  const auto refuse = [&app](std::string_view why) {
    say("{}: {}\nRun '{} --help' for the options.\n", app.get_name(), why, app.get_name());
    return kExitUsage;
  };
  try {
    if (const std::string complaint = complaint_of(app, argc, argv); !complaint.empty()) return refuse(complaint);
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    put(app.help());
    return finish_output(app.get_name());
  } catch (const CLI::ConfigError& error) {
    return refuse(fmt::format("the configuration file, {}", error.what()));
  } catch (const CLI::ParseError& error) {
    const auto* const file = dynamic_cast<const ConfigFile*>(app.get_config_formatter().get());
    const std::string place = file == nullptr ? "" : file->place_of(error.what());
    return refuse((place.empty() ? "" : "the configuration file, " + place) + error.what());
  }
}

CommandLine::Option CommandLine::add_texts(std::string_view flag, std::vector<std::string>& to, std::string_view type,
                                           std::string_view help) {
  auto* const option = app_->add_option(
      std::string(flag),
      [&to](const CLI::results_t& results) {
        to = results;
        return true;
      },
      std::string(help));
  return Option(option->type_name(std::string(type))->multi_option_policy(CLI::MultiOptionPolicy::TakeAll));
}

CommandLine::Option CommandLine::add_list(std::string_view flag, std::vector<std::string>& to, std::string_view type,
                                          std::string_view help) {
  auto* const option = app_->add_option(
      std::string(flag),
      [flag = std::string(flag), &to](const CLI::results_t& results) {
        to.clear();
        for (const std::string& result : results) {
          for (std::size_t begin = 0; begin <= result.size();) {
            const std::size_t end = std::min(result.find(',', begin), result.size());
            if (end == begin) throw CLI::ValidationError(flag, fmt::format("'{}' has nothing beside a comma", result));
            to.push_back(result.substr(begin, end - begin));
            begin = end + 1;
          }
        }
        return true;
      },
      std::string(help));
  return Option(option->type_name(std::string(type))->multi_option_policy(CLI::MultiOptionPolicy::TakeAll));
}

CommandLine::Option CommandLine::add_switch(std::string_view flag, bool& to, std::string_view help) {
  const Option option = add_parsed(flag, "", "", help, [&to](const std::string& text) -> std::string {
    const auto value = parse_boolean(text);
    if (!value) return kNoBoolean;
    to = *value;
    return {};
  });
  option.option_->expected(0);
  return option;
}

CommandLine::Option CommandLine::add_bytes(std::string_view flag, std::uint64_t& to, BytesRange range,
                                           std::string_view help) {
  return add_parsed(flag, "SIZE", format_bytes(to), help, [&to, range](const std::string& text) -> std::string {
    const auto value = parse_bytes(text);
    if (!value) return "is not a size: write it like 65536, 64KiB or 256MiB";
    if (*value < range.least || *value > range.most) {
      return fmt::format("is outside {} .. {}", format_bytes(range.least), format_bytes(range.most));
    }
    to = *value;
    return {};
  });
}

CommandLine::Option CommandLine::add_duration(std::string_view flag, std::chrono::microseconds& to,
                                              std::chrono::microseconds least, std::chrono::microseconds most,
                                              std::string_view help) {
  return add_parsed(flag, "TIME", format_duration(to), help,
                    [&to, least, most](const std::string& text) -> std::string {
                      const auto value = api::parse_duration(text);
                      if (!value) return "is not a duration: write it like 100us, 250ms, 10s or 2min";
                      if (*value < least || *value > most) {
                        return fmt::format("is outside {} .. {}", format_duration(least), format_duration(most));
                      }
                      to = *value;
                      return {};
                    });
}

CommandLine::Option CommandLine::add_number(std::string_view flag, std::uint64_t& to, std::uint64_t least,
                                            std::uint64_t most, std::string_view help) {
  return add_parsed(flag, "N", std::to_string(to), help, [&to, least, most](const std::string& text) -> std::string {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return "is not a whole number";
    if (value < least || value > most) return fmt::format("is outside {} .. {}", least, most);
    to = value;
    return {};
  });
}

CommandLine::Option CommandLine::add_numbers(std::string_view flag, std::vector<std::uint64_t>& to, int count,
                                             std::string_view type, std::string_view help) {
  auto* const option = app_->add_option(
      std::string(flag),
      [flag = std::string(flag), &to, count](const CLI::results_t& results) {
        to.clear();
        if (results.size() != static_cast<std::size_t>(count)) {
          throw CLI::ValidationError(flag, fmt::format("needs {} numbers", count));
        }
        for (const std::string& text : results) {
          std::uint64_t value = 0;
          const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
          if (error != std::errc{} || end != text.data() + text.size()) {
            throw CLI::ValidationError(flag, fmt::format("'{}' is not a whole number", text));
          }
          to.push_back(value);
        }
        return true;
      },
      std::string(help));
  return Option(option->type_name(std::string(type))->expected(count));
}

void CommandLine::name_environment() {
  for (auto* option : app_->get_options([this](const CLI::Option* o) { return o != app_->get_help_ptr(); })) {
    if (!option->get_lnames().empty()) option->envname(environment_name(option->get_lnames().front()));
  }
}

void CommandLine::add_url(std::string& to) {
  add_text("--url", to, "The server, http or https; STELE_URL sets it too")
      .type("URL")
      .environment("STELE_URL")
      .group("Server");
}

void CommandLine::add_retry_for(std::chrono::microseconds& to) {
  add_duration("--retry-for", to, std::chrono::microseconds{0}, std::chrono::hours{24},
               "How long to keep trying when the server is away or busy")
      .group("Server");
}

void CommandLine::add_tls(net::ClientTlsFiles& to) {
  const auto file = [this](const char* flag, std::string& path, const char* help) {
    return add_text(flag, path, help).type("FILE").environment(environment_name(flag + 2)).group("Server");
  };
  file("--ca", to.ca, "https: believe the authorities in this file, in PEM, instead of the system's");
  const Option certificate = file("--client-cert", to.client_certificate, "https: the certificate to show, in PEM");
  const Option key = file("--client-key", to.client_key, "https: its private key, in PEM");
  certificate.needs(key);
  key.needs(certificate);
}

}  // namespace stele::tools

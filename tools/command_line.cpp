#include "tools/command_line.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "tools/quantity.h"

namespace stele::tools {

namespace {

std::string environment_name(const std::string& long_name) {
  std::string name = "STELE_";
  for (const char c : long_name)
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

/// TOML and INI; leaves out what the environment sets, because CLI11 by itself puts the file before the environment.
class ConfigBelowEnvironment : public CLI::ConfigTOML {
 public:
  [[nodiscard]] std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    auto kept = CLI::ConfigTOML::from_config(input);
    std::erase_if(kept, [](const CLI::ConfigItem& item) {
      const char* value = std::getenv(environment_name(item.name).c_str());
      return value != nullptr && *value != '\0';
    });
    return kept;
  }
};

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

CLI::Option* add_parsed(CLI::App& app, const std::string& flag, const std::string& type,
                        const std::string& default_text, const std::string& help,
                        std::function<std::string(const std::string&)> take) {
  auto* option = app.add_option(
      flag,
      [flag, take = std::move(take)](const CLI::results_t& results) {
        if (const auto complaint = take(results.back()); !complaint.empty()) {
          throw CLI::ValidationError(flag, fmt::format("'{}' {}", results.back(), complaint));
        }
        return true;
      },
      help);
  option->type_name(type)->default_str(default_text);
  return option;
}

}  // namespace

std::unique_ptr<CLI::App> make_parser(const std::string& command, const std::string& description) {
  auto app = std::make_unique<CLI::App>(description, "stele " + command);
  app->formatter(std::make_shared<HelpFormatter>());
  app->set_help_flag("-h,--help", "Show this and exit");
  app->get_help_ptr()->group("Help");
  app->option_defaults()->configurable()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app->allow_config_extras(CLI::config_extras_mode::error);
  return app;
}

void add_config_file(CLI::App& app) {
  app.config_formatter(std::make_shared<ConfigBelowEnvironment>());
  const char* from_environment = std::getenv("STELE_CONFIG");
  const std::string file = from_environment != nullptr ? from_environment : "";
  app.set_config("--config", file, "Read options from a file: name = value, names as the flags without dashes",
                 !file.empty());
  app.get_config_ptr()->type_name("FILE");
}

std::optional<int> parse(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return kExitOk;
  } catch (const CLI::ConfigError& error) {
    fmt::print(stderr, "{}: the configuration file names an option that does not exist ({})\n", app.get_name(),
               error.what());
    return kExitUsage;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}: {}\nRun '{} --help' for the options.\n", app.get_name(), error.what(), app.get_name());
    return kExitUsage;
  }
}

CLI::Option* add_bytes(CLI::App& app, const std::string& flag, std::uint64_t& to, BytesRange range,
                       const std::string& help) {
  return add_parsed(app, flag, "SIZE", format_bytes(to), help, [&to, range](const std::string& text) -> std::string {
    const auto value = parse_bytes(text);
    if (!value) return "is not a size: write it like 65536, 64KiB or 256MiB";
    if (*value < range.least || *value > range.most) {
      return fmt::format("is outside {} .. {}", format_bytes(range.least), format_bytes(range.most));
    }
    to = *value;
    return {};
  });
}

CLI::Option* add_duration(CLI::App& app, const std::string& flag, std::chrono::microseconds& to,
                          std::chrono::microseconds least, std::chrono::microseconds most, const std::string& help) {
  return add_parsed(app, flag, "TIME", format_duration(to), help,
                    [&to, least, most](const std::string& text) -> std::string {
                      const auto value = parse_duration(text);
                      if (!value) return "is not a duration: write it like 100us, 250ms, 10s or 2min";
                      if (*value < least || *value > most) {
                        return fmt::format("is outside {} .. {}", format_duration(least), format_duration(most));
                      }
                      to = *value;
                      return {};
                    });
}

CLI::Option* add_number(CLI::App& app, const std::string& flag, std::uint64_t& to, std::uint64_t least,
                        std::uint64_t most, const std::string& help) {
  return add_parsed(app, flag, "N", std::to_string(to), help,
                    [&to, least, most](const std::string& text) -> std::string {
                      std::uint64_t value = 0;
                      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
                      if (error != std::errc{} || end != text.data() + text.size()) return "is not a whole number";
                      if (value < least || value > most) return fmt::format("is outside {} .. {}", least, most);
                      to = value;
                      return {};
                    });
}

void name_environment(CLI::App& app) {
  for (auto* option : app.get_options([&app](const CLI::Option* o) { return o != app.get_help_ptr(); })) {
    if (!option->get_lnames().empty()) option->envname(environment_name(option->get_lnames().front()));
  }
}

void add_url(CLI::App& app, std::string& to) {
  app.add_option("--url", to, "The server, http or https; STELE_URL sets it too")
      ->type_name("URL")
      ->default_str(to)
      ->envname("STELE_URL")
      ->group("Server");
}

void add_tls(CLI::App& app, HttpTls& to) {
  const auto file = [&app](const char* flag, std::string& path, const char* help) {
    return app.add_option(flag, path, help)->type_name("FILE")->envname(environment_name(flag + 2))->group("Server");
  };
  file("--ca", to.ca, "https: believe the authorities in this file, in PEM, instead of the system's");
  auto* const certificate = file("--client-cert", to.client_certificate, "https: the certificate to show, in PEM");
  auto* const key = file("--client-key", to.client_key, "https: its private key, in PEM");
  certificate->needs(key);
  key->needs(certificate);
}

}  // namespace stele::tools

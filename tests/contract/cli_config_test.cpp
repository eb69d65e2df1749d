// Where `stele serve` takes its options from: files, the environment and flags, and what they may say.

#include <doctest/doctest.h>

#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"
#include "tools/cli/config_file.h"

namespace stele::tests {

namespace {

/// `stele serve --print-config` with a file of this content.
ProcessResult print_config(std::string_view content, std::vector<std::string> arguments = {},
                           const Environment& environment = {}) {
  const test::TempFolder folder;
  write_file(folder.file("stele.conf"), content);
  arguments.insert(arguments.begin(), {"serve", "--config", folder.file("stele.conf"), "--print-config"});
  return run_stele(arguments, {}, environment);
}

std::string value_of(std::string_view printed, std::string_view name) {
  const auto lines = tools::parse_config(printed);
  REQUIRE(lines);
  for (const auto& line : *lines) {
    if (line.name == name) return line.value;
  }
  return "none";
}

/// Made of what is difficult in files, in shells and for parsers.
std::string random_text(std::mt19937& random, std::size_t pieces_max) {
  static const std::vector<std::string> pieces{
      "a", "Z",    "0",    " ",    "\t",           "\"",   "'",   "#",      ",", ";", "=", "\\", "[",
      "]", "{",    "}",    "\n",   "\r",           "-",    "--",  "%",      "$", "/", ".", "é",  "漢",
      "🚀", "\x01", "\x7f", "\xff", "\xEF\xBB\xBF", "true", "\\n", "\\u0041"};
  std::string text;
  for (std::size_t n = 1 + random() % pieces_max; n > 0; --n) text += pieces[random() % pieces.size()];
  return text;
}

}  // namespace

TEST_CASE("ConfigFile.EveryValueReadsBackAsWhatItWas") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    std::vector<std::string> values;
    for (int line = 0; line < 3; ++line) {
      values.push_back(random_text(random, 12));
      text += tools::format_config_line("name", values.back());
    }
    const auto lines = tools::parse_config(text);
    REQUIRE(lines);
    REQUIRE(lines->size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      REQUIRE((*lines)[i].value == values[i]);
      REQUIRE((*lines)[i].number == i + 1);
    }
  }
}

TEST_CASE("ConfigFile.AValueIsTheWholeLineOrTheLineIsRefused") {
  const auto value = [](std::string_view line) -> std::string {
    const auto lines = tools::parse_config("\n# comment\n" + std::string(line));
    if (!lines) {
      CHECK(lines.error().message.starts_with("line 3: "));
      return "refused";
    }
    return lines->size() == 1 ? lines->front().value : "none";
  };
  CHECK(value("data = /srv/my data") == "/srv/my data");
  CHECK(value("data=/srv/a,b") == "/srv/a,b");
  CHECK(value("\t data \t=\t /srv/a \t\r") == "/srv/a");
  CHECK(value("listen = [::1]:8080") == "[::1]:8080");
  CHECK(value("data = a=b") == "a=b");
  CHECK(value(R"(data = C:\new)") == R"(C:\new)");
  CHECK(value("data = it's") == "it's");
  CHECK(value("data = \"/srv/my # data\"") == "/srv/my # data");
  CHECK(value("data = \" a \" # comment") == " a ");
  CHECK(value(R"(data = "a\"b\\c\n\t\r\u00e9\u6f22")") == "a\"b\\c\n\t\r\u00e9\u6f22");
  CHECK(value(R"(data = 'C:\new "x"')") == R"(C:\new "x")");
  CHECK(value("# data = x") == "none");
  CHECK(value("   ") == "none");
  for (const char* line : {"data",
                           "= x",
                           "data =",
                           "data = \"\"",
                           "data = ''",
                           "data = # comment",
                           "data = a # b",
                           "data = a#b",
                           "data = a \"b\"",
                           "data = \"a",
                           "data = 'a",
                           "data = \"a\" b",
                           "data = \"a\"\"b\"",
                           R"(data = "\x")",
                           R"(data = "\u12")",
                           R"(data = "\u0000")",
                           R"(data = "\ud800")",
                           "data = \"a\\",
                           "[serve]",
                           "da ta = x",
                           "Data = x",
                           "data : x",
                           "data = a\x01",
                           "--data = x",
                           "cors-origin = [\"http://a\", \"http://b\"]"}) {
    CAPTURE(line);
    CHECK(value(line) == "refused");
  }
  CHECK(tools::parse_config("\xEF\xBB\xBF"
                            "data = x")
            ->front()
            .value == "x");
  CHECK(tools::parse_config("")->empty());
}

TEST_CASE("Serve.PrintConfigReadsBackAsWhatItWas") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 12; ++round) {
    std::vector<std::string> arguments{"serve", "--print-config", "--listen", "[::1]:8080"};
    std::vector<std::pair<std::string, std::string>> given;
    for (const char* name : {"data", "signing-key", "key-store", "access-log"}) {
      given.emplace_back(name, random_text(random, 8));
      arguments.push_back("--" + given.back().first + "=" + given.back().second);
    }
    const auto first = run_stele(arguments);
    CAPTURE(first.err);
    REQUIRE(first.exit_code == 0);
    for (const auto& [name, text] : given) CHECK(value_of(first.out, name) == text);
    const auto second = print_config(first.out);
    CAPTURE(second.err);
    CHECK(second.out == first.out);
  }
}

TEST_CASE("Serve.FlagBeatsEnvironmentBeatsFile") {
  const std::string file =
      "data = from file\norigin = from-file\nsegment-size = 1MiB\ngroup-commit-delay = 50us\n"
      "cors-origin = http://a\ncors-origin = http://b\ninsecure = yes\n";
  const auto result =
      print_config(file, {"--segment-size", "4MiB"},
                   {{"STELE_ORIGIN", "from-environment"}, {"STELE_SEGMENT_SIZE", "2MiB"}, {"STELE_DATA", ""}});
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(result.out, "data = \"from file\"\n"));  // an empty variable counts as not set
  CHECK(contains(result.out, "origin = from-environment\n"));
  CHECK(contains(result.out, "segment-size = 4MiB\n"));
  CHECK(contains(result.out, "group-commit-delay = 50us\n"));
  CHECK(contains(result.out, "insecure = true\n"));
  CHECK(contains(result.out, "cors-origin = http://a\ncors-origin = http://b\n"));
  CHECK(contains(result.out, "connections-max = 10000\n"));
  CHECK(contains(result.out, "# jwks =\n"));
  CHECK(contains(print_config(file, {"--cors-origin", "http://c"}).out, "\ncors-origin = http://c\n"));
  CHECK_FALSE(contains(print_config(file, {"--cors-origin", "http://c"}).out, "http://a"));
  CHECK(contains(print_config(file, {"--insecure=off"}).out, "insecure = false\n"));
  CHECK(contains(print_config(file, {}, {{"STELE_INSECURE", "0"}}).out, "insecure = false\n"));

  const test::TempFolder folder;
  write_file(folder.file("printed.conf"), result.out);
  const auto again = run_stele({"serve", "--print-config"}, {}, {{"STELE_CONFIG", folder.file("printed.conf")}});
  CHECK(again.out == result.out);
}

TEST_CASE("Serve.LimitsOfSubscriptionsAreValuesLikeOthers") {
  const std::string file = "data = x\nsubscriptions-max = 7\nheld-aggregates-max = 20000\nretry-delay-max = 2d\n";
  const auto result = print_config(file, {"--dead-letters-max", "5"}, {{"STELE_DELIVERY_BATCH_SIZE", "2MiB"}});
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  for (const char* line :
       {"subscriptions-max = 7\n", "subscription-filters-max = 100\n", "delivery-batch-max = 1000\n",
        "delivery-batch-size = 2MiB\n", "held-aggregates-max = 20000\n", "dead-letters-max = 5\n",
        "callback-headers-max = 32\n", "callback-header-size = 4KiB\n", "callback-answer-size = 64KiB\n",
        "retry-attempts-max = 50\n", "retry-delay-min = 100ms\n", "retry-delay-max = 2d\n"}) {
    CAPTURE(line);
    CHECK(contains(result.out, line));
  }
  CHECK(print_config(result.out).out == result.out);
  const auto refused = [&](const std::vector<std::string>& flags, const std::string& why) {
    const auto wrong = print_config("data = x\n", flags);
    CHECK(wrong.exit_code == 2);
    CHECK(contains(wrong.err, why));
  };
  refused({"--retry-delay-min", "2s", "--retry-delay-max", "1s"},
          "--retry-delay-min must not exceed --retry-delay-max");
  refused({"--dead-letters-max", "0"}, "--dead-letters-max");
  refused({"--delivery-batch-max", "10001"}, "--delivery-batch-max");
  refused({"--callback-header-size", "65KiB"}, "--callback-header-size");
}

TEST_CASE("Serve.SwitchesAreTrueOrFalseAndNothingElse") {
  for (const char* name : {"insecure", "tls-client-optional"}) {
    const std::string variable = std::string("STELE_") + (name[0] == 'i' ? "INSECURE" : "TLS_CLIENT_OPTIONAL");
    for (const char* value : {"", "\"\"", "2", "-1", "tru", "maybe", "{}", "10", "true false", "'true"}) {
      CAPTURE(name);
      CAPTURE(value);
      const auto file = print_config("data = x\n" + std::string(name) + " = " + value + "\n");
      CHECK(file.exit_code == 2);
      CHECK(contains(file.err, "line 2"));
      if (std::string_view(value) != "\"\"" && std::string_view(value) != "'true") {
        const auto flag = run_stele({"serve", "--data", "x", "--print-config", "--" + std::string(name) + "=" + value});
        CHECK(flag.exit_code == 2);
        CHECK(contains(flag.err, name));
      }
      const auto environment = run_stele({"serve", "--data", "x", "--print-config"}, {}, {{variable, value}});
      CHECK(environment.exit_code == 2);
      CHECK(contains(environment.err, variable));
      // Also beside a file that says something else.
      CHECK(print_config("data = x\ninsecure = true\n", {}, {{variable, value}}).exit_code == 2);
    }
  }
  for (const auto& [word, meaning] : std::vector<std::pair<std::string, std::string>>{{"true", "true"},
                                                                                      {"on", "true"},
                                                                                      {"yes", "true"},
                                                                                      {"1", "true"},
                                                                                      {"TRUE", "true"},
                                                                                      {"false", "false"},
                                                                                      {"off", "false"},
                                                                                      {"no", "false"},
                                                                                      {"0", "false"},
                                                                                      {"Off", "false"}}) {
    CAPTURE(word);
    const std::string line = "insecure = " + meaning + "\n";
    CHECK(contains(print_config("data = x\ninsecure = " + word + "\n").out, line));
    CHECK(contains(run_stele({"serve", "--data", "x", "--print-config", "--insecure=" + word}).out, line));
    CHECK(contains(run_stele({"serve", "--data", "x", "--print-config"}, {}, {{"STELE_INSECURE", word}}).out, line));
  }
  CHECK(contains(run_stele({"serve", "--data", "x", "--print-config", "--insecure"}).out, "insecure = true\n"));
}

TEST_CASE("Serve.WhatIsWrongInAFileIsToldWithItsLine") {
  const auto told = [](std::string_view content, std::string_view line, std::string_view what) {
    const auto result = print_config(content);
    CAPTURE(content);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(contains(result.err, line));
    CHECK(contains(result.err, what));
    CHECK(result.out.empty());
  };
  told("data = x\n\nsegment-sise = 1MiB\n", "line 3", "segment-sise");
  told("data = x\nsegment-size = 1\n", "line 2", "outside");
  told("data = x\nlog-level = loud\n", "line 2", "loud");
  told("data = x\nlisten = 8080\n", "line 2", "HOST:PORT");
  told("data = x # the data\n", "line 1", "quotes");
  told("data = x\ndata = y\n", "line 2", "data");
  told("data = x\nconfig = y\n", "line 2", "config");
  told("data = x\nprint-config = true\n", "line 2", "print-config");
  told("data = x\nhelp = true\n", "line 2", "help");
  told("data = x\n[serve]\n", "line 2", "name = value");
  CHECK(run_stele({"serve", "--data", "x", "--config", "/nowhere/stele.conf", "--print-config"}).exit_code == 2);
  // Its first read is EIO.
  const auto unreadable = run_stele({"serve", "--data", "x", "--config", "/proc/self/mem", "--print-config"});
  CHECK(unreadable.exit_code == 2);
  CHECK(contains(unreadable.err, "the configuration file, it cannot be read"));
  // A flag is not the file's error.
  const auto flag = print_config("data = x\nsegment-size = 1MiB\n", {"--segment-size", "1"});
  CHECK(flag.exit_code == 2);
  CHECK_FALSE(contains(flag.err, "line 2"));
}

}  // namespace stele::tests

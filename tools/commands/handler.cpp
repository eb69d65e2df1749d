#include "tools/commands/handler.h"

#include <fmt/core.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "api/http/percent.h"
#include "tools/cli/actions.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/server_flags.h"

namespace stele::tools {

namespace {

constexpr const char* kWhichHelp = "TYPE/NAME, by aggregate type and name; TYPE alone is the one named default";

struct HandlerName {
  std::string type;
  std::string name;

  [[nodiscard]] std::string target() const {
    std::string path = "/v1/handlers/";
    api::append_percent_encoded(path, type);
    path += '/';
    api::append_percent_encoded(path, name);
    return path;
  }
  [[nodiscard]] std::string shown() const { return type + "/" + name; }
};

HandlerName handler_name(const std::string& which) {
  const std::size_t slash = which.rfind('/');
  if (slash == std::string::npos) return {which, "default"};
  return {which.substr(0, slash), which.substr(slash + 1)};
}

std::string purity_of(const JsonMembers& handler) {
  const std::string pure = handler.text("pure");
  if (pure.empty()) return "not checked yet";
  if (pure == "true") return "yes";
  const std::string since = handler.text("impureSince");
  return since.empty() ? "no" : "no, since position " + since;
}

int put_handler(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele handler put";
  ServerFlags server;
  std::string which;
  std::string file;
  bool json = false;
  CommandLine app("handler put", "Registers a script that folds the events of an aggregate type.");
  app.add_text("HANDLER", which, kWhichHelp).required();
  app.add_text("FILE", file, "The script: an object of functions, ({ MissionCreated: (state, event) => ... })")
      .required();
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  server.declare(app);
  app.footer("What is wrong with the script is told as FILE.js:line:column: message. Old versions stay usable.");
  if (const auto code = app.parse(argc, argv)) return *code;
  const HandlerName handler = handler_name(which);
  if (handler.type.empty() || handler.name.empty()) return wrong_usage(kCommand, "say which: TYPE or TYPE/NAME");
  const auto source = read_file(file);
  if (!source) return unusable_input(kCommand, source.error());
  const auto client = server.client(kFoldTimeouts);
  if (!client) return wrong_usage(kCommand, client.error().describe());
  HttpRequest request{.method = "PUT", .target = handler.target()};
  request.headers.emplace_back("Content-Type", "text/javascript");
  request.body = *source;
  const auto answer = (*client)->send(request);
  if (answer) {
    if (const std::string complaint = script_complaint(file, *answer); !complaint.empty()) {
      say("{}\n", complaint);
      return kExitFailure;
    }
  }
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  put(json ? answer->body + "\n"
           : fmt::format("{} version {}\n", handler.shown(), JsonMembers(answer->body).text("version")));
  if (answer->status == 200) say("registered before, nothing new\n");
  return finish_output(kCommand);
}

int list_handlers(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele handler list";
  ServerFlags server;
  std::string type;
  bool json = false;
  CommandLine app("handler list", "Lists handlers.");
  app.add_text("TYPE", type, "Only those of this aggregate type");
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  HttpRequest request{.target = "/v1/handlers"};
  if (!type.empty()) {
    request.target += '/';
    api::append_percent_encoded(request.target, type);
  }
  const auto answer = (*client)->send(request);
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  if (json) {
    put(answer->body + "\n");
    return finish_output(kCommand);
  }
  std::vector<std::vector<std::string>> lines{{"TYPE", "NAME", "VERSION", "REGISTERED", "PURE"}};
  for (const std::string_view element : JsonMembers(answer->body).list("handlers")) {
    const JsonMembers handler(element);
    lines.push_back({handler.text("aggregateType"), handler.text("name"), handler.text("version"),
                     handler.text("timestamp"), purity_of(handler)});
  }
  put(columns(lines));
  return finish_output(kCommand);
}

int show_handler(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele handler show";
  ServerFlags server;
  std::string which;
  std::uint64_t version = 0;
  bool source = false;
  bool json = false;
  CommandLine app("handler show", "Prints the versions of a handler, or the source of one.");
  app.add_text("HANDLER", which, kWhichHelp).required();
  app.add_number("--version", version, 0, std::numeric_limits<std::uint32_t>::max(),
                 "This version; 0: all, or for --source the newest")
      .group("Which");
  app.add_switch("--source", source, "Its source, as it was registered").group("Output");
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const HandlerName handler = handler_name(which);
  if (handler.type.empty() || handler.name.empty()) return wrong_usage(kCommand, "say which: TYPE or TYPE/NAME");
  if (source && json) return wrong_usage(kCommand, "--source and --json exclude each other; --version has both");
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  std::vector<std::vector<std::string>> lines{{"VERSION", "REGISTERED", "POSITION", "PURE", "SHA-256"}};
  const auto add_line = [&](const JsonMembers& one) {
    lines.push_back({one.text("version"), one.text("timestamp"), one.text("position"), purity_of(one),
                     one.text("sourceHash").substr(0, 12)});
  };
  std::string number = version == 0 ? "" : std::to_string(version);
  if (number.empty()) {
    const auto answer = (*client)->send({.target = handler.target()});
    if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
    if (json) {
      put(answer->body + "\n");
      return finish_output(kCommand);
    }
    for (const std::string_view element : JsonMembers(answer->body).list("versions")) {
      const JsonMembers one(element);
      number = one.text("version");
      add_line(one);
    }
    if (!source) {
      put(columns(lines));
      return finish_output(kCommand);
    }
  }
  const auto answer = (*client)->send({.target = handler.target() + "/versions/" + number});
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  const JsonMembers one(answer->body);
  if (json) {
    put(answer->body + "\n");
  } else if (source) {
    put(one.text("source"));
  } else {
    add_line(one);
    put(columns(lines));
  }
  return finish_output(kCommand);
}

constexpr std::array kHandlerActions{
    Action{"put", "register a script", &put_handler},
    Action{"list", "list handlers", &list_handlers},
    Action{"show", "print versions or a source", &show_handler},
};

}  // namespace

int handler_command(int argc, const char* const* argv) {
  return run_action("handler", kHandlerActions, "'stele replay --handler-file' tries one.", argc, argv);
}

}  // namespace stele::tools

#include "tools/commands/subscriptions.h"

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http/percent.h"
#include "api/json/json_writer.h"
#include "tools/cli/actions.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/server_flags.h"
#include "tools/client/subscription_requests.h"
#include "tools/client/subscription_view.h"

namespace stele::tools {

namespace {

/// What the actions have in common: one subscription, and its answer.
struct SubscriptionFlags {
  ServerFlags server;
  std::string id;
  bool json = false;

  void declare(CommandLine& app) {
    app.add_text("SUBSCRIPTION", id, "Its id, as 'stele subscriptions' shows it").required();
    app.add_switch("--json", json, "The answer as the server gives it").group("Output");
    server.declare(app);
  }
};

/// All of a list: as a table, a line an element, or one JSON object a line.
int print_list(const char* command, const ServerFlags& server, bool json, const std::string& target, const char* name,
               std::vector<std::string> heading, std::vector<std::string> (*row_of)(std::string_view element)) {
  const auto client = server.client();
  if (!client) return wrong_usage(command, client.error().describe());
  std::vector<std::vector<std::string>> lines{std::move(heading)};
  const int code = for_each_listed(command, **client, EventTarget(target), name, [&](std::string_view element) {
    if (json) {
      put(std::string(element) + "\n");
    } else {
      lines.push_back(row_of(element));
    }
    return !output_failed();
  });
  if (code != kExitOk) return code;
  if (!json) put(columns(lines));
  return finish_output(command);
}

void declare_lines(CommandLine& app, bool& json) {
  app.add_switch("--json", json, "One JSON object a line, instead of a table").group("Output");
}

int list_subscriptions(int argc, const char* const* argv) {
  ServerFlags server;
  bool json = false;
  CommandLine app("subscriptions list", "Lists subscriptions: what they wait for, and how far they are.");
  declare_lines(app, json);
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  return print_list("stele subscriptions", server, json, "/v1/subscriptions", "subscriptions", subscription_heading(),
                    &subscription_row);
}

int list_deliveries(int argc, const char* const* argv) {
  ServerFlags server;
  std::string id;
  bool json = false;
  CommandLine app("subscriptions deliveries", "Lists the newest attempts of a subscription, as far as they are known.");
  app.add_text("SUBSCRIPTION", id, "Its id").required();
  declare_lines(app, json);
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  return print_list("stele subscriptions deliveries", server, json, subscription_target(id, "/deliveries"),
                    "deliveries", attempt_heading(), &attempt_row);
}

int trace_event(int argc, const char* const* argv) {
  ServerFlags server;
  std::string event;
  bool json = false;
  CommandLine app("subscriptions trace", "Says where an event stands with each subscription, and why.");
  app.add_text("EVENT", event, "Its eventId").required();
  declare_lines(app, json);
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  std::string target = "/v1/events/";
  api::append_percent_encoded(target, event);
  return print_list("stele subscriptions trace", server, json, target + "/deliveries", "deliveries", fate_heading(),
                    &fate_row);
}

int print_subscription(std::string_view command, const SubscriptionFlags& flags, const Result<HttpResponse>& answer) {
  if (const int code = exit_code_of(command, answer); code != kExitOk) return code;
  put(flags.json ? answer->body + "\n" : columns(subscription_details(answer->body)));
  return finish_output(command);
}

int show_subscription(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele subscriptions show";
  SubscriptionFlags flags;
  CommandLine app("subscriptions show", "Shows a subscription.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  return print_subscription(kCommand, flags, (*client)->send({.target = subscription_target(flags.id)}));
}

Result<HttpResponse> post_nothing(HttpClient& client, std::string target) {
  return client.send({.method = "POST", .target = std::move(target)});
}

/// What needs no more words, and is answered with the subscription as it is then.
int do_to_subscription(int argc, const char* const* argv, const std::string& action, const std::string& description) {
  const std::string command = "stele subscriptions " + action;
  SubscriptionFlags flags;
  CommandLine app("subscriptions " + action, description);
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client();
  if (!client) return wrong_usage(command, client.error().describe());
  return print_subscription(command, flags, post_nothing(**client, subscription_target(flags.id, "/" + action)));
}

int pause_subscription(int argc, const char* const* argv) {
  return do_to_subscription(argc, argv, "pause",
                            "Pauses a subscription: nothing new is delivered, and nothing is lost.");
}

int resume_subscription(int argc, const char* const* argv) {
  return do_to_subscription(argc, argv, "resume", "Lets a subscription go on that was paused, stopped or disabled.");
}

int seek_subscription(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele subscriptions seek";
  SubscriptionFlags flags;
  std::string from;
  bool dry_run = false;
  CommandLine app("subscriptions seek", "Lets the deliveries of a paused subscription begin elsewhere.");
  app.add_text("--from", from,
               "now, beginning, a position (everything behind it) or a time (RFC 3339; everything stored since)")
      .type("WHERE")
      .required()
      .group("Where");
  app.add_switch("--dry-run", dry_run, "Change nothing, say what would be").group("Where");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  std::string body;
  api::JsonWriter writer(body);
  writer.begin_object();
  write_number_or_text(writer.key("from"), from);
  if (dry_run) writer.key("dryRun").boolean(true);
  writer.end_object();
  return print_subscription(kCommand, flags, post_json(**client, subscription_target(flags.id, "/seek"), body));
}

int delete_subscription(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele subscriptions delete";
  ServerFlags server;
  std::string id;
  CommandLine app("subscriptions delete", "Deletes a subscription, its dead letters too.");
  app.add_text("SUBSCRIPTION", id, "Its id").required();
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  return exit_code_of(kCommand, (*client)->send({.method = "DELETE", .target = subscription_target(id)}));
}

int test_subscription(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele subscriptions test";
  SubscriptionFlags flags;
  CommandLine app("subscriptions test", "Delivers one event of type stele.test, and says what the receiver answered.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client(HttpTimeouts{.transfer = std::chrono::seconds{90}});
  if (!client) return wrong_usage(kCommand, client.error().describe());
  const auto answer = post_nothing(**client, subscription_target(flags.id, "/test"));
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  const JsonMembers outcome(answer->body);
  const bool is_delivered = outcome.text("delivered") == "true";
  if (flags.json) {
    put(answer->body + "\n");
  } else {
    std::vector<std::vector<std::string>> lines{{"delivered", is_delivered ? "yes" : "no"}};
    for (const auto& [label, name] : {std::pair{"status", "status"},
                                      {"error", "error"},
                                      {"detail", "detail"},
                                      {"took ms", "durationMs"},
                                      {"answer", "answer"}}) {
      if (const std::string text = outcome.text(name); !text.empty()) lines.push_back({label, text});
    }
    put(columns(lines));
  }
  const int code = finish_output(kCommand);
  return code == kExitOk && !is_delivered ? kExitFailure : code;
}

int rotate_secret(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele subscriptions rotate-secret";
  SubscriptionFlags flags;
  CommandLine app("subscriptions rotate-secret",
                  "Makes a new secret of a webhook, and prints it this once. For a day both sign.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  const auto answer = post_nothing(**client, subscription_target(flags.id, "/rotate-secret"));
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  put((flags.json ? answer->body : JsonMembers(answer->body).text("secret")) + "\n");
  if (const std::string why = flush_output(); !why.empty()) {
    say("{}: the secret cannot be written to stdout ({}) and is lost; rotate it again\n", kCommand, why);
    return kExitFailure;
  }
  return kExitOk;
}

constexpr std::array kSubscriptionActions{
    Action{"list", "list subscriptions; also without an action", &list_subscriptions},
    Action{"show", "show one", &show_subscription},
    Action{"pause", "deliver nothing for now", &pause_subscription},
    Action{"resume", "go on", &resume_subscription},
    Action{"seek", "begin elsewhere", &seek_subscription},
    Action{"deliveries", "list the newest attempts of one", &list_deliveries},
    Action{"trace", "say where an event stands with each", &trace_event},
    Action{"test", "deliver an event to try it", &test_subscription},
    Action{"rotate-secret", "make a new secret", &rotate_secret},
    Action{"delete", "delete one", &delete_subscription},
};

}  // namespace

int subscriptions_command(int argc, const char* const* argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  const bool asks_for_help = first == "--help" || first == "-h";
  if (first.empty() || (first.starts_with('-') && !asks_for_help)) return list_subscriptions(argc, argv);
  return run_action("subscriptions", kSubscriptionActions, "'stele subscribe' makes one.", argc, argv);
}

}  // namespace stele::tools

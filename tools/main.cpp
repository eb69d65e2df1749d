// The stele binary: one program, one table of commands.

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <exception>
#include <string>
#include <string_view>

#include "engine/base/standard_descriptors.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/version.h"
#include "tools/commands/append.h"
#include "tools/commands/audit.h"
#include "tools/commands/audit_bundle.h"
#include "tools/commands/dead_letters.h"
#include "tools/commands/handler.h"
#include "tools/commands/import.h"
#include "tools/commands/key.h"
#include "tools/commands/listen.h"
#include "tools/commands/pull.h"
#include "tools/commands/query.h"
#include "tools/commands/replay.h"
#include "tools/commands/schema.h"
#include "tools/commands/serve.h"
#include "tools/commands/snapshot.h"
#include "tools/commands/subscribe.h"
#include "tools/commands/subscriptions.h"
#include "tools/commands/tail.h"
#include "tools/commands/token.h"
#include "tools/commands/verify.h"
#include "tools/commands/verify_proof.h"
#include "tools/commands/witness.h"
#include "tools/commands/worker.h"

namespace {

using namespace stele::tools;

int print_version(int /*argc*/, const char* const* /*argv*/) {
  put(fmt::format("stele {}\n", kVersion));
  return finish_output("stele version");
}

struct Command {
  std::string_view name;
  std::string_view summary;  ///< empty = nobody's business but the server's
  int (*run)(int argc, const char* const* argv);
};

constexpr std::array kCommands{
    Command{"serve", "open a data folder and serve it over HTTP", &serve_command},
    Command{"append", "append one event, or a list of them, all or nothing", &append_command},
    Command{"query", "print events that match filters", &query_command},
    Command{"tail", "print events as they come", &tail_command},
    Command{"subscribe", "have events delivered: to a webhook, to Redis, or by pull", &subscribe_command},
    Command{"subscriptions", "list, show, pause, resume, test and delete subscriptions", &subscriptions_command},
    Command{"dead-letters", "list what deliveries have given up, try it again, or drop it", &dead_letters_command},
    Command{"pull", "fetch events of a subscription and acknowledge them", &pull_command},
    Command{"listen", "receive webhooks: verify and print them", &listen_command},
    Command{"audit", "search who did what, and bundle what proves it", &audit_command},
    Command{"import", "append a file of events (NDJSON, also .zst); safe to run again", &import_command},
    Command{"replay", "fold an aggregate's events: its state now, or as it was", &replay_command},
    Command{"snapshot", "keep and show states, and say how often they are kept", &snapshot_command},
    Command{"handler", "register and show the scripts that fold events", &handler_command},
    Command{"schema", "register and show what the data of events must be", &schema_command},
    Command{"key", "make, show and rotate the key that signs checkpoints", &key_command},
    Command{"witness", "cosign checkpoints of other logs", &witness_command},
    Command{"token", "make, list and revoke API keys", &token_command},
    Command{"verify", "verify a log from its files: is it the one that was signed?", &verify_command},
    Command{"verify-proof", "verify that a record stands in a signed log", &verify_proof_command},
    Command{"verify-consistency", "verify that a signed log continues an earlier one", &verify_consistency_command},
    Command{"verify-bundle", "verify a file of events and their proofs", &verify_bundle_command},
    Command{"version", "print the version", &print_version},
    Command{"worker", "", &worker_command},
};

std::string help() {
  std::string text = fmt::format(
      "stele {}, an event store: append events, read them back in order.\n\nUsage: stele COMMAND "
      "[OPTIONS]\n\nCommands:\n",
      kVersion);
  for (const auto& command : kCommands) {
    if (!command.summary.empty()) text += fmt::format("  {:<20}{}\n", command.name, command.summary);
  }
  return text +
         "\n'stele COMMAND --help' explains a command. Data goes to stdout, messages to stderr.\n"
         "Exit status: 0 success, 1 failure, 2 wrong usage, 3 what was to be verified does not hold.\n";
}

}  // namespace

int main(int argc, char** argv) {
  stele::open_standard_descriptors();
  (void)std::signal(SIGPIPE, SIG_IGN);  // a reader that is gone is an error of the write
  try {
    const std::string_view name = argc > 1 ? argv[1] : "";
    if (name == "--help" || name == "-h" || name == "help") {
      put(help());
      return finish_output("stele");
    }
    if (name == "--version") return print_version(argc, argv);
    const auto* command =
        std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& c) { return c.name == name; });
    if (command == kCommands.end()) {
      if (!name.empty()) say("stele: there is no command '{}'\n\n", name);
      write_words(help());
      return kExitUsage;
    }
    return command->run(argc - 1, argv + 1);
  } catch (const std::exception& error) {  // only what a library throws out of memory or the like
    say("stele: {}\n", error.what());
    return kExitFailure;
  }
}

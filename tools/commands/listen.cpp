#include "tools/commands/listen.h"

#include <charconv>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "net/log/log.h"
#include "net/server/server.h"
#include "net/server/signals.h"
#include "tools/cli/command_line.h"
#include "tools/cli/listen_address.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/commands/webhook_receiver.h"

namespace stele::tools {

namespace {

constexpr const char* kListen = "stele listen";

/// `30%` or `30`.
std::string take_percent(std::string_view text, unsigned& to) {
  if (text.ends_with('%')) text.remove_suffix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  if (error != std::errc{} || end != text.data() + text.size() || to > 100) return "is not a percentage: 0% to 100%";
  return {};
}

struct ListenFlags {
  std::string address = "127.0.0.1:8081";
  WebhookReceiver::Options receiver;
  bool once = false;
  std::uint64_t status = 0;
  bool fails = false;

  void declare(CommandLine& app) {
    app.add_text("--address", address, "Where to listen, in plain HTTP; port 0 takes a free one and prints it")
        .type("HOST:PORT");
    receiver.secrets.declare(app);
    app.add_switch("--json", receiver.json, "One JSON object a line, instead of a table");
    app.add_number("--count", receiver.deliveries_max, 0, std::numeric_limits<std::int64_t>::max(),
                   "End after so many deliveries were printed; 0: go on until it is ended");
    app.add_switch("--once", once, "The same as --count 1");
    app.add_parsed("--fail", "N%", "0%", "Answer about so many of a hundred deliveries with a failure",
                   [this](const std::string& text) {
                     fails = true;
                     return take_percent(text, receiver.failures_percent);
                   })
        .group("Failures");
    app.add_number("--status", status, 200, 599, "The status of such an answer; alone: of all answers")
        .type("CODE")
        .group("Failures");
  }

  /// Empty if nothing is wrong.
  [[nodiscard]] std::string apply() {
    if (once && receiver.deliveries_max > 1) return "--once and --count exclude each other";
    if (once) receiver.deliveries_max = 1;
    if (status != 0) {
      receiver.failure_status = static_cast<int>(status);
      if (!fails) receiver.failures_percent = 100;
    }
    // A file may come to be while this listens.
    if (const auto secrets = receiver.secrets.read(); !secrets && secrets.error().kind != ErrorKind::NotFound) {
      return secrets.error().describe();
    }
    return {};
  }
};

int listen(const ListenFlags& flags, const ListenAddress& address, net::Signals& signals) {
  net::ServerOptions options;
  options.host = address.host;
  options.port = address.port;
  options.io_threads = 1;
  options.read_threads = 1;
  options.limits.connections_max = 256;
  WebhookReceiver* receiver = nullptr;  // until the server was waited for
  auto started = net::Server::start(std::move(options), [&](api::Scheduler& scheduler) {
    auto made = std::make_unique<WebhookReceiver>(scheduler, flags.receiver);
    receiver = made.get();
    return made;
  });
  if (!started) {
    say("{}: {}\n", kListen, started.error().describe());
    return kExitFailure;
  }
  const std::unique_ptr<net::Server> server = std::move(started).value();
  signals.drain(*server);
  if (!flags.receiver.secrets.given()) {
    say("{}: signatures are not verified: there is neither --secret-file nor STELE_WEBHOOK_SECRET\n", kListen);
  }
  if (!address.is_loopback()) say("{}: others can reach {}, in plain HTTP\n", kListen, address.host);
  say("listening on {}\n", address.url("http", server->port()));

  receiver->wait_for_end();
  const std::uint64_t deliveries = receiver->deliveries();
  server->begin_shutdown();
  server->wait();
  signals.on_signal({});
  if (const int code = finish_output(kListen); code != kExitOk) return code;
  if (deliveries >= flags.receiver.deliveries_max) return kExitOk;
  say("{}: ended after {} of {} deliveries\n", kListen, deliveries, flags.receiver.deliveries_max);
  return kExitFailure;
}

}  // namespace

int listen_command(int argc, const char* const* argv) {
  ListenFlags flags;
  CommandLine app("listen", "Receives webhooks, verifies their signatures and prints their events.");
  flags.declare(app);
  app.footer(
      "Its URL, http://127.0.0.1:8081/ or what it says, is for 'stele subscribe --webhook'; a server delivers to this\n"
      "machine if it was started with --allow-callback-net 127.0.0.1/32. A delivery that came before is marked "
      "'again'.");
  if (const auto code = app.parse(argc, argv)) return *code;
  if (const std::string complaint = flags.apply(); !complaint.empty()) return wrong_usage(kListen, complaint);
  const auto address = parse_listen_address(flags.address);
  if (!address) return wrong_usage(kListen, "--address is like 127.0.0.1:8081 or [::1]:0");
  net::Signals signals;
  net::set_up_log("warning", net::LogFormat::Text);
  return listen(flags, *address, signals);
}

}  // namespace stele::tools

#include "tools/commands/witness.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/access/key_store.h"
#include "engine/audit/note_key.h"
#include "engine/audit/witness.h"
#include "engine/base/clock.h"
#include "net/log/log.h"
#include "net/server/server.h"
#include "net/server/signals.h"
#include "tools/cli/command_line.h"
#include "tools/cli/listen_address.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/commands/witness_service.h"

namespace stele::tools {

namespace {

constexpr const char* kWitness = "stele witness";

struct WitnessFlags {
  std::string state;
  std::string address = "127.0.0.1:8082";
  std::string key;
  std::string name;
  std::vector<std::string> log_keys;

  void declare(CommandLine& app) {
    app.add_text("--state", state,
                 "Folder of what was cosigned; a witness without it could be led into cosigning a fork")
        .type("DIR")
        .required();
    app.add_text("--name", name, "Its name in cosignatures, such as witness.example/w1").type("NAME").required();
    app.add_list(
           "--log", log_keys, "VKEY",
           "Verifier key of a log that it watches, as 'stele key show' prints it; may be repeated, for a log that\n"
           "has rotated its key too")
        .required();
    app.add_text("--key", key,
                 "File of its private key, in a folder of its own; keys/witness.key in --state if not given.\n"
                 "Made if it is missing")
        .type("FILE");
    app.add_text("--listen", address, "Where to listen, in plain HTTP; port 0 takes a free one and prints it")
        .type("HOST:PORT");
  }
};

/// Read, or made.
Result<NoteSigner> open_witness_key(const WitnessFlags& flags) {
  const std::string path = flags.key.empty() ? flags.state + "/keys/witness.key" : flags.key;
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, std::max(slash, std::size_t{1}));
  const std::string file = path.substr(slash == std::string::npos ? 0 : slash + 1);
  STELE_ASSIGN(const api::KeyStore store,
               api::KeyStore::open(posix_file_system(), folder, api::KeyStore::IfMissing::Create));
  STELE_ASSIGN(const auto lock, store.lock());
  STELE_ASSIGN(const auto pem, store.read(file));
  if (pem) return NoteSigner::from_pem(flags.name, NoteKeyKind::Cosignature, *pem);
  STELE_ASSIGN(NoteSigner made, NoteSigner::generate(flags.name, NoteKeyKind::Cosignature));
  STELE_TRY(store.write(file, made.to_pem()));
  return made;
}

int fail_witness(const Error& error) {
  say("{}: {}\n", kWitness, error.describe());
  return kExitFailure;
}

int run_witness(const WitnessFlags& flags, std::vector<NoteVerifier> logs, const ListenAddress& address,
                net::Signals& signals) {
  auto key = open_witness_key(flags);
  if (!key) return fail_witness(key.error());
  const std::string vkey = key->verifier().vkey();
  auto opened = Witness::open({.file_system = &posix_file_system(),
                               .clock = &system_clock(),
                               .folder = flags.state,
                               .signer = *std::move(key),
                               .logs = std::move(logs)});
  if (!opened) return fail_witness(opened.error());
  const std::unique_ptr<Witness> witness = *std::move(opened);

  net::ServerOptions options;
  options.host = address.host;
  options.port = address.port;
  options.io_threads = 1;
  options.read_threads = 2;
  options.limits.connections_max = 1'000;
  options.limits.body_bytes_max = kWitnessRequestBytesMax;
  options.limits.bodies_bytes_max = 64U << 20;
  auto started = net::Server::start(std::move(options), [&](api::Scheduler& scheduler) {
    return std::make_unique<WitnessService>(scheduler, *witness);
  });
  if (!started) return fail_witness(started.error());
  const std::unique_ptr<net::Server> server = *std::move(started);
  signals.drain(*server);
  for (const Checkpoint& last : witness->cosigned()) {
    say("of {} it has cosigned size {}\n", last.origin, last.size);
  }
  say("verifier key {}\n", vkey);
  say("listening on {}\n", address.url("http", server->port()));
  server->wait();
  signals.on_signal({});
  return kExitOk;
}

}  // namespace

int witness_command(int argc, const char* const* argv) {
  WitnessFlags flags;
  CommandLine app("witness", "Cosigns checkpoints of logs, and refuses those that do not continue what it has seen.");
  flags.declare(app);
  app.footer(
      "Its URL and the verifier key that it prints are for 'stele serve --witness URL=VKEY'. There is nothing secret "
      "in\n"
      "what it is sent and says, and all of it is signed. Someone who can write to --state can make it forget.");
  if (const auto code = app.parse(argc, argv)) return *code;
  if (!is_note_key_name(flags.name)) return wrong_usage(kWitness, "--name must have no spaces and no +");
  std::vector<NoteVerifier> logs;
  for (const std::string& text : flags.log_keys) {
    auto log = NoteVerifier::parse(text);
    if (!log) return wrong_usage(kWitness, "--log '" + text + "': " + log.error().message);
    if (log->kind() != NoteKeyKind::Ed25519) return wrong_usage(kWitness, "--log '" + text + "' is no key of a log");
    logs.push_back(*std::move(log));
  }
  const auto address = parse_listen_address(flags.address);
  if (!address) return wrong_usage(kWitness, "--listen is like 127.0.0.1:8082 or [::1]:0");
  net::Signals signals;
  net::set_up_log("warning", net::LogFormat::Text);
  return run_witness(flags, std::move(logs), *address, signals);
}

}  // namespace stele::tools

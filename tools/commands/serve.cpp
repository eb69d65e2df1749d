#include "tools/commands/serve.h"

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "api/service.h"
#include "engine/base/memory_reserve.h"
#include "engine/base/uuid.h"
#include "engine/store/store.h"
#include "net/live/web_socket.h"
#include "net/log/log.h"
#include "net/server/server.h"
#include "net/server/signals.h"
#include "net/server/thread_memory.h"
#include "net/tls/server_tls.h"
#include "net/webhook/webhook_client.h"
#include "net/worker/worker_pool.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/quantity.h"
#include "tools/commands/serve_options.h"

namespace stele::tools {

namespace {

/// For the thread that writes the log, about what a group and its index entries take.
constexpr std::size_t kMemoryReserveBytes = 64U << 20;

/// For scripts as much as for people, so it does not depend on the log level.
void announce(net::LogFormat format, net::LogLevel level, const std::string& message) {
  if (format == net::LogFormat::Text) {
    say("{}\n", message);
  } else {
    write_words(net::log_line(level, format, message));
  }
}

/// Every connection, segment and index needs a descriptor; the usual soft limit of 1024 is too few. Connections get no
/// more than half of what there is, because the store cannot do without the rest.
void share_file_limit(std::size_t& connections_max) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    net::log_warning("cannot raise the limit of open files");
    limit.rlim_cur = before;
  }
  if (connections_max <= limit.rlim_cur / 2) return;
  net::log_warning("only {} open files are allowed, so {} connections instead of {}", limit.rlim_cur,
                   limit.rlim_cur / 2, connections_max);
  connections_max = std::max<std::size_t>(limit.rlim_cur / 2, 1);
}

/// What an operator can do about a folder that does not open.
const char* advice_for(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Locked:
      return "Another process uses this folder. End it first, or choose another folder with --data.";
    case ErrorKind::Corrupt:
      return "Stored bytes are damaged in a way that a crash cannot explain. Nothing was changed.\n"
             "Keep a copy of the folder before anything else, check the disk, and restore the folder from a backup.";
    case ErrorKind::Foreign:
      return "A file of another store or program lies in the folder. Nothing was changed.\n"
             "Point --data at the right folder, or move that file away if it does not belong there.";
    case ErrorKind::NewerFormat:
      return "The folder was written by a newer version of stele. Nothing was changed. Run that version or a later "
             "one.";
    case ErrorKind::DiskFull:
      return "There is no room left on the disk. Make room and start again.";
    case ErrorKind::NotFound:
      return "Check the path, and that the disk is mounted. --no-create keeps a new store from being made.";
    case ErrorKind::Io:
      return "The operating system refused access. Check path, permissions and disk.";
    default:
      return "";
  }
}

int fail(net::LogFormat format, const std::string& message) {
  announce(format, net::LogLevel::Error, "stele serve: " + message);
  return kExitFailure;
}

int fail_to_open(net::LogFormat format, const std::string& folder, const Error& error) {
  const std::string_view advice = advice_for(error.kind);
  return fail(format, fmt::format("cannot open the data folder {}: {}{}{}", folder, error.describe(),
                                  advice.empty() ? "" : "\n", advice));
}

void log_recovery(const Store& store, const std::string& folder) {
  const auto& report = store.recovery();
  net::log_info(
      "opened {}: store {}, origin {}, {} records in {} segments, {} index runs, {} records replayed, tail {}", folder,
      to_string(store.store_id()), store.origin(), report.records, report.segments, report.index_runs, report.replayed,
      report.tail_case);
  // A mistyped path, or a disk that is not mounted, looks like this.
  if (report.created) net::log_warning("there was no store in {}: a new, empty one was made", folder);
  if (report.cut_bytes != 0)
    net::log_warning("cut {} bytes of an unfinished group that was never acknowledged", report.cut_bytes);
  for (const auto& note : report.notes) net::log_warning("{}", note);
}

/// Says how far a long opening is, at most once a second.
std::function<void(std::uint64_t, std::uint64_t)> replay_logger() {
  return [next = std::chrono::steady_clock::now() + std::chrono::seconds(1)](std::uint64_t records,
                                                                             std::uint64_t expected) mutable {
    const auto now = std::chrono::steady_clock::now();
    if (now < next) return;
    next = now + std::chrono::seconds(1);
    if (expected > records) {
      net::log_info("making the index from the log: {} of {} records, {} %", records, expected,
                    records * 100 / expected);
    } else {
      net::log_info("making the index from the log: {} records", records);
    }
  };
}

/// Logs what the store warns of, and certificates, when that begins and when it ends.
class HealthLog {
 public:
  HealthLog(const Store& store, std::shared_ptr<const net::ServerTls> tls)
      : store_(store), tls_(std::move(tls)), thread_([this] { run(); }) {}
  ~HealthLog() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    stopped_.notify_all();
    thread_.join();
  }
  HealthLog(const HealthLog&) = delete;

 private:
  void run() {
    std::set<std::string> known;
    std::unique_lock lock(mutex_);
    while (!stopped_.wait_for(lock, std::chrono::seconds(1), [this] { return stop_; })) {
      const StoreHealth health = store_.health();
      std::set<std::string> now(health.warnings.begin(), health.warnings.end());
      if (!health.reason.empty()) now.insert(health.reason);
      if (tls_ != nullptr) now.merge(certificate_trouble());
      for (const std::string& warning : now) {
        if (!known.contains(warning)) net::log_warning("{}", warning);
      }
      for (const std::string& warning : known) {
        if (!now.contains(warning)) net::log_info("no longer: {}", warning);
      }
      known = std::move(now);
    }
  }

  [[nodiscard]] std::set<std::string> certificate_trouble() const {
    const auto warnings = api::certificate_warnings(tls_->certificates(), system_clock().now());
    return {warnings.begin(), warnings.end()};
  }

  const Store& store_;
  const std::shared_ptr<const net::ServerTls> tls_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread thread_;
};

/// For the audit trail, whose readers need not know where files lie.
std::string without_path(Error error) {
  error.file.clear();
  return error.describe();
}

/// What SIGHUP does. `server` must outlive it.
std::function<void()> reloader(net::Server& server, const net::ServerOptions& options) {
  const bool has_access_log = !options.access_log.empty() && options.access_log != "-";
  return [&server, tls = options.tls, file = has_access_log ? options.access_log : std::string()] {
    if (tls == nullptr && file.empty()) net::log_info("there is nothing to reload");
    if (tls != nullptr) {
      if (const Status reloaded = tls->reload(); !reloaded) {
        net::log_error("TLS goes on with what it has: {}", reloaded.error().describe());
        server.note_reload("tls", false, without_path(reloaded.error()));
      } else {
        net::log_info("TLS reloaded: {}", tls->description());
        server.note_reload("tls", true, tls->description());
      }
    }
    if (!file.empty()) {
      if (const Status reopened = server.reopen_access_log(); !reopened) {
        net::log_error("the access log goes on in the file it has: {}", reopened.error().describe());
        server.note_reload("access-log", false, without_path(reopened.error()));
      } else {
        net::log_info("access log reopened: {}", file);
        server.note_reload("access-log", true, "opened again");
      }
    }
  };
}

int run(ServeOptions& options, net::Signals& signals) {
  if (options.has_tls()) {
    auto loaded = net::ServerTls::load(options.tls);
    if (!loaded) return fail(options.log_format, "TLS: " + loaded.error().describe());
    options.server.tls = std::move(loaded).value();
    options.service.certificates = [tls = options.server.tls] { return tls->certificates(); };
    net::log_info("TLS: {}", options.server.tls->description());
  }
  options.store.on_replay = replay_logger();
  auto opened = Store::open(options.store);
  if (!opened) return fail_to_open(options.log_format, options.store.folder, opened.error());
  const std::unique_ptr<Store> store = std::move(opened).value();
  log_recovery(*store, options.store.folder);

  auto authenticator = options.access.open(options.store.folder);
  if (!authenticator) {
    return fail(options.log_format, "cannot set up authentication: " + authenticator.error().describe());
  }
  options.service.authenticator = std::move(authenticator).value();

  const std::string keys = key_store_folder(options.access.key_store, options.store.folder);
  auto redis = options.redis.open(store->store_id(), keys);
  if (!redis) return fail(options.log_format, "cannot set up Redis: " + redis.error().describe());
  if (*redis != nullptr) {
    options.service.bus = &(*redis)->bus();
    options.service.shared_states = &(*redis)->states();
    options.service.redis = &(*redis)->deliveries();
  }
  options.service.subscriptions.secrets_folder = keys;
  options.service.subscriptions.report = [](const std::string& line) { net::log_warning("{}", line); };
  options.service.checkpoints.keys_folder = keys;
  net::AddressGuard guard = options.callback_guard;
  if (options.listen.port != 0) guard.own_ports.push_back(options.listen.port);
  net::WebhookClient webhooks({.guard = std::move(guard), .answer_bytes_max = options.callback_answer_bytes_max});
  options.service.webhooks = &webhooks;
  std::optional<net::WebhookClient> witness_sender;
  if (!options.service.witnesses.witnesses.empty()) {
    options.service.witness_sender = &witness_sender.emplace(net::WebhookClientOptions{.guard = {.is_open = true}});
  }
  std::optional<net::WorkerPool> workers;
  net::WebSocketFraming web_sockets;
  options.service.web_sockets = &web_sockets;
  options.workers.reader_threads = net::read_thread_count(options.server);
  if (options.handlers != "off") options.service.scripts = &workers.emplace(options.workers);
  options.server.traffic = options.service.traffic = std::make_shared<api::TrafficMetrics>();
  // Its thread is had before the server begins, so that nothing fails any more once that listens.
  std::optional<HealthLog> health_log(std::in_place, *store, options.server.tls);
  auto started = net::Server::start(options.server, [&](api::Scheduler& scheduler) -> std::unique_ptr<api::Handler> {
    return std::make_unique<api::Service>(*store, scheduler, options.service);
  });
  if (!started) return fail(options.log_format, started.error().describe());
  const std::unique_ptr<net::Server> server = std::move(started).value();
  webhooks.add_own_port(server->port());
  signals.drain(*server, reloader(*server, options.server));
  if (!options.listen.is_loopback() && options.insecure) {
    if (options.authenticates()) {
      net::log_warning("what goes over the network at {} can be read on the way (--insecure)", options.listen.host);
    } else {
      net::log_warning("anyone who reaches {} can read and append (--insecure)", options.listen.host);
    }
  }
  announce(options.log_format, net::LogLevel::Info,
           "listening on " + options.listen.url(options.has_tls() ? "https" : "http", server->port()));

  server->wait();
  health_log.reset();
  signals.on_signal({});
  if (const Status closed = store->close(); !closed) {
    return fail(options.log_format, "closing the store failed: " + closed.error().describe());
  }
  net::log_info("closed {}", options.store.folder);
  return kExitOk;
}

}  // namespace

int serve_command(int argc, const char* const* argv) {
  ServeOptions options;
  CommandLine app("serve", "Opens a data folder and serves it over HTTP.");
  options.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (const auto complaint = options.apply(); !complaint.empty()) {
    say("stele serve: {}\n", complaint);
    return kExitUsage;
  }
  if (options.redis.shows_password(argc, argv)) {
    say("stele serve: --redis has a password, which everyone on this machine can read on a command line: give the URL "
        "by "
        "STELE_REDIS or in the file of --config, or the password by --redis-password-file\n");
    return kExitUsage;
  }
  if (options.print_config) {
    put(options.redis.without_password(app.config_text()));
    return finish_output("stele serve");
  }
  const bool has_thread_memory = net::make_thread_memory();
  net::Signals signals;
  net::set_up_log(options.log_level, options.log_format);
  share_file_limit(options.server.limits.connections_max);
  if (!has_thread_memory) return fail(options.log_format, "there is no memory for the threads of a server");
  if (!keep_memory_reserve(kMemoryReserveBytes)) net::log_warning("there is hardly any memory for this process");
  try {
    return run(options, signals);
  } catch (const std::exception& error) {
    return fail(options.log_format, fmt::format("no memory or no thread can be had: {}", error.what()));
  }
}

}  // namespace stele::tools

#include "tools/serve.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "api/service.h"
#include "engine/base/uuid.h"
#include "engine/store.h"
#include "net/connection_budget.h"
#include "net/server.h"
#include "net/signals.h"
#include "tools/command_line.h"
#include "tools/quantity.h"
#include "tools/serve_options.h"

namespace stele::tools {

namespace {

void set_up_log(const std::string& level) {
  auto logger = spdlog::stderr_color_mt("stele");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

/// Every connection, segment and index needs a descriptor; the usual soft limit of 1024 is too few.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) spdlog::warn("cannot raise the limit of open files");
}

/// Connections must leave descriptors to the log and its indexes: half of them, or a thousand.
void leave_files_to_the_store(std::size_t& connections_max) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  const std::size_t files = limit.rlim_cur;
  const std::size_t others = std::min<std::size_t>(files / 2, 1000) + net::ConnectionBudget::refused_max;
  const std::size_t fits = files > others ? files - others : 1;
  if (connections_max <= fits) return;
  spdlog::warn("at most {} connections instead of {}: the process may have only {} open files", fits, connections_max, files);
  connections_max = fits;
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
    case ErrorKind::Io:
    case ErrorKind::NotFound:
      return "The operating system refused access. Check path, permissions and disk.";
    default:
      return "";
  }
}

int fail_to_open(const std::string& folder, const Error& error) {
  fmt::print(stderr, "stele serve: cannot open the data folder {}: {}\n", folder, error.describe());
  if (const std::string_view advice = advice_for(error.kind); !advice.empty()) fmt::print(stderr, "{}\n", advice);
  return kExitFailure;
}

void log_recovery(const Store& store, const std::string& folder) {
  const auto& report = store.recovery();
  spdlog::info("opened {}: store {}, origin {}, {} records in {} segments, {} index runs, {} records replayed, tail {}", folder,
               to_string(store.store_id()), store.origin(), report.records, report.segments, report.index_runs,
               report.replayed, report.tail_case);
  if (report.cut_bytes != 0)
    spdlog::warn("cut {} bytes of an unfinished group that was never acknowledged", report.cut_bytes);
  for (const auto& note : report.notes) spdlog::warn("{}", note);
}

/// Says how far a long opening is, at most once a second.
std::function<void(std::uint64_t, std::uint64_t)> replay_logger() {
  return [next = std::chrono::steady_clock::now() + std::chrono::seconds(1)](std::uint64_t records,
                                                                             std::uint64_t expected) mutable {
    const auto now = std::chrono::steady_clock::now();
    if (now < next) return;
    next = now + std::chrono::seconds(1);
    if (expected > records) {
      spdlog::info("making the index from the log: {} of {} records, {} %", records, expected, records * 100 / expected);
    } else {
      spdlog::info("making the index from the log: {} records", records);
    }
  };
}

/// Logs what the store warns of when that begins and when it ends.
class HealthLog {
 public:
  explicit HealthLog(const Store& store) : store_(store), thread_([this] { run(); }) {}
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
      for (const std::string& warning : now) {
        if (!known.contains(warning)) spdlog::warn("{}", warning);
      }
      for (const std::string& warning : known) {
        if (!now.contains(warning)) spdlog::info("no longer: {}", warning);
      }
      known = std::move(now);
    }
  }

  const Store& store_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread thread_;
};

int run(ServeOptions& options, net::ShutdownSignals& signals) {
  options.store.on_replay = replay_logger();
  auto opened = Store::open(options.store);
  if (!opened) return fail_to_open(options.store.folder, opened.error());
  const std::unique_ptr<Store> store = std::move(opened).value();
  log_recovery(*store, options.store.folder);

  auto started = net::Server::start(options.server, [&](api::Scheduler& scheduler) -> std::unique_ptr<api::Handler> {
    return std::make_unique<api::Service>(*store, scheduler, options.service);
  });
  if (!started) {
    fmt::print(stderr, "stele serve: cannot listen on {}:{}: {}\n", options.listen.host, options.listen.port,
               started.error().describe());
    return kExitFailure;
  }
  const std::unique_ptr<net::Server> server = std::move(started).value();
  signals.drain(*server);
  if (!options.listen.is_loopback())
    spdlog::warn("anyone who reaches {} can read and append (--insecure)", options.listen.host);
  // For scripts as much as for people, so it does not depend on the log level.
  fmt::print(stderr, "listening on {}\n", options.listen.url(server->port()));
  std::fflush(stderr);

  std::optional<HealthLog> health_log(*store);
  server->wait();
  health_log.reset();
  signals.on_signal({});
  if (const Status closed = store->close(); !closed) {
    fmt::print(stderr, "stele serve: closing the store failed: {}\n", closed.error().describe());
    return kExitFailure;
  }
  spdlog::info("closed {}", options.store.folder);
  return kExitOk;
}

}  // namespace

int serve_command(int argc, const char* const* argv) {
  ServeOptions options;
  const auto app = make_parser("serve", "Opens a data folder and serves it over HTTP.");
  options.declare(*app);
  if (const auto code = parse(*app, argc, argv)) return *code;
  if (const auto complaint = options.apply(); !complaint.empty()) {
    fmt::print(stderr, "stele serve: {}\n", complaint);
    return kExitUsage;
  }
  if (options.print_config) {
    fmt::print("{}", app->config_to_str(true, false));
    return kExitOk;
  }
  net::ShutdownSignals signals;
  set_up_log(options.log_level);
  raise_file_limit();
  leave_files_to_the_store(options.server.limits.connections_max);
  return run(options, signals);
}

}  // namespace stele::tools

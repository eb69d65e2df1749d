#include "api/replay/replay_room.h"

#include <stdexcept>
#include <utility>

#include "api/http/problem.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "api/records/event_notes.h"

namespace stele::api {

namespace {

/// Commands that this process has sent before are answered or given up by then.
constexpr std::chrono::seconds kSharedSettlesIn{2};

ReplayLimits limits_of(const ReplaySettings& settings) {
  return {settings.call_time, settings.replay_time, settings.state_bytes_max};
}

}  // namespace

ReplayRoom::ReplayRoom(Store& of, const ServiceOptions& with)
    : store(of),
      options(with),
      clock(with.clock ? *with.clock : system_clock()),
      policies({with.replay.snapshot_every_events, static_cast<std::uint32_t>(with.replay.snapshot_keep)}),
      cache(with.replay.state_cache_bytes_max),
      all_caches(
          cache, with.shared_states, [&of] { return of.view(); },
          with.notes == nullptr ? nullptr : &with.notes->redactions),
      replayer({.views = [&of] { return of.view(); },
                .scripts = with.scripts,
                .snapshots = of.snapshots(),
                .cache = &all_caches,
                .redactions = with.notes == nullptr ? nullptr : &with.notes->redactions,
                .aliases = with.notes == nullptr ? nullptr : &with.notes->aliases,
                .upcasts = with.notes == nullptr ? nullptr : with.notes->upcasts,
                .limits = limits_of(with.replay)}),
      snapshotter(of, replayer, handlers, policies, clock),
      threads(with.replay.replays_max, with.replay.waiting_max) {
  const auto view = store.view();
  for (const Status& loaded : {handlers.load(*view), policies.load(*view)}) {
    if (!loaded) throw std::runtime_error("cannot read the store's own events: " + loaded.error().describe());
  }
}

std::vector<std::string> ReplayRoom::forget_states(const std::string& aggregate_id,
                                                   const std::optional<std::string>& aggregate_type,
                                                   Timestamp requested, Forgetting& progress) {
  std::vector<std::string> left;
  if (options.shared_states != nullptr) {
    SharedStateCache& shared = *options.shared_states;
    std::vector<Digest> identities{built_in_handler(EventHandler::Kind::Merge).identity,
                                   built_in_handler(EventHandler::Kind::Last).identity};
    if (aggregate_type) {
      for (const HandlerRegistry::Listed& listed : handlers.list(aggregate_type)) {
        for (const HandlerVersion& version : listed.versions) identities.push_back(version.identity);
      }
    }
    const auto now = std::chrono::steady_clock::now();
    if (!progress.asked_shared) progress.shared_at = now;
    progress.asked_shared = true;
    const bool settled = now - progress.shared_at >= kSharedSettlesIn;
    const auto ends = requested.micros + std::chrono::microseconds(shared.time_to_live()).count();
    if (shared.forget(aggregate_id, identities) == Forgotten::NotYet && clock.now().micros < ends) {
      left.emplace_back("Redis does not answer; what it may have ends " + format_timestamp(Timestamp{ends}));
    } else if (!settled) {
      left.emplace_back("Redis may still be given what was on its way to it");
    }
  }
  cache.forget(aggregate_id);
  // No state of before is put any more: RedactionNotes::keep_unless_changed().
  if (SnapshotStore* const snapshots = store.snapshots(); snapshots != nullptr && !progress.purged_snapshots) {
    const Status purged = snapshots->purge({&aggregate_id, 1});
    progress.purged_snapshots = purged.has_value();
    if (!purged) left.push_back("snapshots: " + without_paths(printable(purged.error().describe())));
  }
  if (options.scripts != nullptr) {
    if (!progress.workers_mark) progress.workers_mark = options.scripts->retire();
    if (!options.scripts->has_retired(*progress.workers_mark))
      left.emplace_back("processes that run handlers are at work");
  }
  return left;
}

SubjectReport ReplayRoom::report() const {
  using Kind = SubjectMetric::Kind;
  SubjectReport report;
  const auto add = [&](Kind kind, const char* name, const char* help, std::uint64_t value) {
    report.metrics.push_back({kind, name, help, {}, {{"", value}}});
  };
  const ReplayThreads::Metrics replays = threads.metrics();
  add(Kind::Gauge, "stele_replays_running", "Replays under way.", replays.running);
  add(Kind::Gauge, "stele_replays_waiting", "Requests that wait for a replay's thread.", replays.waiting);
  add(Kind::Counter, "stele_replays_refused_total",
      "Requests refused because as many replays as may be were under way.", replays.refused);
  const Snapshotter::Metrics background = snapshotter.metrics();
  add(Kind::Counter, "stele_snapshots_taken_total", "Snapshots taken in the background.", background.taken);
  add(Kind::Counter, "stele_snapshots_failed_total", "Snapshots that were due and could not be taken.",
      background.failed);
  add(Kind::Counter, "stele_snapshots_dropped_total", "Snapshots that were due when too many were.",
      background.dropped);
  add(Kind::Gauge, "stele_snapshots_waiting", "Snapshots that are due.", background.waiting);
  const MemoryStateCache::Metrics cached = cache.metrics();
  add(Kind::Counter, "stele_state_cache_hits_total", "States found in the cache, however old.", cached.hits);
  add(Kind::Counter, "stele_state_cache_misses_total", "States not found there.", cached.misses);
  add(Kind::Gauge, "stele_state_cache_entries", "States in the cache.", cached.entries);
  add(Kind::Gauge, "stele_state_cache_bytes", "What they take.", cached.bytes);
  if (options.shared_states != nullptr) {
    const SharedStateCache::Metrics shared = options.shared_states->metrics();
    add(Kind::Counter, "stele_shared_state_cache_hits_total", "States found in Redis, however old.", shared.hits);
    add(Kind::Counter, "stele_shared_state_cache_misses_total", "States not found there.", shared.misses);
    add(Kind::Counter, "stele_shared_state_cache_errors_total",
        "How often it was away, gave no answer in time, or gave what was not put there.", shared.errors);
  }
  if (SnapshotStore* const snapshots = store.snapshots()) {
    const SnapshotHealth health = snapshots->health();
    add(Kind::Gauge, "stele_snapshot_files", "Files of the snapshot store.", health.files);
    add(Kind::Gauge, "stele_snapshot_size_bytes", "Their bytes.", health.file_bytes);
    add(Kind::Counter, "stele_snapshot_damaged_files_total", "Of these, found damaged since the start.",
        health.damaged_files);
  }
  std::string json_text;
  JsonWriter json(json_text);
  json.begin_object();
  const std::string why = options.scripts == nullptr ? "handlers are switched off" : options.scripts->unavailable();
  json.key("available").boolean(why.empty());
  if (!why.empty()) json.key("reason").string(printable(why));
  if (options.scripts != nullptr) {
    const ScriptMetrics workers = options.scripts->metrics();
    add(Kind::Gauge, "stele_workers", "Processes that run handlers.", workers.workers);
    add(Kind::Gauge, "stele_workers_busy", "Of these, at work.", workers.busy);
    add(Kind::Gauge, "stele_workers_waiting", "Threads that wait for one.", workers.waiting);
    add(Kind::Counter, "stele_workers_started_total", "Processes started to run handlers.", workers.started);
    SubjectMetric& kills = report.metrics.emplace_back();
    kills = {Kind::Counter,
             "stele_workers_ended_total",
             "Processes that ran handlers and are not used again, by why.",
             "cause",
             {}};
    json.key("workers").number(workers.workers).key("busy").number(workers.busy);
    json.key("ended").begin_object();
    for (const ScriptMetrics::Kill& kill : workers.kills) {
      kills.samples.emplace_back(kill.cause, kill.count);
      if (kill.count != 0) json.key(kill.cause).number(kill.count);
    }
    json.end_object();
  }
  json.end_object();
  report.members.emplace_back("handlers", std::move(json_text));
  if (const std::uint64_t lost = handlers.unreadable(); lost != 0) {
    report.warnings.push_back(std::to_string(lost) + " events about handlers cannot be understood");
  }
  return report;
}

}  // namespace stele::api

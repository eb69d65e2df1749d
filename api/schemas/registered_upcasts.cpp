#include "api/schemas/registered_upcasts.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "api/http/problem.h"
#include "api/schemas/upcast_operations.h"
#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"

namespace stele::api {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto kTimeMax = 10s;
constexpr std::size_t kDetailBytesMax = 1'024;

/// How often processes may end that no event is blamed for, in one batch.
constexpr int kSessionsMax = 3;
/// How many processes in a row may end under one event before it is the event's fault.
constexpr int kDeathsMax = 3;

UpcastFailure failure_of(std::string detail, std::string pointer = {}) {
  UpcastFailure failure;
  failure.detail = printable(std::string_view(detail).substr(0, kDetailBytesMax));
  failure.pointer = std::move(pointer);
  return failure;
}

UpcastFailure passing(std::string detail, std::string_view slug) {
  UpcastFailure failure = failure_of(std::move(detail));
  failure.passes = true;
  failure.slug = slug;
  return failure;
}

/// An event on its way.
struct Journey {
  const Record* record = nullptr;
  Upcast* result = nullptr;
  std::uint32_t wanted = 0;
  std::vector<const Upcaster*> way;
  std::size_t next = 0;  ///< of the way
  std::optional<std::string> data{};

  [[nodiscard]] std::string_view now() const { return data ? std::string_view(*data) : *record->body().data; }
  [[nodiscard]] bool waits() const { return !result->failure && next < way.size(); }
  void fail(UpcastFailure failure) {
    if (!failure.passes) {
      failure.detail = "From version " + std::to_string(way[next]->from) + ": " + std::move(failure.detail);
    }
    result->failure = std::move(failure);
    data.reset();
  }
};

/// Brings events of one batch to where they are wanted.
class UpcastBatch {
 public:
  UpcastBatch(const UpcastRuntime& runtime, const UpcastTerms& terms)
      : runtime_(runtime), terms_(terms), end_(terms.deadline.value_or(Steady::now() + kTimeMax)) {}
  ~UpcastBatch() {
    if (runtime_.counts == nullptr) return;
    operations_.add_to(runtime_.counts->operations);
    scripts_.add_to(runtime_.counts->scripts);
  }
  UpcastBatch(const UpcastBatch&) = delete;

  void run(std::vector<Journey>& journeys) {
    while (true) {
      const Upcaster* script = nullptr;
      std::vector<Journey*> together;
      for (Journey& journey : journeys) {
        run_operations(journey);
        if (!journey.waits()) continue;
        if (script == nullptr) script = journey.way[journey.next];
        if (journey.way[journey.next] == script) together.push_back(&journey);
      }
      if (script == nullptr) return;
      run_script(*script, together);
    }
  }

 private:
  /// Up to the next script.
  void run_operations(Journey& journey) {
    while (journey.waits() && journey.way[journey.next]->operations) {
      if (Steady::now() > end_) {
        return fail(journey, passing("There is no time left to upcast it: too much is read at once.", "unavailable"));
      }
      auto made = journey.way[journey.next]->operations->apply(journey.now());
      if (auto* const error = std::get_if<UpcastError>(&made)) {
        return fail(journey, failure_of(std::move(error->detail), std::move(error->pointer)));
      }
      take(journey, std::get<std::string>(std::move(made)));
    }
  }

  struct Steps {
    std::uint64_t done = 0, failed = 0, passing = 0;
    void add_to(UpcastCounts::Steps& all) const {
      api::add_to(all.done, done);
      api::add_to(all.failed, failed);
      api::add_to(all.passing, passing);
    }
  };
  Steps& steps_of(const Journey& journey) { return journey.way[journey.next]->operations ? operations_ : scripts_; }

  void fail(Journey& journey, UpcastFailure failure) {
    Steps& steps = steps_of(journey);
    ++(failure.passes ? steps.passing : steps.failed);
    journey.fail(std::move(failure));
  }

  void take(Journey& journey, std::string data) {
    bytes_ -= journey.data ? journey.data->size() : 0;
    bytes_ += data.size();
    if (bytes_ > RegisteredUpcasts::kBatchBytesMax) {
      bytes_ -= data.size();
      journey.data.reset();
      return fail(journey, failure_of("Too much comes of the events that are read at once."));
    }
    ++steps_of(journey).done;
    journey.data = std::move(data);
    ++journey.next;
  }

  void run_script(const Upcaster& upcaster, const std::vector<Journey*>& journeys) {
    std::size_t done = 0;
    int deaths = 0;  // under the event that is next
    while (done < journeys.size()) {
      UpcastFailure why;
      UpcastScripts* const scripts = session(deaths != 0, why);
      if (scripts == nullptr) {
        for (; done < journeys.size(); ++done) fail(*journeys[done], why);
        return;
      }
      std::vector<UpcastScripts::Task> tasks;
      // A suspect runs alone.
      const std::size_t end = deaths == 0 ? journeys.size() : done + 1;
      for (std::size_t i = done; i < end; ++i) {
        tasks.push_back({.event = journeys[i]->record, .data = journeys[i]->now()});
      }
      scripts->run(upcaster.source, tasks);
      const std::size_t before = done;
      bool died = false;
      for (UpcastScripts::Task& task : tasks) {
        if (task.failure) {
          died = task.failure->slug == kWorkerDied;
          // Who ends his process himself takes none from the others: time alone bounds that.
          if ((died || !task.failure->passes) && own_ != nullptr && !own_->usable()) --sessions_;
          if (died && ++deaths < kDeathsMax) break;
          if (died) task.failure = failure_of("The process that ran the upcaster ended, each time that it was tried.");
          fail(*journeys[done++], *std::move(task.failure));
        } else if (task.result) {
          take(*journeys[done++], *std::move(task.result));
        } else {
          break;
        }
        deaths = 0;
      }
      if (done == before && !died) {
        for (; done < journeys.size(); ++done) {
          fail(*journeys[done], passing("The process that runs upcasters has ended.", kWorkerDied));
        }
      }
    }
  }

  /// Null: there is none. `apart`: not the one that is lent, which may have ended.
  UpcastScripts* session(bool apart, UpcastFailure& why) {
    if (Steady::now() > end_) {
      why = passing("There is no time left to upcast it: too much is read at once.", "unavailable");
      return nullptr;
    }
    if (terms_.scripts != nullptr && !apart) {
      if (terms_.scripts->usable()) return terms_.scripts;
      why = passing("The process that runs upcasters has ended.", kWorkerDied);
      return nullptr;
    }
    if (own_ != nullptr && own_->usable()) return own_.get();
    own_.reset();
    if (runtime_.host == nullptr) {
      why = passing("Scripts are switched off, and an upcaster is one.", "handlers-unavailable");
      return nullptr;
    }
    if (++sessions_ > kSessionsMax) {
      why = passing("The processes that run upcasters ended too often.", kWorkerDied);
      return nullptr;
    }
    UpcastScriptLimits limits;
    limits.call_time = runtime_.call_time;
    limits.result_bytes_max = UpcastOperations::kResultBytesMax;
    limits.deadline = end_;
    limits.abandoned = terms_.abandoned;
    auto begun = runtime_.host->begin_upcasts(limits);
    if (auto* const failure = std::get_if<UpcastFailure>(&begun)) {
      why = std::move(*failure);
      return nullptr;
    }
    own_ = std::get<std::unique_ptr<UpcastScripts>>(std::move(begun));
    return own_.get();
  }

  const UpcastRuntime& runtime_;
  const UpcastTerms& terms_;
  const Steady::time_point end_;
  std::unique_ptr<UpcastScripts> own_;
  int sessions_ = 0;
  std::size_t bytes_ = 0;  ///< of the data of all
  Steps operations_, scripts_;
};

}  // namespace

void RegisteredUpcasts::append_type(const EventTypeSchemas& schemas, std::string_view event_type, bool numbers,
                                    std::string& to) const {
  const SchemaVersion* const aim = schemas.newest_active();
  if (aim == nullptr || aim->version == 1) return;
  std::string steps;
  bool has_script = false;
  for (std::uint32_t at = aim->version; at != 0; at = schemas.versions[at - 1].from) {
    const Upcaster* const upcaster = schemas.versions[at - 1].upcaster.get();
    if (upcaster == nullptr) continue;
    put<std::uint32_t>(steps, at);
    steps += as_bytes(upcaster->identity);
    has_script = has_script || !upcaster->operations;
  }
  if (steps.empty() && !numbers) return;
  put<std::uint16_t>(to, static_cast<std::uint16_t>(event_type.size()));
  to += event_type;
  put<std::uint32_t>(to, numbers ? aim->version : 0);
  put<std::uint32_t>(to, static_cast<std::uint32_t>(steps.size()));
  to += steps;
  const std::string engine = has_script && runtime_.host != nullptr ? runtime_.host->engine_id() : std::string();
  put<std::uint16_t>(to, static_cast<std::uint16_t>(engine.size()));
  to += engine;
}

RegisteredUpcasts::Aim RegisteredUpcasts::aim_of(const Record& record, SchemaVersionChoice choice) const {
  const RecordHeader& header = record.header();
  if (choice.kind == SchemaVersionChoice::Kind::Stored || header.kind != RecordKind::Event) return {};
  const auto& data = record.body().data;
  if (!data || data->empty()) return {};
  const EventTypeSchemas* const schemas = schemas_->find(header.event_type);
  if (schemas == nullptr) return {};
  const SchemaVersion* const wanted = choice.kind == SchemaVersionChoice::Kind::Newest
                                          ? schemas->newest_active()
                                          : schemas->newest_until(choice.version);
  if (wanted == nullptr || wanted->version <= header.schema_version) return {};
  return {schemas, wanted->version};
}

bool RegisteredUpcasts::concerns(const Record& record, SchemaVersionChoice choice) const {
  return aim_of(record, choice).schemas != nullptr;
}

bool RegisteredUpcasts::needs_worker(const Record& record, SchemaVersionChoice choice) const {
  const Aim aim = aim_of(record, choice);
  if (aim.schemas == nullptr) return false;
  const auto way = aim.schemas->way(record.header().schema_version, aim.version);
  return way && std::any_of(way->begin(), way->end(), [](const Upcaster* each) { return !each->operations; });
}

void RegisteredUpcasts::upcast(std::span<const Record* const> records, SchemaVersionChoice choice,
                               const UpcastTerms& terms, std::span<Upcast> results) const {
  STELE_CHECK(records.size() == results.size());
  std::vector<Journey> journeys;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::uint32_t stored = records[i]->header().schema_version;
    results[i] = Upcast{.version = stored, .data = {}};
    const Aim aim = aim_of(*records[i], choice);
    if (aim.schemas == nullptr) continue;
    auto way = aim.schemas->way(stored, aim.version);
    if (!way) {
      results[i].failure = failure_of("No upcasters lead from version " + std::to_string(stored) + " to " +
                                      std::to_string(aim.version) + ".");
    } else if (way->empty()) {
      results[i].version = aim.version;
    } else {
      journeys.push_back({.record = records[i], .result = &results[i], .wanted = aim.version, .way = *std::move(way)});
    }
  }
  if (journeys.empty()) return;
  UpcastBatch(runtime_, terms).run(journeys);
  for (Journey& journey : journeys) {
    if (journey.result->failure) continue;
    journey.result->version = journey.wanted;
    journey.result->data = std::move(journey.data);
  }
}

std::uint32_t RegisteredUpcasts::newest_version(std::string_view event_type) const {
  const EventTypeSchemas* const schemas = schemas_->find(event_type);
  const SchemaVersion* const newest = schemas == nullptr ? nullptr : schemas->newest();
  return newest == nullptr ? 1 : newest->version;
}

std::uint32_t RegisteredUpcasts::newest_version() const {
  std::uint32_t newest = 1;
  for (const auto& [event_type, schemas] : schemas_->types) newest = std::max(newest, newest_version(event_type));
  return newest;
}

void RegisteredUpcasts::append_identity(std::string_view event_type, bool numbers, std::string& to) const {
  const EventTypeSchemas* const schemas = schemas_->find(event_type);
  if (schemas != nullptr) append_type(*schemas, event_type, numbers, to);
}

void RegisteredUpcasts::append_identity(bool numbers, std::string& to) const {
  for (const auto& [event_type, schemas] : schemas_->types) append_type(*schemas, event_type, numbers, to);
}

std::shared_ptr<const UpcastChains> chains_with(const std::string& event_type, const EventTypeSchemas& known,
                                                std::shared_ptr<const Upcaster> upcaster,
                                                const UpcastRuntime& runtime) {
  auto type = std::make_shared<EventTypeSchemas>(known);
  const SchemaVersion* const before = known.newest();
  SchemaVersion& next = type->versions.emplace_back();
  next.version = static_cast<std::uint32_t>(type->versions.size());
  next.from = before == nullptr ? 0 : before->version;
  next.upcaster = std::move(upcaster);
  auto all = std::make_shared<RegisteredSchemas>();
  all->types.emplace(event_type, std::move(type));
  return std::make_shared<RegisteredUpcasts>(std::move(all), runtime);
}

}  // namespace stele::api

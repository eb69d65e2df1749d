// stele_micro: Google Benchmark runs of the record codec, the hashes, the commit path, the indexes, the built-in folds
// and the processes that fold events with scripts, without HTTP. The data folders go below STELE_BENCH_FOLDER (default:
// the system's temporary folder) and are removed at the end.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/replay/merge_patch.h"
#include "bench/decision_queue.h"
#include "engine/base/standard_descriptors.h"
#include "engine/base/uuid.h"
#include "engine/store/store.h"
#include "net/worker/worker_pool.h"

namespace {

using namespace stele;

constexpr std::size_t kCommitEvents = 100;
constexpr std::size_t kCommitsInFlight = 32;

// Below: a store for the read benchmarks, the same for all of them.
constexpr std::size_t kStoredAggregates = 1000;
constexpr std::size_t kStoredEventsEach = 200;
constexpr std::size_t kRareTypeEvery = 1000;
constexpr std::size_t kUsers = 400;
constexpr std::size_t kPageEvents = 100;

[[noreturn]] void die(const std::string& message) {
  std::cerr << "stele_micro: " << message << "\n";
  std::exit(2);
}

class ScratchFolder {
 public:
  ScratchFolder() {
    const char* parent = std::getenv("STELE_BENCH_FOLDER");
    path_ = (parent != nullptr ? std::filesystem::path(parent) : std::filesystem::temp_directory_path()) /
            "stele_micro.XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) die("cannot create " + path_);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::unique_ptr<Store> open_store(const std::string& folder) {
  StoreOptions options;
  options.folder = folder;
  auto store = Store::open(std::move(options));
  if (!store) die(store.error().describe());
  return std::move(store).value();
}

std::string user_id(std::size_t number) {
  Uuid uuid{};
  uuid.bytes = {0x5c, 0x1e, 0x0d, 0x5a, 0x7b, 0x3f, 0x40, 0x00, 0x80};
  uuid.bytes[14] = static_cast<std::uint8_t>(number >> 8);
  uuid.bytes[15] = static_cast<std::uint8_t>(number);
  return to_string(uuid);
}

/// An event of the size the load generator sends: about 400 bytes as JSON.
RecordDraft make_draft(std::size_t number, std::size_t aggregates) {
  RecordDraft draft;
  draft.event_id = make_uuid_v7(system_clock());
  draft.given.aggregate_type = true;
  draft.given.correlation_id = true;
  draft.given.schema_version = true;
  draft.aggregate_id = "mission-" + std::to_string(1'000'000 + number % aggregates);
  draft.aggregate_type = "Mission";
  draft.event_type = number % kRareTypeEvery == 7 ? "MissionAborted" : "MissionWaypointReached";
  draft.user_id = user_id(number % kUsers);
  draft.correlation_id = to_string(draft.event_id);
  draft.occurred_at = system_clock().now();
  draft.data =
      R"({"step":)" + std::to_string(number % 100) +
      R"(,"latitude":47.36667,"longitude":8.55000,"note":"second attempt within limits before leaving sector"})";
  draft.metadata = R"({"source":"planner-2"})";
  return draft;
}

Proposal make_proposal(std::size_t first, std::size_t events, std::size_t aggregates) {
  Proposal proposal;
  proposal.is_list = events > 1;
  for (std::size_t i = 0; i < events; ++i) {
    proposal.events.push_back(make_draft(first + i, aggregates));
    proposal.events.back().seal();
  }
  return proposal;
}

RecordHeader header_of(const RecordDraft& draft, std::uint64_t number) {
  RecordHeader header;
  header.given = draft.given;
  header.schema_version = draft.schema_version;
  header.position = Position{number};
  header.sequence = SequenceNumber{number / 10 + 1};
  header.time = Timestamp{1'790'000'000'000'000 + static_cast<std::int64_t>(number)};
  header.occurred_at = draft.occurred_at;
  header.event_id = draft.event_id;
  header.aggregate_id = draft.aggregate_id;
  header.aggregate_type = draft.aggregate_type;
  header.event_type = draft.event_type;
  header.user_id = draft.user_id;
  header.correlation_id = draft.correlation_id;
  header.data_length = static_cast<std::uint32_t>(draft.data->size());
  header.metadata_length = static_cast<std::uint32_t>(draft.metadata->size());
  return header;
}

/// Records as they lie in the log, and the drafts they came from.
struct SampleRecords {
  SampleRecords() {
    for (std::size_t i = 0; i < kCommitEvents; ++i) {
      drafts.push_back(make_draft(i, kStoredAggregates));
      drafts.back().seal();
      std::string bytes;
      const EncodedRecord place = append_record(bytes, header_of(drafts[i], i), drafts[i].seed, drafts[i].body());
      encoded.push_back(bytes.substr(place.record_offset));
      headers.push_back(bytes.substr(place.header_offset, place.header_length));
    }
  }
  std::vector<RecordDraft> drafts;
  std::vector<std::string> encoded;
  std::vector<std::string> headers;
};

const SampleRecords& samples() {
  static const SampleRecords made;
  return made;
}

void count_records(benchmark::State& state, std::size_t each_iteration) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * each_iteration));
}

void encode_record(benchmark::State& state) {
  const SampleRecords& sample = samples();
  std::string to;
  for (auto _ : state) {
    to.clear();
    for (std::size_t i = 0; i < kCommitEvents; ++i) {
      const RecordDraft& draft = sample.drafts[i];
      benchmark::DoNotOptimize(append_record(to, header_of(draft, i), draft.seed, draft.body()));
    }
  }
  count_records(state, kCommitEvents);
}
BENCHMARK(encode_record);

void decode_record(benchmark::State& state) {
  const SampleRecords& sample = samples();
  Record record;
  for (auto _ : state) {
    for (const std::string& bytes : sample.encoded) {
      const std::span<char> room = record.prepare(bytes.size());
      std::memcpy(room.data(), bytes.data(), bytes.size());
      if (!record.decode()) die("a sample record does not decode");
    }
  }
  count_records(state, kCommitEvents);
}
BENCHMARK(decode_record);

/// What hashing alone costs: the body digest and the leaf of each record of a commit, on one core.
void hash_100_records(benchmark::State& state) {
  const SampleRecords& sample = samples();
  for (auto _ : state) {
    for (std::size_t i = 0; i < kCommitEvents; ++i) {
      const RecordDraft& draft = sample.drafts[i];
      benchmark::DoNotOptimize(leaf_hash(sample.headers[i], body_digest(draft.seed, draft.body())));
    }
  }
  count_records(state, kCommitEvents);
}
BENCHMARK(hash_100_records)->UseRealTime();

/// Commits of 100 events through Store::append(), several in flight, each durable. What the proposer does (ids, seeds,
/// body digests) is measured too; the proposals themselves are used again, so that making test data is not.
void commit_100_events(benchmark::State& state) {
  const ScratchFolder folder;
  const std::unique_ptr<Store> store = open_store(folder.path());
  bench::DecisionQueue returned;
  std::deque<Proposal> idle;
  for (std::size_t i = 0; i < kCommitsInFlight; ++i) {
    idle.push_back(make_proposal(i * kCommitEvents, kCommitEvents, 10'000));
  }
  std::size_t in_flight = 0;
  const auto take_one = [&] {
    Decision decision = returned.take();
    --in_flight;
    const AppendOutcome outcome = store->finish(decision);
    if (outcome.kind != AppendOutcome::Kind::Stored) die("a commit was not stored: " + outcome.detail);
    idle.push_back(std::move(decision.proposal));
  };
  for (auto _ : state) {
    if (idle.empty()) take_one();
    Proposal proposal = std::move(idle.front());
    idle.pop_front();
    for (RecordDraft& draft : proposal.events) {
      draft.event_id = make_uuid_v7(system_clock());
      draft.seal();
    }
    ++in_flight;
    store->append(std::move(proposal), [&returned](Decision decision) { returned.put(std::move(decision)); });
  }
  while (in_flight != 0) take_one();
  count_records(state, kCommitEvents);
  state.counters["groups"] = static_cast<double>(store->health().groups);
  if (!store->close()) die("the store does not close");
}
BENCHMARK(commit_100_events)->UseRealTime()->Unit(benchmark::kMicrosecond)->MinTime(2.0);

class StoredEvents {
 public:
  StoredEvents() : store_(open_store(folder_.path())) {
    for (std::size_t first = 0; first < kStoredAggregates * kStoredEventsEach; first += 1000) {
      Proposal proposal = make_proposal(first, 1000, kStoredAggregates);
      for (const RecordDraft& draft : proposal.events) event_ids_.push_back(draft.event_id);
      if (store_->append_and_wait(std::move(proposal)).kind != AppendOutcome::Kind::Stored) die("append failed");
    }
    view_ = store_->view();
  }
  [[nodiscard]] const Store& store() const { return *store_; }
  [[nodiscard]] const ReadView& view() const { return *view_; }
  [[nodiscard]] const std::vector<Uuid>& event_ids() const { return event_ids_; }

 private:
  ScratchFolder folder_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<const ReadView> view_;
  std::vector<Uuid> event_ids_;
};

std::unique_ptr<StoredEvents>& stored_slot() {
  static std::unique_ptr<StoredEvents> slot;
  return slot;
}

const StoredEvents& stored() {
  if (!stored_slot()) stored_slot() = std::make_unique<StoredEvents>();
  return *stored_slot();
}

/// Steps that visit everything in a scattered order: large, and prime to the numbers of things visited here.
constexpr std::size_t kStride = 1'000'003;

void find_event(benchmark::State& state) {
  const StoredEvents& events = stored();
  std::size_t at = 0;
  for (auto _ : state) {
    at = (at + kStride) % events.event_ids().size();
    if (!events.view().find_event(events.event_ids()[at])) die("a stored event is not found");
  }
  count_records(state, 1);
}
BENCHMARK(find_event);

void find_unknown_event(benchmark::State& state) {
  const StoredEvents& events = stored();
  std::vector<Uuid> unknown;
  for (int i = 0; i < 4096; ++i) unknown.push_back(make_uuid_v7(system_clock()));
  std::size_t at = 0;
  for (auto _ : state) {
    const auto found = events.view().find_event(unknown[++at % unknown.size()]);
    if (!found || *found) die("an unknown event is found");
  }
  count_records(state, 1);
}
BENCHMARK(find_unknown_event);

void find_aggregate(benchmark::State& state) {
  const StoredEvents& events = stored();
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < kStoredAggregates; ++i) ids.push_back("mission-" + std::to_string(1'000'000 + i));
  std::size_t at = 0;
  for (auto _ : state) {
    at = (at + kStride) % ids.size();
    if (!events.view().aggregate(ids[at])) die("a stored aggregate is not found");
  }
  count_records(state, 1);
}
BENCHMARK(find_aggregate);

/// What an append looks up first: where waiting for the disk is allowed, and where it is not.
void find_aggregate_type(benchmark::State& state) {
  const auto wait = state.range(0) == 0 ? DiskWait::Allowed : DiskWait::Never;
  const StoredEvents& events = stored();
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < kStoredAggregates; ++i) ids.push_back("mission-" + std::to_string(1'000'000 + i));
  std::size_t at = 0;
  for (auto _ : state) {
    at = (at + kStride) % ids.size();
    const auto found = events.store().aggregate_type(ids[at], wait);
    if (!found || !*found) die("a stored aggregate is not found");
  }
  count_records(state, 1);
}
BENCHMARK(find_aggregate_type)->ArgName("never_wait")->Arg(0)->Arg(1);

void read_page(benchmark::State& state, const EventQuery& query, std::size_t expected) {
  const ReadView& view = stored().view();
  Record record;
  for (auto _ : state) {
    auto stream = view.query(query);
    if (!stream) die(stream.error().describe());
    std::size_t read = 0;
    while (read < kPageEvents) {
      const Result<bool> more = stream.value()->next(record);
      if (!more) die(more.error().describe());
      if (!more.value()) break;
      ++read;
    }
    if (read != expected) die("a page has " + std::to_string(read) + " events");
  }
  count_records(state, expected);
}

void page_by_aggregate(benchmark::State& state) {
  EventQuery query;
  query.aggregate_id = "mission-1000123";
  read_page(state, query, kPageEvents);
}
BENCHMARK(page_by_aggregate);

void page_by_aggregate_type(benchmark::State& state) {
  EventQuery query;
  query.aggregate_type = "Mission";
  query.after = Position{50'000};
  read_page(state, query, kPageEvents);
}
BENCHMARK(page_by_aggregate_type);

void page_by_rare_event_type(benchmark::State& state) {
  EventQuery query;
  query.event_types = {"MissionAborted"};
  read_page(state, query, kPageEvents);
}
BENCHMARK(page_by_rare_event_type);

void page_by_user_newest_first(benchmark::State& state) {
  EventQuery query;
  query.user_id = user_id(17);
  query.direction = Direction::Descending;
  read_page(state, query, kPageEvents);
}
BENCHMARK(page_by_user_newest_first);

/// What an event changes: ten members in 300 bytes. With `number`, other values.
std::string make_patch(std::size_t number) {
  return R"({"name":"Apollo )" + std::to_string(number % 90 + 10) + R"(","status":"waypoint-reached","step":)" +
         std::to_string(number % 90 + 10) +
         R"(,"latitude":47.36667,"longitude":8.55000,"position":{"altitude":412.5,"speed":)" +
         std::to_string(number % 90 + 10) +
         R"(.25},"crew":["ada","grace","linus"],"note":"second attempt within limits before leaving the sector of )" +
         R"(the first one","updatedBy":"5c1e0d5a-7b3f-4000-8000-000000000017","confirmed":true,"checks":12})";
}

void merge_into_small_state(benchmark::State& state) {
  std::vector<std::string> patches;
  for (std::size_t i = 0; i < kCommitEvents; ++i) patches.push_back(make_patch(i));
  api::MergeDocument document(R"({"id":"mission-1000123","created":true})");
  for (auto _ : state) {
    for (const std::string& patch : patches) document.apply(patch);
    benchmark::DoNotOptimize(document.bytes());
  }
  count_records(state, kCommitEvents);
}
BENCHMARK(merge_into_small_state);

/// Ten of 10,000 members change.
void merge_into_large_state(benchmark::State& state) {
  constexpr std::size_t kMembers = 10'000;
  const auto member = [](std::size_t number) {
    return "\"waypoint-" + std::to_string(number) + R"(":{"reached":true})";
  };
  std::string initial = "{";
  for (std::size_t i = 0; i < kMembers; ++i) initial += (i == 0 ? "" : ",") + member(i);
  api::MergeDocument document(initial + "}");
  std::vector<std::string> patches;
  for (std::size_t i = 0; i < kCommitEvents; ++i) {
    std::string patch = "{";
    for (std::size_t j = 0; j < 10; ++j) {
      patch += (j == 0 ? "" : ",") + member((i * 7919 + j * 104'729) % kMembers);
    }
    patches.push_back(patch + "}");
  }
  for (auto _ : state) {
    for (const std::string& patch : patches) document.apply(patch);
    benchmark::DoNotOptimize(document.bytes());
  }
  count_records(state, kCommitEvents);
}
BENCHMARK(merge_into_large_state);

// Handlers in JavaScript, in workers of the stele binary that was built beside this one.

net::WorkerOptions worker_options() {
  net::WorkerOptions options;
  options.program = STELE_BINARY;
  options.workers_max = 1;
  return options;
}

std::unique_ptr<api::Fold> begin_script(net::WorkerPool& pool, std::string_view source) {
  api::ScriptStart start;
  start.source = source;
  start.deadline = std::chrono::steady_clock::now() + std::chrono::minutes(10);
  auto begun = pool.begin(start);
  if (const auto* failure = std::get_if<api::FoldFailure>(&begun)) die("no fold: " + failure->message);
  return std::move(*std::get_if<std::unique_ptr<api::Fold>>(&begun));
}

/// An event whose data has 300 bytes.
std::unique_ptr<Record> script_record() {
  RecordDraft draft = make_draft(17, 1000);
  draft.data->insert(1, R"("padding":")" + std::string(300 - 12 - draft.data->size() - 1, 'x') + R"(",)");
  draft.seal();
  std::string bytes;
  const EncodedRecord place = append_record(bytes, header_of(draft, 17), draft.seed, draft.body());
  auto record = std::make_unique<Record>();
  const std::string_view encoded = std::string_view(bytes).substr(place.record_offset);
  std::memcpy(record->prepare(encoded.size()).data(), encoded.data(), encoded.size());
  if (!record->decode()) die("an event for scripts does not decode");
  return record;
}

/// A fold of 50,000 events, from its first to its state; both sides at work.
void fold_with_script(benchmark::State& state, std::string_view source) {
  constexpr std::size_t kEvents = 50'000;
  net::WorkerPool pool(worker_options());
  const auto record = script_record();
  for (auto _ : state) {
    const auto fold = begin_script(pool, source);
    for (std::size_t i = 0; i < kEvents; ++i) {
      if (const auto failure = fold->apply(*record)) die("a fold failed: " + failure->message);
    }
    const auto folded = fold->state();
    if (const auto* failure = std::get_if<api::FoldFailure>(&folded)) die("a fold failed: " + failure->message);
  }
  count_records(state, kEvents);
}

void script_counts_events(benchmark::State& state) {
  fold_with_script(state, "({$init: () => ({n: 0}), MissionWaypointReached: (s) => { s.n += 1 }})");
}
BENCHMARK(script_counts_events)->UseRealTime()->Unit(benchmark::kMillisecond);

void script_reads_data(benchmark::State& state) {
  fold_with_script(state, "({$init: () => ({n: 0}), MissionWaypointReached: (s, e) => { s.n += e.data.step }})");
}
BENCHMARK(script_reads_data)->UseRealTime()->Unit(benchmark::kMillisecond);

void script_reads_envelope(benchmark::State& state) {
  fold_with_script(state, "({$init: () => ({n: 0}), MissionWaypointReached: (s, e) => { s.n = e.sequenceNumber }})");
}
BENCHMARK(script_reads_envelope)->UseRealTime()->Unit(benchmark::kMillisecond);

/// A fold of nothing: a realm, a script, a state, and the realm's end.
void script_empty_fold(benchmark::State& state) {
  net::WorkerPool pool(worker_options());
  for (auto _ : state) {
    if (!std::holds_alternative<api::FoldState>(begin_script(pool, "({})")->state())) die("an empty fold failed");
  }
}
BENCHMARK(script_empty_fold)->UseRealTime()->Unit(benchmark::kMicrosecond);

/// From nothing to the first state.
void worker_start(benchmark::State& state) {
  for (auto _ : state) {
    net::WorkerPool pool(worker_options());
    (void)begin_script(pool, "({})");
  }
}
BENCHMARK(worker_start)->UseRealTime()->Unit(benchmark::kMillisecond);

/// A script that ends its process, and the first state of the next one.
void worker_kill_and_replace(benchmark::State& state) {
  net::WorkerPool pool(worker_options());
  const auto record = script_record();
  for (auto _ : state) {
    const auto fold = begin_script(pool, "({$any() { return 'x'.repeat(2 ** 25) }})");
    (void)fold->apply(*record);
    if (!std::holds_alternative<api::FoldFailure>(fold->state())) die("a state was not too large");
    (void)begin_script(pool, "({})");
  }
}
BENCHMARK(worker_kill_and_replace)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
  stele::open_standard_descriptors();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  stored_slot().reset();
  benchmark::Shutdown();
  return 0;
}

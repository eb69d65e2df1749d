#include "tests/golden/sample_log.h"

#include <doctest/doctest.h>

#include <numeric>

#include "engine/audit/merkle_frontier.h"
#include "engine/commit/commit_machine.h"
#include "engine/index/index_set.h"
#include "engine/index/run_writer.h"
#include "engine/log/log_folder.h"
#include "engine/log/log_writer.h"
#include "engine/log/record_extensions.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using stele::test::TempFolder;

namespace {

RecordDraft draft(const char* event_id, const char* aggregate, const char* type, std::uint8_t seed) {
  RecordDraft event;
  event.event_id = *parse_uuid(event_id);
  event.aggregate_id = aggregate;
  event.event_type = type;
  event.seed = counting_seed(seed);
  return event;
}

void close_body(RecordDraft& event) { event.body_digest = body_digest(event.seed, event.body()); }

Proposal one(RecordDraft event) {
  close_body(event);
  Proposal proposal;
  proposal.events.push_back(std::move(event));
  return proposal;
}

/// The commits of the two groups behind the genesis group.
std::vector<std::vector<Proposal>> sample_groups() {
  RecordDraft created = draft("0192f0c4-9000-7000-8000-000000000011", "mission-7", "MissionCreated", 0x10);
  created.aggregate_type = "Mission";
  created.user_id = "ada";
  created.correlation_id = "0192f0c4-9000-7000-8000-0000000000c0";
  created.data = R"({"name":"Apollo"})";

  RecordDraft burn = draft("0192f0c4-9000-7000-8000-000000000012", "mission-7", "BurnPlanned", 0x20);
  burn.given.schema_version = true;
  burn.given.correlation_id = true;
  burn.schema_version = 3;
  burn.occurred_at = Timestamp{kSampleTime.micros - 1'500'000};
  burn.expected_sequence = SequenceNumber{2};
  burn.user_id = "0192f0c4-9000-7000-8000-00000000000a";
  burn.principal = "flight-service";
  burn.correlation_id = "burn 4";
  burn.causation_id = "0192f0c4-9000-7000-8000-000000000011";
  burn.data = "[1,2.50,null]";
  burn.metadata = R"({"source":"plan"})";
  RecordDraft fuel = draft("0192f0c4-9000-7000-8000-000000000013", "tank/3", "FuelReserved", 0x30);
  fuel.correlation_id = "burn 4";
  fuel.causation_id = "order 66";
  fuel.data = "null";
  close_body(burn);
  close_body(fuel);
  Proposal list;
  list.is_list = true;
  list.events = {std::move(burn), std::move(fuel)};
  RecordDraft used = draft("0192f0c4-9000-7000-8000-000000000015", "$schema/BurnPlanned", "$schema-used", 0x50);
  used.data = R"({"version":3})";
  RecordDraft action = draft("0192f0c4-9000-7000-8000-000000000016", "$audit/append", "event.append", 0x60);
  action.kind = RecordKind::Action;
  action.outcome = ActionOutcome::Refused;
  action.retention_class = 2;
  action.principal = "flight-service";
  action.resource = "aggregate:mission-7";
  action.private_fields = R"({"remoteAddress":"192.0.2.7"})";
  action.extensions = encode_extensions({}, action.resource);
  close_body(used);
  close_body(action);
  list.attached = {std::move(used), std::move(action)};

  RecordDraft bare = draft("0192f0c4-9000-7000-8000-000000000014", "mission-7", "Noted", 0x40);

  std::vector<std::vector<Proposal>> groups(2);
  groups[0].push_back(one(std::move(created)));
  groups[1].push_back(std::move(list));
  groups[1].push_back(one(std::move(bare)));
  return groups;
}

std::string read_prefix(const std::string& path, std::uint64_t length) {
  auto file = posix_file_system().open(path, OpenMode::Read);
  REQUIRE(file);
  std::string bytes(length, '\0');
  REQUIRE((*file)->read_at(ByteOffset{0}, {bytes.data(), bytes.size()}));
  return bytes;
}

}  // namespace

Seed counting_seed(std::uint8_t first) {
  Seed seed;
  std::iota(seed.begin(), seed.end(), first);
  return seed;
}

SampleLog make_sample_log() {
  const TempFolder folder;
  const FixedClock clock;
  constexpr std::uint64_t kSegmentBytes = 64 * 1024;
  LogWriter writer(PreallocatorOptions{.file_system = &posix_file_system(),
                                       .clock = &clock,
                                       .folder = folder.path(),
                                       .store_id = kSampleStore,
                                       .segment_bytes = kSegmentBytes,
                                       .fill_bytes_per_second = 0},
                   LogEnd{}, SegmentId{1});
  CommitMachine machine(Position{0}, Timestamp{}, Position{0});
  IndexSet index({}, Position{0}, 1000);
  SampleLog sample;
  MerkleFrontier frontier;
  Group group;
  const auto write = [&] {
    REQUIRE(writer.append(group.frame, group.offsets, group.headers.front().time, group.headers.back().time));
    const LogPoint point = writer.point();
    index.insert(group.headers, RecordLocations{point.segment, point.last_group, group.offsets});
    for (const Digest& leaf : group.leaves) {
      sample.leaves.push_back(leaf);
      frontier.append(leaf);
    }
    machine.group_is_indexed();
    group.clear();
  };

  REQUIRE(writer.roll());
  machine.apply_genesis(kSampleStore, "stele", kSampleGenesisId, kSampleTime, group);
  write();
  std::int64_t stamp = kSampleTime.micros;
  for (const auto& proposals : sample_groups()) {
    for (const Proposal& proposal : proposals) {
      stamp += 1'000'000;
      std::vector<std::optional<Position>> duplicates;
      const auto resolution = resolve(proposal, index.snapshot(), machine.next());
      REQUIRE(resolution);
      const auto outcome = machine.apply(proposal, *resolution, Timestamp{stamp}, group, duplicates);
      REQUIRE(outcome.kind == AppendOutcome::Kind::Stored);
    }
    write();
    if (sample.second_group_end == 0) sample.second_group_end = writer.active_offset().value();
  }
  index.make_immutable(ReplayPoint{writer.point(), frontier.subtrees()});
  const RunFiles run_files{&posix_file_system(), folder.path(), kSampleStore, 0x0123456789abcdef};
  const auto run = write_run(run_files, *index.view()->immutable().front(), nullptr);
  REQUIRE(run);
  sample.run = read_prefix((*run)->file().path(), (*run)->file().file_bytes());
  const std::uint64_t records = writer.end().next.value();
  const std::uint64_t groups_end = writer.active_offset().value();
  REQUIRE(writer.roll());
  sample.segment = read_prefix(folder.path() + "/" + segment_name(SegmentId{1}),
                               groups_end + kFrameBytes + kFooterFixedBytes + 4 * records + kFooterTrailerBytes);
  sample.next_segment = read_prefix(folder.path() + "/" + segment_name(SegmentId{2}), kSegmentHeaderBytes);
  REQUIRE(writer.close());
  sample.root = frontier.root();
  return sample;
}

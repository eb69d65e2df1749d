// The bytes of a segment file, its frames, the state file, and the hashes of the tree.

#include <doctest/doctest.h>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/commit/genesis.h"
#include "engine/commit/proposal_codec.h"
#include "engine/log/frame.h"
#include "engine/log/log_folder.h"
#include "engine/log/state_file.h"
#include "engine/recovery/recover.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/sample_log.h"
#include "tests/support/sample_proposal.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

using namespace stele;
using stele::test::TempFolder;

namespace {

/// What the sample's records must decode to.
void check_record(const Record& record) {
  const RecordHeader& header = record.header();
  const std::uint64_t position = header.position.value();
  CAPTURE(position);
  CHECK(header.key_id == 0);
  CHECK_FALSE(record.any_redacted());
  if (header.kind != RecordKind::Action) {
    CHECK(header.retention_class == 0);
    CHECK(header.outcome == ActionOutcome::Done);
    CHECK_FALSE(header.resource);
    CHECK_FALSE(record.body().private_fields);
  }
  switch (position) {
    case 0: {
      CHECK(header.kind == RecordKind::Genesis);
      CHECK(header.time == kSampleTime);
      CHECK(header.aggregate_id == "$store");
      CHECK(header.event_type == "$genesis");
      CHECK(header.event_id == kSampleGenesisId);
      CHECK(header.sequence == SequenceNumber{1});
      const auto genesis = decode_genesis(header);
      REQUIRE(genesis);
      CHECK(genesis->store_id == kSampleStore);
      CHECK(genesis->origin == "stele");
      CHECK_FALSE(record.body().data);
      break;
    }
    case 1:
      CHECK(header.kind == RecordKind::Event);
      CHECK(header.given == GivenByClient{.aggregate_type = true});
      CHECK(to_string(header.event_id) == "0192f0c4-9000-7000-8000-000000000011");
      CHECK(header.time == Timestamp{kSampleTime.micros + 1'000'000});
      CHECK_FALSE(header.occurred_at);
      CHECK(header.sequence == SequenceNumber{1});
      CHECK(header.schema_version == 1);
      CHECK(header.commit_index == 0);
      CHECK(header.commit_count == 1);
      CHECK(header.aggregate_id == "mission-7");
      CHECK(header.aggregate_type == "Mission");
      CHECK(header.event_type == "MissionCreated");
      CHECK(header.user_id == "ada");
      CHECK_FALSE(header.principal);
      CHECK(header.correlation_id == "0192f0c4-9000-7000-8000-0000000000c0");
      CHECK_FALSE(header.causation_id);
      CHECK(header.extensions.empty());
      CHECK(record.body().data == R"({"name":"Apollo"})");
      CHECK_FALSE(record.body().metadata);
      break;
    case 2:
      CHECK(header.given == GivenByClient{.schema_version = true, .correlation_id = true});
      CHECK(header.time == Timestamp{kSampleTime.micros + 2'000'000});
      CHECK(header.occurred_at == Timestamp{kSampleTime.micros - 1'500'000});
      CHECK(header.sequence == SequenceNumber{2});
      CHECK(header.schema_version == 3);
      CHECK(header.commit_index == 0);
      CHECK(header.commit_count == 4);
      CHECK(header.aggregate_id == "mission-7");
      CHECK(header.aggregate_type == "Mission");
      CHECK(header.user_id == "0192f0c4-9000-7000-8000-00000000000a");
      CHECK(header.principal == "flight-service");
      CHECK(header.correlation_id == "burn 4");
      CHECK(header.causation_id == "0192f0c4-9000-7000-8000-000000000011");
      CHECK(record.body().data == "[1,2.50,null]");
      CHECK(record.body().metadata == R"({"source":"plan"})");
      break;
    case 3:
      CHECK(header.time == Timestamp{kSampleTime.micros + 2'000'000});
      CHECK(header.sequence == SequenceNumber{1});
      CHECK(header.commit_index == 1);
      CHECK(header.commit_count == 4);
      CHECK(header.aggregate_id == "tank/3");
      CHECK_FALSE(header.aggregate_type);
      CHECK_FALSE(header.user_id);
      CHECK(header.causation_id == "order 66");
      CHECK(record.body().data == "null");
      break;
    case 4:
      CHECK(header.kind == RecordKind::Event);
      CHECK(header.sequence == SequenceNumber{1});
      CHECK(header.commit_index == 2);
      CHECK(header.commit_count == 4);
      CHECK(header.aggregate_id == "$schema/BurnPlanned");
      CHECK(header.event_type == "$schema-used");
      CHECK(record.body().data == R"({"version":3})");
      break;
    case 5:
      CHECK(header.kind == RecordKind::Action);
      CHECK(header.sequence == SequenceNumber{1});
      CHECK(header.commit_index == 3);
      CHECK(header.commit_count == 4);
      CHECK(header.aggregate_id == "$audit/append");
      CHECK(header.event_type == "event.append");
      CHECK(header.outcome == ActionOutcome::Refused);
      CHECK(header.retention_class == 2);
      CHECK(header.resource == "aggregate:mission-7");
      CHECK(header.principal == "flight-service");
      CHECK(record.body().private_fields == R"({"remoteAddress":"192.0.2.7"})");
      break;
    case 6:
      CHECK(header.time == Timestamp{kSampleTime.micros + 3'000'000});
      CHECK(header.sequence == SequenceNumber{3});
      CHECK(header.aggregate_type == "Mission");
      CHECK(header.given == GivenByClient{});
      CHECK_FALSE(header.correlation_id);
      CHECK_FALSE(record.body().data);
      CHECK_FALSE(header.data_length);
      break;
    default:
      FAIL("more records than the sample has");
  }
}

}  // namespace

TEST_CASE("GoldenLog.WritingTheSampleLogGivesTheGoldenBytes") {
  const SampleLog sample = make_sample_log();
  check_golden("segment.seg", sample.segment);
  check_golden("next-segment-header.bin", sample.next_segment);
  check_golden("index.run", sample.run);
  std::string hashes;
  for (const Digest& leaf : sample.leaves) hashes += "leaf " + to_hex(as_bytes(leaf)) + "\n";
  hashes += "root " + to_hex(as_bytes(sample.root)) + "\n";
  check_golden("hashes.txt", hashes);
}

TEST_CASE("GoldenLog.TheGoldenSegmentsReadBackWithEveryField") {
  const TempFolder folder;
  const std::string golden = golden_bytes("segment.seg");
  tests::write_file(folder.path() + "/" + segment_name(SegmentId{1}), golden);
  tests::write_file(folder.path() + "/" + segment_name(SegmentId{2}), golden_bytes("next-segment-header.bin"));
  struct Check final : LogVisitor {
    std::string hashes;
    std::uint64_t records = 0;
    Status record(const Record& record, SegmentId, ByteOffset) override {
      check_record(record);
      hashes += "leaf " + to_hex(as_bytes(record.leaf())) + "\n";
      ++records;
      return {};
    }
    Status group(const LogPoint&, bool) override { return {}; }
  } visitor;
  const auto log = recover_log(posix_file_system(), folder.path(), {}, visitor);
  REQUIRE_MESSAGE(log, log.error().describe());
  CHECK(visitor.records == 7);
  CHECK(golden_bytes("hashes.txt").starts_with(visitor.hashes));
  CHECK(log->store_id == kSampleStore);
  CHECK(log->report.tail_case == "clean");
  REQUIRE(log->sealed.size() == 1);
  Record record;
  for (std::uint64_t i = 0; i < 7; ++i) {
    REQUIRE(log->sealed[0]->read(Position{i}, record));
    check_record(record);
  }
}

TEST_CASE("GoldenLog.SegmentHeaderGroupFrameAndFooterDecode") {
  const std::string bytes = golden_bytes("segment.seg");
  const std::string_view view = bytes;
  const auto header = decode_segment_header(view);
  REQUIRE(header);
  CHECK(header->store_id == kSampleStore);
  CHECK(header->segment == SegmentId{1});
  CHECK(header->created == kSampleTime);

  std::size_t at = kSegmentHeaderBytes;
  std::uint64_t previous_link = 0;
  std::uint64_t position = 0;
  const std::uint32_t counts[] = {1, 1, 5};
  for (std::uint64_t number = 1; number <= 3; ++number) {
    const auto frame = parse_frame_header(view.substr(at), kSampleStore, SegmentId{1});
    REQUIRE(frame);
    CHECK(frame->kind == FrameKind::Group);
    CHECK(frame->record_count == counts[number - 1]);
    CHECK(frame->group == GroupNumber{number});
    CHECK(frame->first == Position{position});
    CHECK(frame->previous_link == previous_link);
    CHECK(frame_checksum_holds(view.substr(at, frame->total_bytes())));
    previous_link = frame->link;
    position += frame->record_count;
    at += frame->total_bytes();
  }

  const auto frame = parse_frame_header(view.substr(at), kSampleStore, SegmentId{1});
  REQUIRE(frame);
  CHECK(frame->kind == FrameKind::Footer);
  CHECK(frame->record_count == 7);
  CHECK(frame->group == GroupNumber{3});
  CHECK(frame->first == Position{0});
  CHECK(frame->previous_link == previous_link);
  CHECK(frame_checksum_holds(view.substr(at, frame->total_bytes())));
  const std::string_view payload = view.substr(at + kFrameBytes, frame->payload_length);
  const auto footer = decode_footer(*frame, payload);
  REQUIRE(footer);
  CHECK(footer->first_time == kSampleTime);
  CHECK(footer->last_time == Timestamp{kSampleTime.micros + 3'000'000});
  CHECK(footer->groups_end == ByteOffset{at});
  CHECK(get_at<std::uint32_t>(payload.data() + kFooterFixedBytes) == kSegmentHeaderBytes + kFrameBytes);
  CHECK(decode_trailer(view.substr(view.size() - kFooterTrailerBytes)) == ByteOffset{at});
  CHECK(at + frame->total_bytes() + kFooterTrailerBytes == view.size());
}

TEST_CASE("GoldenFrame.AGroupFrameWithAllFieldsSetGivesTheGoldenBytes") {
  std::string bytes(kFrameBytes, '\0');
  bytes += "the payload of a frame is opaque to it";
  FrameHeader header{.kind = FrameKind::Group,
                     .record_count = 0x01020304,
                     .store_id = kSampleStore,
                     .segment = SegmentId{0x1112131415161718},
                     .group = GroupNumber{0x2122232425262728},
                     .first = Position{0x3132333435363738},
                     .previous_link = 0x4142434445464748};
  finish_frame(bytes, header);
  check_golden("group-frame.bin", bytes);
  const auto decoded = parse_frame_header(golden_bytes("group-frame.bin"), kSampleStore, SegmentId{0x1112131415161718});
  REQUIRE(decoded);
  CHECK(decoded->record_count == 0x01020304);
  CHECK(decoded->group == GroupNumber{0x2122232425262728});
  CHECK(decoded->first == Position{0x3132333435363738});
  CHECK(decoded->previous_link == 0x4142434445464748);
  CHECK(decoded->payload_length == 38);
  CHECK(decoded->link == header.link);
}

TEST_CASE("GoldenFrame.AFooterGivesTheGoldenBytes") {
  const FrameHeader header{.kind = FrameKind::Footer,
                           .record_count = 3,
                           .store_id = kSampleStore,
                           .segment = SegmentId{7},
                           .group = GroupNumber{99},
                           .first = Position{1000},
                           .previous_link = 0x0102030405060708};
  const Footer footer{
      .first_time = kSampleTime, .last_time = Timestamp{kSampleTime.micros + 1}, .groups_end = ByteOffset{0x10000}};
  check_golden("footer.bin", encode_footer(header, footer, {4168, 5000, 0xFFFFFFF0}));
  const std::string golden = golden_bytes("footer.bin");
  const std::string_view view = golden;
  const auto frame = parse_frame_header(view, kSampleStore, SegmentId{7});
  REQUIRE(frame);
  CHECK(frame->record_count == 3);
  CHECK(frame->group == GroupNumber{99});
  CHECK(frame->first == Position{1000});
  const auto decoded = decode_footer(*frame, view.substr(kFrameBytes, frame->payload_length));
  REQUIRE(decoded);
  CHECK(decoded->first_time == footer.first_time);
  CHECK(decoded->last_time == footer.last_time);
  CHECK(decoded->groups_end == footer.groups_end);
  CHECK(decode_trailer(view.substr(view.size() - kFooterTrailerBytes)) == ByteOffset{0x10000});
}

TEST_CASE("GoldenStateFile.PublishingGivesTheGoldenBytes") {
  const TempFolder folder;
  const std::string path = folder.path() + "/state";
  const DurableState state{.store_id = kSampleStore,
                           .end = Position{0x0102030405060708},
                           .segment = SegmentId{12},
                           .offset = ByteOffset{0xA1B2C3},
                           .process_id = 4321,
                           .closed_cleanly = true};
  {
    auto file = StateFile::open(posix_file_system(), path);
    REQUIRE(file);
    (*file)->publish(DurableState{});
    (*file)->publish(state);
  }
  const std::string bytes = tests::read_file(path);
  CHECK(bytes.size() == 4096);
  check_golden("state.bin", bytes);

  const std::string copy = folder.path() + "/copy";
  tests::write_file(copy, golden_bytes("state.bin"));
  const auto decoded = read_state(posix_file_system(), copy);
  REQUIRE(decoded);
  CHECK(decoded->store_id == state.store_id);
  CHECK(decoded->end == state.end);
  CHECK(decoded->segment == state.segment);
  CHECK(decoded->offset == state.offset);
  CHECK(decoded->process_id == state.process_id);
  CHECK(decoded->closed_cleanly);
}

TEST_CASE("GoldenProposal.HasTheGoldenBytes") {
  const Proposal sample = test::sample_proposal();
  check_golden("proposal.bin", encode_proposal(sample));
  const auto decoded = decode_proposal(golden_bytes("proposal.bin"));
  REQUIRE(decoded);
  CHECK(encode_proposal(*decoded) == golden_bytes("proposal.bin"));
}

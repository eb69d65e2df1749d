// format-spec.md says what the code does: its decision tables are those of engine/recovery/decision_table.cpp, its
// example is a golden file, its limits are the code's.

#include <doctest/doctest.h>

#include <array>
#include <span>
#include <sstream>

#include "engine/log/frame.h"
#include "engine/log/record.h"
#include "engine/recovery/decision_table.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/sample_log.h"

using namespace stele;

namespace {

// The letters that the specification gives to the flags, by bit.
constexpr std::string_view kSegmentLetters = "MDFVSNLE";
constexpr std::string_view kTailLetters = "SBNHWFGD";
static_assert(kSegmentLetters.size() == kSegmentFlags && kTailLetters.size() == kTailFlags);

std::string letters(std::uint32_t flags, std::string_view names) {
  std::string text;
  for (std::size_t bit = 0; bit < names.size(); ++bit) {
    if ((flags >> bit) & 1U) text += (text.empty() ? "" : " ") + std::string(1, names[bit]);
  }
  return text;
}

std::string action_of(const RecoveryCase& row) {
  switch (row.action) {
    case RecoveryAction::Read:
      return "read";
    case RecoveryAction::DecideTail:
      return "second table";
    case RecoveryAction::Continue:
      return "continue";
    case RecoveryAction::Cut:
      return "cut";
    case RecoveryAction::NextSegment:
      return "next segment";
    case RecoveryAction::Refuse:
      return std::string("refuse: ") + name_of(row.error);
  }
  return {};
}

std::string table_of(std::span<const RecoveryCase> cases, std::string_view names) {
  std::string table = "| case | with | without | action | meaning |\n|---|---|---|---|---|\n";
  for (const RecoveryCase& row : cases) {
    table += "| `" + std::string(row.name) + "` | " + letters(row.set, names) + " | " + letters(row.clear, names) +
             " | " + action_of(row) + " | " + std::string(row.meaning) + " |\n";
  }
  return table;
}

/// Bytes of the lines of the ```hex block, with the offset of the first byte of each stretch without a gap.
struct Stretch {
  std::size_t offset;
  std::string bytes;
};
std::vector<Stretch> hex_example(const std::string& document) {
  std::vector<Stretch> stretches;
  const std::size_t begin = document.find("```hex\n");
  REQUIRE(begin != std::string::npos);
  std::istringstream lines(document.substr(begin + 7, document.find("```\n", begin + 7) - begin - 7));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    REQUIRE(line.size() > 10);
    const std::size_t offset = std::stoul(line.substr(0, 8), nullptr, 16);
    if (stretches.empty() || stretches.back().offset + stretches.back().bytes.size() != offset) {
      stretches.push_back({offset, {}});
    }
    for (std::size_t at = 10; at + 1 < line.size() && line[at] != ' '; at += 3) {
      stretches.back().bytes += static_cast<char>(std::stoul(line.substr(at, 2), nullptr, 16));
      if (at + 2 >= line.size()) break;
      REQUIRE(line[at + 2] == ' ');
    }
  }
  return stretches;
}

}  // namespace

TEST_CASE("FormatSpec.HasTheDecisionTablesOfTheCode") {
  const std::string document = read_source_file("format-spec.md");
  const std::string segments = table_of(segment_cases(), kSegmentLetters);
  const std::string tail = table_of(tail_cases(), kTailLetters);
  CHECK_MESSAGE(document.find(segments) != std::string::npos, "the table of segments should read\n" << segments);
  CHECK_MESSAGE(document.find(tail) != std::string::npos, "the table of tails should read\n" << tail);
}

TEST_CASE("FormatSpec.TheExampleIsTheGoldenSegment") {
  const std::string golden = golden_bytes("segment.seg");
  const std::vector<Stretch> stretches = hex_example(read_source_file("format-spec.md"));
  REQUIRE(stretches.size() == 2);
  CHECK(stretches[0].offset == 0);
  CHECK(stretches[0].bytes.size() == 56);
  CHECK(stretches[1].offset == kSegmentHeaderBytes);
  CHECK(stretches[1].offset + stretches[1].bytes.size() == make_sample_log().second_group_end);
  for (const Stretch& stretch : stretches) {
    CHECK(to_hex(stretch.bytes) == to_hex(golden.substr(stretch.offset, stretch.bytes.size())));
  }
}

TEST_CASE("FormatSpec.StatesTheLimitsOfTheCode") {
  CHECK(kFormatVersion == 1);
  CHECK(kSegmentHeaderBytes == 4096);
  CHECK(kFrameBytes == 80);
  CHECK(kFooterFixedBytes == 24);
  CHECK(kFooterTrailerBytes == 16);
  CHECK(kGroupBytesMax == 32ULL * 1024 * 1024);
  CHECK(kHeaderBytesMax == 4096);
  CHECK(kStringBytesMax == 255);
  CHECK(kTagsMax == 16);
  CHECK(kTagBytesMax == 128);
  CHECK(kRecordFrameBytes == 16);
}

#pragma once
// A small log whose every byte is determined: fixed ids, seeds and times, four events in three commits and two groups,
// one sealed segment.

#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/ids.h"
#include "engine/base/uuid.h"
#include "engine/log/record.h"

inline const stele::Uuid kSampleStore = *stele::parse_uuid("0192f0c4-8a5e-7c31-9b1a-6f2d3e4c5b6a");
inline const stele::Uuid kSampleGenesisId = *stele::parse_uuid("0192f0c4-8a5f-7000-8000-000000000001");
/// 2026-01-02T03:04:05Z
inline constexpr stele::Timestamp kSampleTime{1'767'323'045'000'000};

/// Stands still.
class FixedClock final : public stele::Clock {
 public:
  [[nodiscard]] stele::Timestamp now() const override { return kSampleTime; }
  [[nodiscard]] std::int64_t monotonic_micros() const override { return 0; }
};

/// Bytes first, first + 1, …
[[nodiscard]] stele::Seed counting_seed(std::uint8_t first);

struct SampleLog {
  std::string segment;               ///< the sealed first segment
  std::string run;                   ///< the index over all records
  std::string next_segment;          ///< used bytes of the second: its header
  std::size_t second_group_end = 0;  ///< offset behind the genesis group and the first group of events
  std::vector<stele::Digest> leaves;
  stele::Digest root;
};

/// Writes the log with CommitMachine and LogWriter to a folder of its own and reads it back.
[[nodiscard]] SampleLog make_sample_log();

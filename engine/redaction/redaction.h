#pragma once
// What is asked of a redaction, and what it tells.

#include <chrono>
#include <cstdint>
#include <functional>

#include "engine/base/ids.h"
#include "engine/log/record.h"

namespace stele {

/// Members of the record at a position that are to go.
struct RedactionTarget {
  Position position;
  BodyMemberSet members;
};

struct RedactionProgress {
  std::uint64_t segments_done = 0;  ///< of those that hold any of the positions
};

struct RedactionCounts {
  std::uint64_t records = 0;    ///< that have lost members by this call
  std::uint64_t members = 0;    ///< of these
  std::uint64_t bytes = 0;      ///< of these
  std::uint64_t unchanged = 0;  ///< records that had none of the members any more, or never had
  std::uint64_t segments = 0;   ///< written anew
  /// No reader has a file of before any more. Otherwise another call, of nothing, waits again.
  bool readers_gone = true;
};

class RedactionGate;

struct RedactionWatch {
  /// Asked now and then on the calling thread; false ends the call. May be empty.
  std::function<bool(const RedactionProgress&)> go_on;
  /// Told on the calling thread of each segment that is done, what a call that fails later has done too. May be empty.
  std::function<void(const RedactionCounts& of_segment)> done;
  /// How long to wait for readers that still have an old file mapped.
  std::chrono::milliseconds readers_wait{10'000};
  /// None: any rules will do. Else the call ends with Closed once they are not those of `rules` any more, by which the
  /// targets were chosen, and places no file from then on. Must outlive the call.
  RedactionGate* gate = nullptr;
  std::uint64_t rules = 0;
};

}  // namespace stele

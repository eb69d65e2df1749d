#pragma once
// That records stand in the log, shown to whoever trusts a signed checkpoint: for the subjects that show events.

#include <chrono>
#include <string>
#include <variant>

#include "api/endpoint/position_waiters.h"
#include "api/http/problem.h"
#include "engine/log/record.h"

namespace stele::api {

/// Thread-safe.
class EventProofs {
 public:
  virtual ~EventProofs() = default;
  /// As PositionWaiters::wait(): until a checkpoint covers the position.
  [[nodiscard]] virtual bool wait_covered(Position position, std::chrono::milliseconds at_most,
                                          PositionWaiters::Callback callback) = 0;
  /// A JSON object with everything that proves a durable record: to be checked without the server. A refusal: no
  /// checkpoint covers it yet, or the tree is being rebuilt. May wait for the disk.
  [[nodiscard]] virtual std::variant<std::string, Problem> proof_json(const Record& record) = 0;
};

}  // namespace stele::api

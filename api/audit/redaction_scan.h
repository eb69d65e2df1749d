#pragma once
// Which records a redaction is about, and what of them is still there.

#include <functional>
#include <optional>
#include <vector>

#include "api/audit/redaction_event.h"
#include "engine/redaction/redaction.h"
#include "engine/store/store.h"

namespace stele::api {

/// Goes through them once, a view a batch. One thread. What clients have stored as states of the aggregate
/// (`$snapshot/<aggregateId>`) is among them, since it may be made of what is to be gone, unless it ends before the one
/// event that the redaction is about.
class RedactionScan {
 public:
  RedactionScan(const Store& store, const RedactionOrder& order);

  struct Found {
    std::uint64_t events = 0, client_states = 0, members = 0, bytes = 0;  ///< that are still there
    std::uint64_t unchanged = 0;                                          ///< records that have none of it any more
  };
  /// The next ones that still have something to lose, in ascending order; `seen` gets the positions of all that were
  /// looked at. Empty: there are no more. `gone` ends it with Closed.
  [[nodiscard]] Result<std::vector<RedactionTarget>> next(Found& found, std::vector<Position>& seen,
                                                          const std::function<bool()>& gone);

 private:
  [[nodiscard]] Status read_record(Position position, Found& found, std::vector<RedactionTarget>& to,
                                   std::vector<Position>& seen);
  [[nodiscard]] Status read_aggregate(Found& found, std::vector<RedactionTarget>& to, std::vector<Position>& seen,
                                      const std::function<bool()>& gone);
  void take(const Record& record, BodyMemberSet members, bool is_state, Found& found, std::vector<RedactionTarget>& to);

  const Store& store_;
  const RedactionOrder& order_;
  const std::string states_;  ///< the aggregate of clients' states
  enum class Stage { Record, Aggregate, States, Done } stage_;
  std::optional<Position> after_;
};

}  // namespace stele::api

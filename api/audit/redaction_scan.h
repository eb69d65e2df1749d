#pragma once
// Which records a redaction is about, and what of them is still there.

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/audit/kept_records.h"
#include "api/audit/redaction_event.h"
#include "engine/redaction/redaction.h"
#include "engine/store/store.h"

namespace stele::api {

/// Goes through them once, a view a batch. One thread. What clients have stored as states of the aggregate
/// (`$snapshot/<aggregateId>`) is among them, since it may be made of what is to be gone, unless it ends before the one
/// event that the redaction is about.
class RedactionScan {
 public:
  static constexpr std::size_t kHoldNamesMax = 8;

  /// `order` must outlive it. What is kept is passed over.
  RedactionScan(const Store& store, const RedactionOrder& order, KeptRecords kept);

  struct Found {
    std::uint64_t events = 0, client_states = 0, members = 0, bytes = 0;  ///< that are still there
    std::uint64_t unchanged = 0;                                          ///< records that have none of it any more
    std::uint64_t held = 0, retained = 0;                                 ///< that have, and are kept
    std::optional<Position> first_kept;                                   ///< of these, in ascending order
    std::optional<Timestamp> retained_until;                              ///< of those, at the latest
    std::set<std::string> holds;                                          ///< up to kHoldNamesMax that keep any
    [[nodiscard]] std::uint64_t records() const { return events + client_states + unchanged + held + retained; }
    [[nodiscard]] bool any_kept() const { return held + retained > 0; }
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
  void leave(const RecordHeader& header, Kept kept, Found& found);
  void take(const Record& record, BodyMemberSet members, bool is_state, Found& found, std::vector<RedactionTarget>& to);

  const Store& store_;
  const RedactionOrder& order_;
  const KeptRecords kept_;
  const std::string states_;  ///< the aggregate of clients' states
  enum class Stage { Record, Aggregate, States, Done } stage_;
  std::optional<Position> after_;
};

}  // namespace stele::api

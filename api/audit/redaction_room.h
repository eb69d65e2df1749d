#pragma once
// Redactions: asked for, done one after another in the background, finished after a restart.
//
// One is complete when nothing that the server keeps holds what was to go: the log, states that were folded from it, in
// files, in memory, in Redis and in processes that run handlers, states that clients had stored, answers of receivers.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "api/access/principal.h"
#include "api/audit/kept_records.h"
#include "api/audit/redaction_event.h"
#include "api/audit/redaction_scan.h"
#include "api/http/problem.h"
#include "api/records/redaction_notes.h"
#include "engine/base/clock.h"
#include "engine/redaction/redaction.h"
#include "engine/redaction/redaction_gate.h"
#include "engine/store/store.h"

namespace stele::api {

enum class RedactionState : std::uint8_t {
  Pending,    ///< others come first
  Rewriting,  ///< segments are being written anew
  Waiting,    ///< somebody still holds what was to go, or something keeps it from being done; tried again and again
  Completed,
};
/// `pending`, `rewriting`, `waiting`, `completed`. Static storage.
[[nodiscard]] std::string_view name_of(RedactionState state);

/// What else has to let go, told by whoever knows the other subjects. All may block.
struct RedactionReach {
  /// Made anew for each redaction: what cannot let go yet of states of the aggregate, in words. Called until that is
  /// nothing.
  using ForgetStates = std::function<std::vector<std::string>()>;
  std::function<ForgetStates(const RedactionOrder& order, Timestamp requested)> forget_states;
  /// Of these events, ascending.
  std::function<void(std::span<const Position>)> forget_answers;
  /// Ids of subscriptions that may have delivered events of the aggregate.
  std::function<std::vector<std::string>(const RedactionOrder& order)> delivered_by;
  /// Until when Redis may have states of before, at the latest; none: there is no Redis.
  std::function<std::optional<Timestamp>(Timestamp requested)> redis_until;
  /// What of it is kept by the rules of now.
  std::function<KeptRecords(const RedactionOrder& order)> kept;
};

struct RedactionStatus {
  RedactionOrder order;
  RedactionState state = RedactionState::Pending;
  Position position;  ///< of the event that asked for it
  Timestamp requested;
  std::string requested_by;  ///< empty: authentication was off
  std::optional<Timestamp> completed{};
  RedactionOutcome outcome;
  std::vector<std::string> waiting_for{};
  std::optional<Timestamp> redis_until{};
};

/// Thread-safe. What it is made of must outlive it.
class RedactionRoom {
 public:
  /// Reads what there is, and goes on with what is not complete. Throws if it cannot be read. Rules change through
  /// `gate`.
  RedactionRoom(Store& store, RedactionNotes& notes, RedactionGate& gate, const Clock& clock, RedactionReach reach);
  ~RedactionRoom();
  RedactionRoom(const RedactionRoom&) = delete;

  /// Asks for one; durable on return. The order's id is given here. Busy if there are too many already. May block.
  [[nodiscard]] std::variant<RedactionStatus, Problem> request(RedactionOrder order, const Caller& caller,
                                                               const std::string& correlation);
  /// None: there is none of this id. May wait for the disk.
  [[nodiscard]] Result<std::optional<RedactionStatus>> status(const std::string& id) const;
  /// How far the actions of a class (`$audit/<class>`) have lost their bodies because their time was over, by what is
  /// complete.
  struct Swept {
    std::optional<Position> through;
    std::optional<Position> first_kept;  ///< of those before that were left
    bool retained = false;               ///< some of these by the time of their class, which passes
  };
  [[nodiscard]] Swept swept(const std::string& aggregate_id) const;
  /// Whether one of all the aggregate's records is not complete.
  [[nodiscard]] bool is_under_way(std::string_view aggregate_id) const;
  /// Bodies of actions that were removed because their time was over, since the start.
  [[nodiscard]] std::uint64_t actions_removed() const;

  [[nodiscard]] KeptRecords kept(const RedactionOrder& order) const { return reach_.kept(order); }
  /// Those that wait because something is kept look again.
  void rules_changed();
  /// How many are not complete.
  [[nodiscard]] std::size_t unfinished() const;

  /// Nothing more is done; it goes on after a restart. Idempotent.
  void begin_shutdown();

 private:
  struct Work {
    RedactionStatus status;
    bool rewritten = false;
    std::uint64_t rules = 0;           ///< by which it was rewritten
    std::vector<std::string> kept_by;  ///< of what was left then, in words
    bool rests = false;                ///< there is nothing else that it waits for
    RedactionReach::ForgetStates forget_states;
    std::chrono::steady_clock::time_point not_before{};
    std::chrono::milliseconds pause{250};
  };
  using WorkPtr = std::shared_ptr<Work>;

  void load();
  void end();
  void begin(RedactionStatus status);  // with mutex_
  void run();
  /// Goes on with one; true once it is complete.
  [[nodiscard]] bool go_on(Work& work);
  [[nodiscard]] std::string rewrite(Work& work, RedactionScan::Found& found);
  [[nodiscard]] std::string rewrite_by(std::uint64_t rules, Work& work, RedactionScan::Found& found);
  void count(Work& work, const RedactionCounts& counts, bool are_states);
  [[nodiscard]] bool is_stopping() const;
  void look_around(RedactionStatus& status) const;
  void note_swept(const RedactionOrder& order, const RedactionOutcome& outcome);  // with mutex_
  void tell(Work& work, RedactionState state, std::vector<std::string> waiting_for);

  Store& store_;
  RedactionNotes& notes_;
  RedactionGate& gate_;
  const Clock& clock_;
  const RedactionReach reach_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, WorkPtr, std::less<>> unfinished_;
  std::map<std::string, Swept, std::less<>> swept_;
  std::uint64_t actions_removed_ = 0;
  bool stopping_ = false;
  std::thread thread_;  ///< from when there is work; assigned under the mutex
};

}  // namespace stele::api

#pragma once
// One version of a schema on its way: what was stored before it is held against it, then it is registered or dropped.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/http/problem.h"
#include "api/schemas/schema_history.h"
#include "api/schemas/schema_registry.h"
#include "engine/base/clock.h"
#include "engine/store/store.h"

namespace stele::api {

/// Its event is in the log already, so events behind that satisfy it, and all that there is to do comes from there: a
/// server that restarts begins anew. One thread at a time.
class CandidateCheck {
 public:
  // Why it was dropped.
  static constexpr std::string_view kRefused = "refused";      ///< stored events do not satisfy it
  static constexpr std::string_view kCancelled = "cancelled";  ///< by a request
  static constexpr std::string_view kAbandoned = "abandoned";  ///< the client of the registration has left
  /// Stored bytes could not be read, upcasters not be run, or the registration not be written.
  static constexpr std::string_view kFailed = "failed";

  /// `position` is that of the candidate's event. All of them must outlive it.
  CandidateCheck(Store& store, SchemaRegistry& registry, const Clock& clock, std::string event_type, Position position)
      : store_(store), registry_(registry), clock_(clock), event_type_(std::move(event_type)), position_(position) {}

  enum class Step : std::uint8_t {
    More,   ///< at once
    Later,  ///< what it needs is not to be had now
    Ended,  ///< the log says how, and the registry knows
  };
  /// Does some tenths of a second of work; less if it is `abandoned` (may be empty). May wait for the disk.
  [[nodiscard]] Step step(const std::function<bool()>& abandoned);
  /// The next step drops it.
  void drop(std::string_view reason) { reason_ = reason; }

  [[nodiscard]] Position position() const { return position_; }
  /// Once it has ended: whether this has registered it.
  [[nodiscard]] bool is_registered() const { return is_registered_; }
  /// Why this has dropped it, or is about to; empty if not.
  [[nodiscard]] std::string_view reason() const { return reason_; }
  /// What was found so far; null if nothing was looked at.
  [[nodiscard]] const SchemaHistory* history() const { return history_ ? &*history_ : nullptr; }
  /// After Later: why nothing could be stored, if that was it.
  [[nodiscard]] const std::optional<Problem>& refusal() const { return refusal_; }

 private:
  static constexpr int kTimesBusyMax = 60;  ///< half a minute and more, on the thread of SchemaCandidates

  /// Reads the event. False if that is not possible.
  [[nodiscard]] bool begin(const EventTypeSchemas& type);
  [[nodiscard]] Step store(const RegisteredSchemas& all, const EventTypeSchemas& type);

  Store& store_;
  SchemaRegistry& registry_;
  const Clock& clock_;
  const std::string event_type_;
  const Position position_;
  std::optional<SchemaHistory> history_;
  std::string text_;  ///< of the schema
  std::string principal_;
  std::string correlation_;
  bool is_whole_ = false;  ///< all was looked at
  int times_busy_ = 0;     ///< that upcasters could not be run, without going any further
  std::string_view reason_;
  bool is_registered_ = false;
  std::optional<Problem> refusal_;
};

}  // namespace stele::api

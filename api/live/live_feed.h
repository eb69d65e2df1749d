#pragma once
// One live stream, whatever is spoken on its connection: what is to be said next, how far its reader has got, and
// whether it may go on.

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/access/principal.h"
#include "api/endpoint/call.h"
#include "api/endpoint/stream_record.h"
#include "api/http/http.h"
#include "api/live/live_room.h"
#include "api/records/redaction_notes.h"
#include "api/records/shown_versions.h"
#include "engine/index/query.h"
#include "engine/live/event_follower.h"

namespace stele::api {

/// An event as it is said on a stream.
struct LiveEvent {
  std::shared_ptr<const Record> record;
  std::optional<Upcast> upcast{};  ///< none: it is shown as it is stored

  void append_json(std::string& to, const EventNotes* notes) const;
};

/// Made on the I/O thread while the call is not answered; one thread at a time. Must not outlive the call's request.
class LiveFeed {
 public:
  LiveFeed(LiveRoom& room, const Call& call, EventQuery query, SchemaVersionChoice version, LiveRoom::Place place);
  LiveFeed(const LiveFeed&) = delete;

  /// Once, before the rest.
  void begin(std::shared_ptr<Waker> waker);

  enum class Step {
    Event,     ///< `to` is the next one
    CaughtUp,  ///< for the first time everything that there was is given out
    Wait,      ///< nothing for now; the waker tells when there is
    Paused,    ///< it has searched long and found nothing: ask again
    TooSlow,   ///< the reader takes less than what comes, and has got all that was kept for it
    Over,      ///< the server ends
  };
  /// Errors as of EventFollower::next().
  [[nodiscard]] Result<Step> next(LiveEvent& to);
  [[nodiscard]] bool may_block() const { return !held_.empty() || follower_->may_block(); }
  /// A reader that says itself how much it takes is not too slow: it goes on from the log.
  void read_at_leisure() { at_leisure_ = true; }

  /// The position up to which everything was given out, if the reader does not know it from the last event or the last
  /// checkpoint; it does then.
  [[nodiscard]] std::optional<Position> take_checkpoint();
  /// Where the reader has got to, for whoever asks.
  [[nodiscard]] Position position() const;

  /// For showing events.
  [[nodiscard]] const EventNotes* notes() const { return room_.options.notes; }

  /// False once the credentials that it began with are not good any more. Asks now and then only.
  [[nodiscard]] bool has_credentials();

 private:
  [[nodiscard]] Step give(LiveEvent& to, LiveEvent event);
  /// Whether to show it takes more than an I/O thread has time for.
  [[nodiscard]] bool must_wait(const Record& record, const ShownVersions& versions) const;
  /// What is held, and some of what follows it, is ready then. An error leaves it held.
  [[nodiscard]] Status make_ready();
  [[nodiscard]] bool is_too_slow() const;

  LiveRoom& room_;
  const Request& asker_;
  EventQuery query_;
  const LiveRoom::Place place_;
  // What the request has lent does not live as long as it.
  const std::string authorization_;
  const std::string address_;
  const Permission needed_;
  const std::shared_ptr<const Principal> principal_;
  StreamRecord record_;

  std::chrono::steady_clock::time_point credentials_until_;
  bool at_leisure_ = false;
  bool caught_up_ = false;
  std::optional<Position> told_;
  std::unique_ptr<EventFollower> follower_;
  const SchemaVersionChoice version_;
  /// The next ones. They may have been redacted since they were read, so that they have to be read again, or a script
  /// or much work has to upcast them: the next call may wait for that.
  std::vector<std::shared_ptr<const Record>> held_;
  struct ReadyEvent {
    LiveEvent event;
    RedactionNotes::Standing standing{};  ///< of its aggregate, before it was read
  };
  [[nodiscard]] bool is_current(const ReadyEvent& ready) const;
  std::deque<ReadyEvent> ready_;  ///< the next ones; none is held then
};

}  // namespace stele::api

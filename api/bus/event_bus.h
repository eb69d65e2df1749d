#pragma once
// Publishes every committed event on a bus, in commit order and at most once: what the bus does not take at once is not
// published later, but counted. Whoever must miss nothing reads the log.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "api/bus/bus.h"
#include "api/endpoint/subject_report.h"
#include "engine/live/event_hub.h"
#include "engine/store/store.h"

namespace stele::api {

struct EventNotes;

/// An event's channel is this and its type, as it is shown.
inline constexpr std::string_view kEventChannelPrefix = "stele.events.";

/// A thread of its own follows the log, so that no append waits for it. Events that were committed before it was made
/// are not published. What it is made of must outlive it.
class EventBus {
 public:
  /// `notes`: or null.
  EventBus(Store& store, EventHub& hub, Bus& bus, const EventNotes* notes = nullptr);
  EventBus(const EventBus&) = delete;
  /// Publishes what is committed already, for a second at most.
  ~EventBus();

  /// Metrics, and the member `redis` of /readyz.
  [[nodiscard]] SubjectReport report() const;

 private:
  void run();
  /// Until the head, or the end of its time.
  void publish_all();
  void publish(const Record& record);
  [[nodiscard]] bool stopping();

  Store& store_;
  Bus& bus_;
  const EventNotes* const notes_;
  std::string message_;  // of the thread
  std::string channel_;
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<bool> cannot_read_{false};

  std::mutex mutex_;
  std::condition_variable woken_;
  bool has_news_ = false;
  bool stop_ = false;

  const std::unique_ptr<EventFollower> follower_;
  std::thread thread_;  ///< last: it uses all of the above
};

}  // namespace stele::api

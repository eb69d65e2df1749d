#include "api/bus/event_bus.h"

#include <chrono>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "api/http/problem.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "api/records/current_record.h"
#include "api/records/event_json.h"
#include "api/records/event_notes.h"
#include "api/records/shown_versions.h"

namespace stele::api {

namespace {

constexpr std::chrono::milliseconds kReadAgain{1'000};
constexpr std::chrono::milliseconds kLastWords{1'000};
/// One large event shall not hold its memory for ever.
constexpr std::size_t kMessageBytesKept = 64U << 10;

EventQuery from_now_on(const Store& store) {
  EventQuery query;
  // The log begins with a record of its own, so that there is a last position.
  query.after = Position{store.durable_end().value() - 1};
  return query;
}

}  // namespace

EventBus::EventBus(Store& store, EventHub& hub, Bus& bus, const EventNotes* notes)
    : store_(store),
      bus_(bus),
      notes_(notes),
      follower_(hub.follow(from_now_on(store),
                           [this] {
                             const std::lock_guard lock(mutex_);
                             has_news_ = true;
                             woken_.notify_one();
                           })),
      thread_([this] { run(); }) {}

EventBus::~EventBus() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  woken_.notify_one();
  thread_.join();
}

void EventBus::run() {
  while (!stopping()) {
    publish_all();
    std::unique_lock lock(mutex_);
    if (cannot_read_) {
      woken_.wait_for(lock, kReadAgain, [this] { return stop_; });
    } else {
      woken_.wait(lock, [this] { return has_news_ || stop_; });
    }
    has_news_ = false;
  }
  publish_all();
}

void EventBus::publish_all() {
  std::optional<std::chrono::steady_clock::time_point> until;
  for (std::shared_ptr<const Record> record;;) {
    if (!until && stopping()) until = std::chrono::steady_clock::now() + kLastWords;
    if (until && std::chrono::steady_clock::now() > *until) return;
    try {
      const auto step = follower_->next(record, nullptr);
      cannot_read_ = !step;
      if (!step || *step == EventFollower::Step::AtHead || *step == EventFollower::Step::Over) return;
      if (*step != EventFollower::Step::Event) continue;
      if (may_be_outdated(*record, notes_)) {
        const auto current = read_again(store_, *record);
        if (!current) {
          refused_.fetch_add(1, std::memory_order_relaxed);
          continue;
        }
        record = *current;
      }
      publish(*record);
    } catch (const std::bad_alloc&) {
      // As if it could not be read: what was not given out comes again.
      cannot_read_ = true;
      return;
    }
  }
}

void EventBus::publish(const Record& record) {
  bool taken = false;
  try {
    if (bus_.connected()) {
      channel_.assign(kEventChannelPrefix).append(shown_event_type(notes_, record.header().event_type));
      message_.clear();
      const Record* const one = &record;
      const bool was_outdated = may_be_outdated(record, notes_);
      UpcastTerms terms;
      terms.abandoned = [this] { return stopping(); };
      const std::vector<Upcast> upcasts = upcast_events({&one, 1}, shown_versions(notes_), terms);
      append_event_json(message_, record, DataForm::Minified, notes_, upcasts.empty() ? nullptr : &upcasts[0]);
      // A script may have taken seconds, in which the event was redacted: then it is not given out.
      taken = may_be_outdated(record, notes_) == was_outdated && bus_.publish(channel_, message_);
      if (message_.capacity() > kMessageBytesKept) std::string().swap(message_);
    }
  } catch (const std::bad_alloc&) {
    taken = false;
  }
  if (!taken) refused_.fetch_add(1, std::memory_order_relaxed);
}

bool EventBus::stopping() {
  const std::lock_guard lock(mutex_);
  return stop_;
}

SubjectReport EventBus::report() const {
  using Kind = SubjectMetric::Kind;
  const BusHealth health = bus_.health();
  const std::uint64_t lost = health.lost + refused_.load(std::memory_order_relaxed);
  SubjectReport report;
  const auto add = [&](Kind kind, const char* name, const char* help, std::uint64_t value) {
    report.metrics.push_back({kind, name, help, {}, {{"", value}}});
  };
  add(Kind::Gauge, "stele_redis_connected", "1 while the event bus is connected to Redis.", health.connected ? 1 : 0);
  add(Kind::Counter, "stele_redis_connects_total", "Connections of the event bus to Redis.", health.connects);
  add(Kind::Counter, "stele_bus_published_events_total", "Events published on the event bus.", health.published);
  add(Kind::Counter, "stele_bus_lost_events_total",
      "Events that were not published, for Redis was away or too slow, or that nobody knows to be.", lost);
  add(Kind::Gauge, "stele_bus_waiting_events", "Events on their way to Redis.", health.waiting);

  std::string text;
  JsonWriter json(text);
  json.begin_object();
  json.key("state").string(health.connected ? "connected" : "away");
  json.key("since").string(format_timestamp(health.since));
  if (!health.last_error.empty()) json.key("lastError").string(printable(health.last_error));
  json.key("publishedEvents").number(health.published);
  json.key("lostEvents").number(lost);
  json.end_object();
  report.members.emplace_back("redis", std::move(text));
  if (!health.connected) report.warnings.emplace_back("Redis is away: events are not published on the event bus");
  if (cannot_read_) report.warnings.emplace_back("the event bus cannot read the log, and tries again");
  return report;
}

}  // namespace stele::api

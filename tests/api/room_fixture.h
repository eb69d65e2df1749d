#pragma once
// Subscriptions over a store in a temp folder, without HTTP: what is sent goes to a receiver that the test is.

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/endpoint/options.h"
#include "api/subscriptions/subscription_event.h"
#include "api/subscriptions/subscription_room.h"
#include "api/subscriptions/webhook_sender.h"
#include "engine/base/uuid.h"
#include "engine/live/event_hub.h"
#include "engine/store/store.h"
#include "tests/api/support.h"
#include "tests/support/temp_folder.h"

namespace stele::api::test {

/// Keeps what is sent until the test answers it.
class TestSender final : public WebhookSender {
 public:
  struct Sent {
    WebhookRequest request;
    Done done;
    [[nodiscard]] std::string header(std::string_view wanted) const {
      for (const auto& [name, value] : request.headers) {
        if (name == wanted) return value;
      }
      return {};
    }
    [[nodiscard]] std::string id() const { return header("webhook-id"); }
    /// Sequence of `aggregate:data` of its events.
    [[nodiscard]] std::string outline() const;
    void answer(int status, std::string body = {}) {
      WebhookAnswer answer;
      answer.outcome = WebhookAnswer::Outcome::Answered;
      answer.status = status;
      answer.body = std::move(body);
      done(std::move(answer));
    }
    void fail(WebhookAnswer::Outcome outcome) {
      WebhookAnswer answer;
      answer.outcome = outcome;
      done(std::move(answer));
    }
  };

  void send(WebhookRequest request, Done done) override {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      done({});
      return;
    }
    sent_.push_back({std::move(request), std::move(done)});
    changed_.notify_all();
  }
  [[nodiscard]] std::string url_objection(std::string_view) const override { return {}; }
  [[nodiscard]] std::string tls_objection(const WebhookTls&) const override { return {}; }
  void stop() override {
    std::deque<Sent> left;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      left.swap(sent_);
    }
    for (Sent& sent : left) sent.done({});
  }
  void start() {
    const std::lock_guard lock(mutex_);
    stopped_ = false;
  }

  /// The next that was sent; fails if nothing comes.
  [[nodiscard]] Sent next() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return !sent_.empty(); }));
    Sent sent = std::move(sent_.front());
    sent_.pop_front();
    return sent;
  }
  [[nodiscard]] std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return sent_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Sent> sent_;
  bool stopped_ = false;
};

inline std::string TestSender::Sent::outline() const {
  simdjson::dom::parser parser;
  simdjson::dom::array events;
  REQUIRE(parser.parse(request.body)["events"].get(events) == simdjson::SUCCESS);
  std::string text;
  for (const auto event : events) {
    std::string_view aggregate;
    std::uint64_t sequence = 0;
    REQUIRE(event["aggregateId"].get(aggregate) == simdjson::SUCCESS);
    REQUIRE(event["sequenceNumber"].get(sequence) == simdjson::SUCCESS);
    if (!text.empty()) text += ' ';
    text.append(aggregate).append(":").append(std::to_string(sequence));
    bool replay = false;
    if (event["replay"].get(replay) == simdjson::SUCCESS && replay) text += '*';
  }
  return text;
}

class RoomFixture {
 public:
  /// `clock` (null = the system's) is what the room goes by, not the store. `notes`, or null, must outlive it, and
  /// `disk`, on which the store is then, in `/data`.
  explicit RoomFixture(const Clock* clock = nullptr, const EventNotes* notes = nullptr, FileSystem* disk = nullptr)
      : disk_(disk) {
    options_.clock = clock;
    options_.notes = notes;
    open();
  }
  ~RoomFixture() { close(); }

  void open() {
    StoreOptions store_options;
    store_options.folder = disk_ != nullptr ? "/data" : folder_.path() + "/data";
    store_options.file_system = disk_;
    if (disk_ != nullptr) store_options.scrub_bytes_per_second = 0;  // only what the test has done reads there
    store_options.segment_bytes = 4U << 20;
    auto opened = Store::open(store_options);
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store_ = std::move(*opened);
    sender.start();
    options_.webhooks = &sender;
    options_.subscriptions.secrets_folder = folder_.path() + "/keys";
    options_.subscriptions.report = [this](const std::string& line) {
      const std::lock_guard lock(told_mutex_);
      reported_ += line + '\n';
    };
    hub_ = std::make_unique<EventHub>(*store_);
    scheduler_ = std::make_unique<TestScheduler>();
    room_ = std::make_unique<SubscriptionRoom>(*store_, *hub_, *scheduler_, options_,
                                               [this](const std::string& id, bool is_open) {
                                                 const std::lock_guard lock(told_mutex_);
                                                 breaker_told_.push_back((is_open ? "open " : "closed ") + id);
                                               });
  }
  void close() { REQUIRE(give_up()); }
  /// As close(), on a disk that may be gone.
  [[nodiscard]] Status give_up() {
    room_->begin_shutdown();
    room_.reset();
    scheduler_.reset();
    hub_.reset();
    Status closed = store_->close();
    store_.reset();
    return closed;
  }
  void reopen() {
    close();
    open();
  }
  [[nodiscard]] std::string folder() const { return folder_.path(); }
  /// Of subscriptions that are made, or begun, from then on.
  [[nodiscard]] SubscriptionLimits& limits() { return options_.subscriptions.limits; }
  /// What the server's log was told.
  [[nodiscard]] std::string reported() {
    const std::lock_guard lock(told_mutex_);
    return reported_;
  }

  void append(const std::string& aggregate, const std::string& type = "T") {
    Proposal proposal;
    RecordDraft& draft = proposal.events.emplace_back();
    draft.event_id = make_uuid_v7(system_clock());
    draft.aggregate_id = aggregate;
    draft.event_type = type;
    draft.data = "{}";
    draft.seal();
    const AppendOutcome outcome = store_->append_and_wait(std::move(proposal));
    REQUIRE_MESSAGE(outcome.kind == AppendOutcome::Kind::Stored, outcome.detail);
  }
  [[nodiscard]] static SubscribeRequest webhook() {
    SubscribeRequest request;
    request.definition.kind = DeliveryKind::Webhook;
    request.definition.url = "https://receiver.example/hook";
    request.definition.initial_delay = std::chrono::milliseconds(1);
    request.definition.delay_max = std::chrono::milliseconds(1);
    return request;
  }
  [[nodiscard]] static SubscribeRequest pulled() {
    SubscribeRequest request = webhook();
    request.definition.kind = DeliveryKind::Pull;
    request.definition.url.clear();
    return request;
  }
  std::string subscribe(SubscribeRequest request) {
    auto created = room_->create(std::move(request), {});
    if (const auto* problem = std::get_if<Problem>(&created)) FAIL(problem->detail());
    return std::get<SubscriptionRoom::Created>(created).status.definition.id;
  }
  [[nodiscard]] SubscriptionStatus status(const std::string& id) {
    const auto status = room_->status(id);
    REQUIRE(status);
    return *status;
  }
  void wait_for_state(const std::string& id, SubscriptionState state) {
    wait_until([&] { return status(id).standing.state == state; });
  }
  /// Until everything up to now is done.
  void wait_done(const std::string& id) {
    const Position end = store_->durable_end();
    std::promise<SubscriptionStatus> done;
    REQUIRE(room_->wait_acked(id, Position{end.value() - 1}, std::chrono::seconds(60),
                              [&](SubscriptionStatus status) { done.set_value(std::move(status)); }));
    REQUIRE(done.get_future().get().end >= end);
  }
  [[nodiscard]] std::variant<PulledBatch, Problem> pull(const std::string& id, std::size_t limit,
                                                        std::chrono::milliseconds wait = std::chrono::seconds(60),
                                                        std::chrono::milliseconds lease = std::chrono::seconds(60)) {
    std::promise<std::variant<PulledBatch, Problem>> pulled;
    room_->pull(
        id, limit, wait, lease, [] { return false; },
        [&](std::variant<PulledBatch, Problem> batch) { pulled.set_value(std::move(batch)); });
    return pulled.get_future().get();
  }
  [[nodiscard]] PulledBatch pull_events(const std::string& id, std::size_t limit,
                                        std::chrono::milliseconds wait = std::chrono::seconds(60),
                                        std::chrono::milliseconds lease = std::chrono::seconds(60)) {
    auto pulled = pull(id, limit, wait, lease);
    if (const auto* problem = std::get_if<Problem>(&pulled)) FAIL(problem->detail());
    return std::get<PulledBatch>(std::move(pulled));
  }

  /// Has every subscription look at the clock.
  void wake() { room_->aliases_changed(); }

  /// The data of the log's events of that type, in order.
  [[nodiscard]] std::vector<std::string> logged_data(std::string_view type) {
    EventQuery query;
    query.event_types = {std::string(type)};
    query.include_system = true;
    const auto view = store_->view();
    const auto events = view->query(query);
    REQUIRE(events);
    std::vector<std::string> found;
    for (Record record;;) {
      const auto more = (*events)->next(record);
      REQUIRE(more);
      if (!*more) return found;
      found.emplace_back(record.bytes_of(BodyMember::Data).value_or(""));
    }
  }
  /// How many they are.
  [[nodiscard]] std::size_t logged(std::string_view type) { return logged_data(type).size(); }

  /// What the audit trail would be told of breakers.
  [[nodiscard]] std::vector<std::string> breaker_told() {
    const std::lock_guard lock(told_mutex_);
    return breaker_told_;
  }

  [[nodiscard]] SubscriptionRoom& room() { return *room_; }
  [[nodiscard]] Store& store() { return *store_; }

  TestSender sender;

 private:
  stele::test::TempFolder folder_;
  FileSystem* const disk_;
  ServiceOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<EventHub> hub_;
  std::mutex told_mutex_;
  std::vector<std::string> breaker_told_;
  std::string reported_;
  std::unique_ptr<TestScheduler> scheduler_;
  std::unique_ptr<SubscriptionRoom> room_;
};

/// Empty if there is no problem.
inline std::string slug_of(const std::optional<Problem>& problem) {
  return problem ? std::string(problem->kind().slug) : std::string();
}
template <class Value>
std::string slug_of(const std::variant<Value, Problem>& answer) {
  const auto* problem = std::get_if<Problem>(&answer);
  return problem == nullptr ? std::string() : std::string(problem->kind().slug);
}

}  // namespace stele::api::test

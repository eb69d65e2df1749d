// How a subscription attempts what was decided: events are read, shown in the version that is wanted, and sent or lent.

#include <algorithm>
#include <new>
#include <utility>

#include "api/http/bounded_read.h"
#include "api/records/event_notes.h"
#include "api/records/shown_versions.h"
#include "api/subscriptions/subscription.h"

namespace stele::api {

namespace {

/// The newest records are in memory, so that to read one of them waits for no disk.
constexpr std::uint64_t kRecentPositions = 4096;
/// With more, answers and what is to be decided would wait so long that in the end nothing is left under way.
constexpr std::size_t kSendsATurn = 64;
constexpr std::size_t kBatchIdBytesMax = 64;  ///< behind the id of the subscription

}  // namespace

Subscription::Next Subscription::send(Lane lane) {
  {
    const std::lock_guard lock(mutex_);
    take_mail();
  }
  // What becomes durable from here on is for another turn: nobody has looked at it.
  if (lane == Lane::Quick && needs_worker_to_send()) return Next::Slow;
  std::vector<Ready> ready;
  Next next_turn = Next::Rest;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t head = shared_.store.durable_end().value();
    while (!pending_.empty() && pending_.front().ticket != 0 && pending_.front().ticket <= durable_seen_) {
      if (ready.size() == kSendsATurn) {
        next_turn = Next::Again;
        break;
      }
      Pending& pending = pending_.front();
      const bool recent = pending.attempt.positions.front().value() + kRecentPositions >= head;
      if (lane == Lane::Quick && !recent) {
        // Those that were taken out already are sent first.
        if (ready.empty()) return Next::Slow;
        break;
      }
      Ready next;
      next.id = ++last_id_;
      next.epoch = epoch_;
      next.batch_id.reserve(definition_.id.size() + kBatchIdBytesMax);
      next.batch_id.append(definition_.id).append(1, '_');
      next.batch_id.append(std::to_string(pending.attempt.positions.front().value())).append(1, '_');
      next.batch_id.append(std::to_string(queue_->state().generation)).append(1, '_');
      next.batch_id.append(std::to_string(pending.attempt.number.value()));
      next.replay_until = definition_.replay_until;
      next.version = version_of(definition_);
      next.sink = sink_;
      if (definition_.kind != DeliveryKind::Pull) {
        under_way_.emplace(next.id, UnderWay{epoch_, pending.attempt, next.batch_id, now()});
      }
      next.attempt = std::move(pending.attempt);
      next.waiter = std::move(pending.waiter);
      ready.push_back(std::move(next));
      pending_.pop_front();
    }
  }
  if (ready.empty()) return Next::Rest;
  std::shared_ptr<const ReadView> view;
  bool upcasters_run = true;
  for (Ready& next : ready) {
    // What one had to wait for in vain, the others need not wait for as well.
    if (!upcasters_run) {
      give_back(next);
      continue;
    }
    try {
      if (!view) view = shared_.store.view();
      upcasters_run = deliver(next, *view);
    } catch (const std::bad_alloc&) {
      give_back(next);
    }
  }
  // What is left finds them no more than the others did; it is tried when those are.
  return upcasters_run ? next_turn : Next::Rest;
}

Result<std::vector<std::shared_ptr<const Record>>> Subscription::read_events(const ReadView& view,
                                                                             std::span<const Position> positions) {
  std::vector<std::shared_ptr<const Record>> records;
  records.reserve(positions.size());
  for (const Position position : positions) {
    auto record = std::make_shared<Record>();
    STELE_TRY(view.read(position, *record));
    records.push_back(std::move(record));
  }
  return records;
}

/// It was not attempted, for want of memory or of what runs scripts.
void Subscription::give_back(Ready& ready) noexcept {
  std::unique_lock lock(mutex_);
  under_way_.erase(ready.id);
  attempt_again_ = std::max(attempt_again_, after(now(), kTryAgain));
  try {
    if (ready.epoch == epoch_) queue_->abandoned(ready.attempt.number);
    if (!ready.waiter || !ready.waiter->pulled) return;
    if (!ended_) return waiters_.push_front(*std::move(ready.waiter));
    PulledBatch none;
    none.checkpoint = queue_->state().end;
    lock.unlock();
    std::exchange(ready.waiter->pulled, {})(std::move(none));
  } catch (const std::bad_alloc&) {
    if (lock.owns_lock()) restart_due_ = restart_from_journal_ = true;
  }
}

bool Subscription::needs_worker_to_send() {
  std::vector<Position> positions;
  ShownVersions versions;
  {
    const std::lock_guard lock(mutex_);
    versions = shown_versions(shared_.notes, version_of(definition_));
    if (versions.chains == nullptr) return false;
    for (const Pending& pending : pending_) {
      if (pending.ticket == 0 || pending.ticket > durable_seen_) break;
      positions.insert(positions.end(), pending.attempt.positions.begin(), pending.attempt.positions.end());
    }
  }
  const auto view = shared_.store.view();
  const std::uint64_t head = shared_.store.durable_end().value();
  Record record;
  return std::any_of(positions.begin(), positions.end(), [&](Position position) {
    // What is not recent has to be read in the slow lane anyway.
    if (position.value() + kRecentPositions < head || !view->read(position, record)) return true;
    return versions.needs_worker(record);
  });
}

std::optional<std::vector<Upcast>> Subscription::upcast(const std::vector<std::shared_ptr<const Record>>& records,
                                                        SchemaVersionChoice version) {
  const ShownVersions versions = shown_versions(shared_.notes, version);
  if (versions.chains == nullptr) return std::vector<Upcast>();
  std::vector<const Record*> shown;
  for (const auto& record : records) shown.push_back(record.get());
  const UpcastTerms terms{.abandoned =
                              [this] {
                                const std::lock_guard lock(mutex_);
                                return ended_;
                              },
                          .deadline = {}};
  auto upcasts = upcast_events(shown, versions, terms);
  // As long as each time some of them get there: a batch may take longer than there is time for one call.
  for (std::size_t before = upcasts.size();;) {
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < upcasts.size(); ++i) {
      if (upcasts[i].failure && upcasts[i].failure->passes) left.push_back(i);
    }
    if (left.empty()) return upcasts;
    if (left.size() == before || terms.abandoned()) {
      const std::lock_guard lock(mutex_);
      last_error_ = {"upcaster-unavailable", 0, upcasts[left.front()].failure->detail, now()};
      return std::nullopt;
    }
    before = left.size();
    shown.clear();
    for (const std::size_t i : left) shown.push_back(records[i].get());
    auto again = upcast_events(shown, versions, terms);
    for (std::size_t i = 0; i < left.size() && !again.empty(); ++i) upcasts[left[i]] = std::move(again[i]);
  }
}

bool Subscription::deliver(Ready& ready, const ReadView& view) {
  auto records = read_events(view, ready.attempt.positions);
  std::vector<Upcast> upcasts;
  if (records) {
    auto made = upcast(*records, ready.version);
    if (!made) {
      give_back(ready);
      return false;
    }
    upcasts = *std::move(made);
  }
  if (ready.waiter) {
    if (records) {
      lease(ready, *std::move(records), std::move(upcasts));
      return true;
    }
    {
      const std::lock_guard lock(mutex_);
      if (ready.epoch == epoch_) queue_->failed(ready.attempt.number, {.error = "log-unreadable"}, now());
    }
    std::exchange(ready.waiter->pulled, {})(read_failed());
    wake();
    return true;
  }
  auto mail = std::make_shared<Mail>(1);
  mail->front().first = ready.id;
  const auto done = [weak = weak_from_this(), mail](AttemptOutcome outcome) {
    mail->front().second = std::move(outcome);
    if (const auto self = weak.lock()) self->answered(*mail);
  };
  if (!records) {
    AttemptOutcome outcome;
    outcome.failure.error = "log-unreadable";
    outcome.detail = "An event cannot be read from the log.";
    done(std::move(outcome));
    return true;
  }
  try {
    DeliveryBatchToSend batch{std::move(ready.batch_id), {}};
    for (std::size_t i = 0; i < records->size(); ++i) {
      auto& record = (*records)[i];
      const bool is_replay = ready.replay_until && record->header().position <= *ready.replay_until;
      batch.parcels.push_back({std::move(record), is_replay, shared_.notes});
      if (!upcasts.empty()) batch.parcels.back().upcast = std::make_shared<const Upcast>(std::move(upcasts[i]));
    }
    ready.sink->attempt(std::move(batch), done);
  } catch (const std::bad_alloc&) {
    AttemptOutcome outcome;
    outcome.abandoned = true;
    done(std::move(outcome));
  }
  return true;
}

void Subscription::lease(Ready& ready, std::vector<std::shared_ptr<const Record>> records,
                         std::vector<Upcast> upcasts) {
  PulledBatch batch;
  std::vector<std::pair<Uuid, Position>> events;
  for (std::size_t i = 0; i < records.size(); ++i) {
    auto& record = records[i];
    const RecordHeader& header = record->header();
    events.emplace_back(header.event_id, header.position);
    const bool is_replay = ready.replay_until && header.position <= *ready.replay_until;
    batch.events.push_back({std::move(record), ready.attempt.attempts + 1, is_replay});
    if (!upcasts.empty()) batch.events.back().upcast = std::make_shared<const Upcast>(std::move(upcasts[i]));
  }
  const bool gone = ready.waiter->gone();
  {
    const std::lock_guard lock(mutex_);
    batch.checkpoint = queue_->state().end;
    if (ready.epoch != epoch_ || ended_) {
      batch.events.clear();
    } else if (gone) {
      batch.events.clear();
      queue_->abandoned(ready.attempt.number);
    } else {
      batch.lease_id = leases_.grant(ready.attempt.number, std::move(events), after(now(), ready.waiter->lease));
    }
  }
  std::exchange(ready.waiter->pulled, {})(std::move(batch));
  wake();
}

}  // namespace stele::api

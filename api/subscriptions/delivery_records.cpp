#include "api/subscriptions/delivery_records.h"

#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "api/json/json_writer.h"

namespace stele::api {

namespace {

constexpr std::size_t kStatusesAtOnce = 100;
constexpr std::int64_t kIntervalMicros = std::chrono::microseconds(std::chrono::hours(1)).count();

std::string details_of(const SubscriptionStatus& status, std::uint64_t delivered, std::uint64_t failures) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("delivered").number(delivered).key("failures").number(failures);
  json.key("deadLetters").number(status.dead_letters).key("heldBack").number(status.held_back);
  json.key("state").plain(name_of(status.standing.state)).key("breakerOpen").boolean(status.breaker_open);
  json.end_object();
  return text;
}

}  // namespace

DeliveryRecords::DeliveryRecords(const SubscriptionRoom& room, Record record, const Clock& clock,
                                 std::chrono::milliseconds look_interval)
    : room_(room), record_(std::move(record)) {
  thread_.start(look_interval, [this, &clock, told = clock.monotonic_micros()]() mutable {
    const std::int64_t now = clock.monotonic_micros();
    if (now - told < kIntervalMicros) return true;
    told = now;
    tell();
    return true;
  });
}

DeliveryRecords::~DeliveryRecords() {
  thread_.stop();
  tell();
}

void DeliveryRecords::tell() noexcept {
  try {
    tell_each();
  } catch (const std::exception&) {  // no memory: the next record tells it
  }
}

void DeliveryRecords::tell_each() {
  std::map<std::string, Counts, std::less<>> now;
  std::string after;
  while (true) {
    const std::vector<SubscriptionStatus> some = room_.list(after, kStatusesAtOnce);
    for (const SubscriptionStatus& status : some) {
      const std::string& id = status.definition.id;
      const auto known = told_.find(id);
      const Counts before = known == told_.end() ? Counts{} : known->second;
      now[id] = {status.delivered, status.failures};
      if (status.delivered != before.delivered || status.failures != before.failures) {
        record_(id, details_of(status, status.delivered - before.delivered, status.failures - before.failures));
      }
      after = id;
    }
    if (some.size() < kStatusesAtOnce) break;
  }
  told_ = std::move(now);
}

}  // namespace stele::api

#include "bench/event_pool.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <numeric>
#include <random>
#include <string_view>
#include <utility>

namespace stele::bench {
namespace {

struct Kind {
  std::string_view aggregate_type;
  std::string_view prefix;
  std::array<std::string_view, 5> event_types;
  std::array<std::string_view, 5> rare_event_types;
};

constexpr std::array<Kind, 4> kKinds{{
    {"Mission",
     "mission",
     {"MissionCreated", "MissionWaypointReached", "MissionStatusChanged", "MissionPlanRevised", "MissionCompleted"},
     {"MissionEscalated", "MissionDisputed", "MissionRecalled", "MissionMerged", "MissionAudited"}},
    {"Manoeuvre",
     "manoeuvre",
     {"ManoeuvrePlanned", "ManoeuvreStarted", "ManoeuvreThrustMeasured", "ManoeuvreAborted", "ManoeuvreFinished"},
     {"ManoeuvreEscalated", "ManoeuvreDisputed", "ManoeuvreRecalled", "ManoeuvreMerged", "ManoeuvreAudited"}},
    {"Sensor",
     "sensor",
     {"SensorAttached", "SensorCalibrated", "SensorReadingTaken", "SensorThresholdCrossed", "SensorDetached"},
     {"SensorEscalated", "SensorDisputed", "SensorRecalled", "SensorMerged", "SensorAudited"}},
    {"Order",
     "order",
     {"OrderPlaced", "OrderPaid", "OrderPacked", "OrderShipped", "OrderDelivered"},
     {"OrderEscalated", "OrderDisputed", "OrderRecalled", "OrderMerged", "OrderAudited"}},
}};

constexpr std::array<std::string_view, 16> kWords{"nominal",  "after",  "second", "attempt",   "within", "limits",
                                                  "operator", "asked",  "for",    "telemetry", "check",  "before",
                                                  "leaving",  "sector", "north",  "approved"};

/// Template i < kTemplates is of kind i % 4; behind them stand those of the rare event types, five a kind.
constexpr std::size_t kTemplates = 512;
constexpr std::size_t kRareTypesEach = 5;
constexpr std::size_t kRareTypes = kRareTypesEach * kKinds.size();
constexpr std::string_view kBlankUuid = "00000000-0000-0000-0000-000000000000";
constexpr std::string_view kBlankTime = "2026-01-01T00:00:00.000000Z";

constexpr std::array<std::array<char, 2>, 256> make_hex_pairs() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {digits[i >> 4], digits[i & 15]};
  return pairs;
}
constexpr auto kHexPairs = make_hex_pairs();

void write_uuid(std::uint64_t high, std::uint64_t low, char* to) {
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
    const std::uint64_t word = i < 8 ? high : low;
    const auto& pair = kHexPairs[(word >> (56 - 8 * (i & 7))) & 0xFF];
    *to++ = pair[0];
    *to++ = pair[1];
  }
}

template <std::size_t Digits>
void write_decimal(std::uint64_t value, char* to) {
  for (std::size_t i = Digits; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
}

constexpr std::size_t kAggregateDigits = 7;

void write_user_id(std::uint64_t user, char* to) {
  write_uuid(0x5C1E0D5A7B3F4000ULL | (user & 0xFFF),
             0x8000000000000000ULL | ((user * 0x9E3779B97F4AULL) & ~(3ULL << 62)), to);
}

}  // namespace

Random Random::unpredictable() {
  std::random_device device;
  return Random((std::uint64_t{device()} << 32) | device());
}

EventPool::EventPool(const EventPoolOptions& options)
    : options_(options), random_(options.seed == 0 ? Random::unpredictable() : Random(options.seed)) {
  templates_.reserve(kTemplates + kRareTypes);
  for (std::size_t i = 0; i < kTemplates; ++i) {
    const Kind& kind = kKinds[i % kKinds.size()];
    templates_.push_back(
        make_template(i % kKinds.size(), std::string(kind.event_types[random_.below(kind.event_types.size())])));
  }
  for (std::size_t i = 0; i < kRareTypes; ++i) {
    const std::size_t kind = i / kRareTypesEach;
    templates_.push_back(make_template(kind, std::string(kKinds[kind].rare_event_types[i % kRareTypesEach])));
  }
  for (const Template& made : templates_) event_bytes_max_ = std::max(event_bytes_max_, made.json.size());
  set_time(0);
}

double EventPool::event_bytes_mean() const {
  const auto sum = std::accumulate(templates_.begin(), templates_.begin() + kTemplates, std::size_t{0},
                                   [](std::size_t total, const Template& t) { return total + t.json.size(); });
  return static_cast<double>(sum) / static_cast<double>(kTemplates);
}

EventPool::Template EventPool::make_template(std::size_t kind_index, std::string event_type) {
  const Kind& kind = kKinds[kind_index];
  Template made;
  made.event_type = std::move(event_type);

  std::string& json = made.json;
  json += '{';
  if (options_.event_ids) {
    json += R"("eventId":")";
    made.event_id = json.size();
    json.append(kBlankUuid) += "\",";
  }
  json.append(R"("eventType":")").append(made.event_type);
  json.append(R"(","aggregateId":")");
  made.aggregate_id = json.size();
  json.append(kind.prefix) += '-';
  made.aggregate_digits = json.size();
  json.append(kAggregateDigits, '0');
  json.append(R"(","aggregateType":")").append(kind.aggregate_type);
  json.append(R"(","userId":")");
  made.user_id = json.size();
  json.append(kBlankUuid).append(R"(","correlationId":")");
  made.correlation_id = json.size();
  json.append(kBlankUuid).append(R"(","version":1,"occurredAt":")");
  made.occurred_at = json.size();
  json.append(kBlankTime);

  json.append(R"(","data":{)");
  if (options_.dates) json.append(R"("plannedAt":"2026-01-01T00:00:00Z","reachedAt":"2026-01-02T03:04:05.678+02:00",)");
  char numbers[96];
  std::snprintf(numbers, sizeof numbers, R"("step":%d,"latitude":%.5f,"longitude":%.5f,"note":")",
                static_cast<int>(random_.below(100)), static_cast<double>(random_.below(18'000'000)) / 1e5 - 90.0,
                static_cast<double>(random_.below(36'000'000)) / 1e5 - 180.0);
  json.append(numbers);
  const std::string_view tail =
      random_.below(2) == 0 ? std::string_view(R"("}})") : std::string_view(R"("},"metadata":{"source":"planner-2"}})");
  const std::size_t wanted = 300 + random_.below(151);
  json.append(kWords[random_.below(kWords.size())]);
  while (true) {
    const std::string_view word = kWords[random_.below(kWords.size())];
    if (json.size() + 1 + word.size() + tail.size() > wanted) break;
    json.append(" ").append(word);
  }
  json.append(tail);
  return made;
}

void EventPool::set_time(std::int64_t unix_micros) {
  const std::int64_t second = unix_micros / 1'000'000;
  if (second != unix_second_) {
    unix_second_ = second;
    const std::time_t time = second;
    std::tm parts{};
    gmtime_r(&time, &parts);
    // Twenty characters up to and including the decimal point.
    std::strftime(occurred_at_, sizeof occurred_at_, "%Y-%m-%dT%H:%M:%S.", &parts);
    occurred_at_[26] = 'Z';
  }
  write_decimal<6>(static_cast<std::uint64_t>(unix_micros % 1'000'000), occurred_at_ + 20);
  unix_millis_ = static_cast<std::uint64_t>(unix_micros / 1000);
}

void EventPool::write_uuid_v7(char* to) {
  const std::uint64_t bits = random_.next();
  write_uuid((unix_millis_ << 16) | 0x7000 | (bits & 0xFFF), 0x8000000000000000ULL | (random_.next() >> 2), to);
}

WrittenEvent EventPool::write_event_of(std::uint64_t aggregate, char* to) {
  const std::size_t kind = aggregate % kKinds.size();
  const std::uint64_t dice = random_.next();
  std::size_t which = (dice % (kTemplates / kKinds.size())) * kKinds.size() + kind;
  if (options_.rare_every != 0 && random_.below(options_.rare_every) < kRareTypes) {
    which = kTemplates + kind * kRareTypesEach + dice % kRareTypesEach;
  }
  const Template& chosen = templates_[which];
  std::memcpy(to, chosen.json.data(), chosen.json.size());
  if (options_.event_ids) write_uuid_v7(to + chosen.event_id);
  write_uuid_v7(to + chosen.correlation_id);
  write_user_id((dice >> 32) % options_.users, to + chosen.user_id);
  write_decimal<kAggregateDigits>(aggregate / kKinds.size(), to + chosen.aggregate_digits);
  std::memcpy(to + chosen.occurred_at, occurred_at_, kBlankTime.size());

  WrittenEvent written;
  written.json = {to, chosen.json.size()};
  if (options_.event_ids) written.event_id = {to + chosen.event_id, kBlankUuid.size()};
  written.event_type = chosen.event_type;
  written.aggregate_id = {to + chosen.aggregate_id, chosen.aggregate_digits + kAggregateDigits - chosen.aggregate_id};
  return written;
}

std::string EventPool::aggregate_id(std::uint64_t aggregate) {
  std::string id(kKinds[aggregate % kKinds.size()].prefix);
  id += '-';
  id.append(kAggregateDigits, '0');
  write_decimal<kAggregateDigits>(aggregate / kKinds.size(), id.data() + id.size() - kAggregateDigits);
  return id;
}

std::string EventPool::user_id(std::uint64_t user) {
  std::string id(kBlankUuid);
  write_user_id(user, id.data());
  return id;
}

std::vector<std::string> EventPool::rare_event_types() {
  std::vector<std::string> types;
  for (const Kind& kind : kKinds) types.insert(types.end(), kind.rare_event_types.begin(), kind.rare_event_types.end());
  return types;
}

}  // namespace stele::bench

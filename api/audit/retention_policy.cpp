#include "api/audit/retention_policy.h"

#include <simdjson.h>

#include <stdexcept>
#include <utility>

#include "api/endpoint/own_event_reader.h"
#include "api/endpoint/own_events.h"
#include "api/http/body_members.h"
#include "api/json/json_writer.h"

namespace stele::api {

namespace {

constexpr std::string_view kRetentionAggregate = "$retention";
constexpr std::string_view kRetentionSet = "$RetentionSet";
constexpr std::size_t kTimeBytesMax = 32;

/// None if it cannot be understood.
std::optional<RetentionTimes> parse_retention_event(const Record& record) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(std::string(record.body().data.value_or(""))).get(object) != simdjson::SUCCESS) return std::nullopt;
  RetentionTimes times;
  for (const auto field : object) {
    const auto retention = action_class_of(field.key);
    std::string_view text;
    const auto time = field.value.get(text) == simdjson::SUCCESS ? parse_retention_time(text)
                                                                 : std::optional<std::chrono::microseconds>();
    if (!retention || !time) return std::nullopt;
    times.set(*retention, *time);
  }
  return times;
}

}  // namespace

std::variant<RetentionTimes, Problem> parse_retention_request(std::string_view body, const RetentionTimes& minimum) {
  auto parsed = BodyMembers::parse(body, {"read", "refusal", "administration", "delivery"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  auto& members = std::get<BodyMembers>(parsed);
  RetentionTimes times;
  for (const ActionClass each : kActionClasses) {
    const auto text = members.text(name_of(each), kTimeBytesMax);
    if (!text) continue;
    const auto time = parse_retention_time(*text);
    if (!time) {
      members.refuse(name_of(each), "Must be \"forever\", or a duration from 1d to 36500d, such as \"90d\".");
    } else if (*time < minimum.of(each)) {
      members.refuse(name_of(each), "Must be at least " + format_retention_time(minimum.of(each)) +
                                        ", the least that the operator has set.");
    } else {
      times.set(each, *time);
    }
  }
  if (auto problem = members.problem()) return *std::move(problem);
  return times;
}

std::string to_json(const RetentionTimes& times) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  for (const ActionClass each : kActionClasses) json.key(name_of(each)).plain(format_retention_time(times.of(each)));
  json.end_object();
  return text;
}

RetentionPolicy::RetentionPolicy(Store& store, RedactionGate& gate, const Clock& clock, RetentionTimes minimum)
    : store_(store), gate_(gate), clock_(clock), minimum_(minimum) {
  load();
}

void RetentionPolicy::load() {
  const Status read = each_own_event(*store_.view(), std::string(kRetentionAggregate), [this](const Record& record) {
    const RecordHeader& header = record.header();
    if (header.event_type != kRetentionSet) return;
    if (const auto times = parse_retention_event(record)) {
      setting_ = {*times, header.position, header.time, std::string(header.principal.value_or(""))};
    }
  });
  if (!read) throw std::runtime_error("cannot read the store's own events: " + read.error().describe());
}

RetentionPolicy::Setting RetentionPolicy::setting() const {
  const std::lock_guard lock(mutex_);
  return setting_;
}

std::variant<RetentionPolicy::Setting, Problem> RetentionPolicy::set(const RetentionTimes& times, const Caller& caller,
                                                                     const std::string& correlation) {
  const std::lock_guard changing(changing_);
  Setting setting = this->setting();
  if (setting.position && setting.times == times) return setting;
  auto stored =
      append_own_event(store_, own_event(std::string(kRetentionAggregate), std::string(kRetentionAggregate),
                                         std::string(kRetentionSet), to_json(times), caller, correlation, clock_));
  if (auto* const problem = std::get_if<Problem>(&stored)) return std::move(*problem);
  const auto& place = std::get<OwnEventPlace>(stored);
  setting = {times, place.position, place.time, std::string(caller.name())};
  gate_.change([&] {
    const std::lock_guard lock(mutex_);
    setting_ = setting;
  });
  return setting;
}

}  // namespace stele::api

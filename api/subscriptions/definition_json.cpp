#include "api/subscriptions/definition_json.h"

#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/json/timestamp.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

void write_schema_version(JsonWriter& json, const SubscriptionDefinition& definition) {
  if (!definition.schema_version) return;
  json.key("schemaVersion");
  if (*definition.schema_version == 0) {
    json.plain("stored");
  } else {
    json.number(*definition.schema_version);
  }
}

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.key(name).begin_array();
  for (const std::string& text : texts) json.string(text);
  json.end_array();
}

void write_delivery(JsonWriter& json, const SubscriptionDefinition& definition) {
  json.key("delivery").begin_object().key("type").plain(name_of(definition.kind));
  switch (definition.kind) {
    case DeliveryKind::Webhook:
      json.key("url").string(definition.url);
      write_texts(json, "headerNames", definition.header_names);
      if (definition.has_ca) json.key("hasCa").boolean(true);
      if (definition.has_client_certificate) json.key("hasClientCertificate").boolean(true);
      json.key("timeoutMs").number(definition.timeout.count());
      break;
    case DeliveryKind::Pull:
      break;
    case DeliveryKind::RedisStream:
      json.key("key").string(definition.redis_name);
      break;
    case DeliveryKind::RedisChannel:
      json.key("channel").string(definition.redis_name);
      break;
  }
  if (definition.kind != DeliveryKind::Pull) json.key("batchSize").number(definition.batch_events);
  if (!is_redis(definition.kind)) json.key("maxInFlight").number(definition.in_flight_max);
  if (definition.per_second_max > 0) json.key("maxPerSecond").number(definition.per_second_max);
  json.end_object();
}

/// Reads members one after another; good() tells whether all of them were what they must be.
class Reader {
 public:
  explicit Reader(const dom::object& object) : object_(object) {}

  void text(std::string_view name, std::string& to) {
    std::string_view value;
    if (take(name, value)) to = value;
  }
  void texts(std::string_view name, std::vector<std::string>& to) {
    dom::array values;
    if (!has(name) || !take(name, values)) return;
    for (const dom::element value : values) {
      std::string_view text;
      good_ = value.get(text) == simdjson::SUCCESS && good_;
      to.emplace_back(text);
    }
  }
  void number(std::string_view name, std::uint32_t& to) {
    std::uint64_t value = 0;
    if (!has(name) || !take(name, value)) return;
    good_ = value <= std::numeric_limits<std::uint32_t>::max() && good_;
    to = static_cast<std::uint32_t>(value);
  }
  void millis(std::string_view name, std::chrono::milliseconds& to) {
    std::uint32_t value = static_cast<std::uint32_t>(to.count());
    number(name, value);
    to = std::chrono::milliseconds{value};
  }
  void flag(std::string_view name, bool& to) {
    if (has(name)) (void)take(name, to);
  }
  void time(std::string_view name, Timestamp& to) {
    std::string_view value;
    if (!take(name, value)) return;
    const auto time = parse_timestamp(value, FinerTimes::Refuse);
    good_ = time && good_;
    if (time) to = *time;
  }
  template <class Choice>
  void choice(std::string_view name, std::optional<Choice> (*choice_of)(std::string_view), Choice& to) {
    std::string_view value;
    if (!take(name, value)) return;
    const auto found = choice_of(value);
    good_ = found && good_;
    if (found) to = *found;
  }
  /// Null if it is missing.
  [[nodiscard]] dom::object object(std::string_view name) {
    dom::object inner;
    (void)take(name, inner);
    return inner;
  }
  [[nodiscard]] bool has(std::string_view name) const { return object_[name].error() == simdjson::SUCCESS; }
  [[nodiscard]] bool good() const { return good_; }

 private:
  template <class T>
  bool take(std::string_view name, T& to) {
    const bool taken = object_[name].get(to) == simdjson::SUCCESS;
    good_ = taken && good_;
    return taken;
  }
  const dom::object object_;
  bool good_ = true;
};

bool read_owner(const dom::object& object, SubscriptionOwner& to) {
  Reader owner(object);
  owner.text("name", to.name);
  owner.choice("role", &role_of, to.role);
  owner.flag("hasKey", to.has_key);
  owner.texts("aggregateTypes", to.aggregate_types);
  // A limit that cannot be read must not become no limit.
  return owner.good() && owner.has("aggregateTypes") == !to.aggregate_types.empty();
}

bool read_delivery(const dom::object& object, SubscriptionDefinition& to) {
  Reader delivery(object);
  delivery.choice("type", &delivery_kind_of, to.kind);
  if (to.kind == DeliveryKind::Webhook) delivery.text("url", to.url);
  if (to.kind == DeliveryKind::RedisStream) delivery.text("key", to.redis_name);
  if (to.kind == DeliveryKind::RedisChannel) delivery.text("channel", to.redis_name);
  delivery.texts("headerNames", to.header_names);
  delivery.flag("hasCa", to.has_ca);
  delivery.flag("hasClientCertificate", to.has_client_certificate);
  delivery.millis("timeoutMs", to.timeout);
  delivery.number("batchSize", to.batch_events);
  delivery.number("maxInFlight", to.in_flight_max);
  delivery.number("maxPerSecond", to.per_second_max);
  return delivery.good();
}

}  // namespace

void write_definition(JsonWriter& json, const SubscriptionDefinition& definition) {
  json.key("subscriptionId").string(definition.id);
  json.key("owner").begin_object().key("name").string(definition.owner.name);
  json.key("role").plain(name_of(definition.owner.role));
  if (definition.owner.has_key) json.key("hasKey").boolean(true);
  write_texts(json, "aggregateTypes", definition.owner.aggregate_types);
  json.end_object();
  json.key("created").plain(format_timestamp(definition.created));
  write_texts(json, "eventTypes", definition.event_types);
  write_texts(json, "aggregateTypes", definition.aggregate_types);
  write_texts(json, "aggregateIds", definition.aggregate_ids);
  write_texts(json, "tags", definition.tags);
  if (definition.replay_until) json.key("replayUntil").number(definition.replay_until->value());
  write_schema_version(json, definition);
  write_delivery(json, definition);
  json.key("retry").begin_object().key("maxAttempts").number(definition.attempts_max);
  json.key("initialDelayMs").number(definition.initial_delay.count());
  json.key("maxDelayMs").number(definition.delay_max.count()).end_object();
  json.key("onDeadLetter").plain(name_of(definition.on_dead_letter));
}

std::optional<SubscriptionDefinition> read_definition(const dom::object& object) {
  Reader members(object);
  SubscriptionDefinition read;
  members.text("subscriptionId", read.id);
  members.time("created", read.created);
  members.texts("eventTypes", read.event_types);
  members.texts("aggregateTypes", read.aggregate_types);
  members.texts("aggregateIds", read.aggregate_ids);
  members.texts("tags", read.tags);
  members.choice("onDeadLetter", &on_dead_letter_of, read.on_dead_letter);
  const dom::object owner = members.object("owner");
  const dom::object delivery = members.object("delivery");
  Reader retry(members.object("retry"));
  if (!members.good()) return std::nullopt;
  if (members.has("replayUntil")) {
    std::uint64_t position = 0;
    if (object["replayUntil"].get(position) != simdjson::SUCCESS) return std::nullopt;
    read.replay_until = Position{position};
  }
  if (members.has("schemaVersion")) {
    std::uint64_t version = 0;
    std::string_view text;
    if (object["schemaVersion"].get(text) == simdjson::SUCCESS) {
      if (text != "stored") return std::nullopt;
    } else if (object["schemaVersion"].get(version) != simdjson::SUCCESS || version == 0 ||
               version > std::numeric_limits<std::uint32_t>::max()) {
      return std::nullopt;
    }
    read.schema_version = static_cast<std::uint32_t>(version);
  }
  retry.number("maxAttempts", read.attempts_max);
  retry.millis("initialDelayMs", read.initial_delay);
  retry.millis("maxDelayMs", read.delay_max);
  if (!retry.good() || !read_owner(owner, read.owner) || !read_delivery(delivery, read)) return std::nullopt;
  return read;
}

}  // namespace stele::api

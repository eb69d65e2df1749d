#include "api/subscriptions/subscribe_request.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "api/endpoint/event_filters.h"
#include "api/http/body_members.h"
#include "api/json/timestamp.h"
#include "api/subscriptions/webhook_headers.h"

namespace stele::api {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kUrlBytesMax = 2048;
constexpr std::size_t kPemBytesMax = 64U << 10;
constexpr std::uint64_t kInFlightMax = 1'000;
constexpr std::uint64_t kPerSecondMax = 1'000'000;
constexpr std::uint64_t kTimeoutMsMax = 60'000;
/// A stream's entries are events one by one, however many of them are sent to Redis at once.
constexpr std::uint32_t kRedisBatchEvents = 100;

constexpr std::uint8_t bit(DeliveryKind kind) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind)); }
constexpr std::uint8_t kWebhook = bit(DeliveryKind::Webhook), kPull = bit(DeliveryKind::Pull),
                       kStream = bit(DeliveryKind::RedisStream), kChannel = bit(DeliveryKind::RedisChannel);

struct DeliveryMember {
  std::string_view name;
  std::uint8_t kinds;  ///< of delivery, that have it
};
constexpr std::array<DeliveryMember, 9> kDeliveryMembers{{{"url", kWebhook},
                                                          {"headers", kWebhook},
                                                          {"tls", kWebhook},
                                                          {"timeoutMs", kWebhook},
                                                          {"key", kStream},
                                                          {"channel", kChannel},
                                                          {"batchSize", kWebhook | kStream | kChannel},
                                                          {"maxPerSecond", kWebhook | kStream | kChannel},
                                                          {"maxInFlight", kWebhook | kPull}}};

/// What creating and changing have in common: members of the body are put into a definition.
class DefinitionBody {
 public:
  /// `before`: what is changed; null: something new is made.
  DefinitionBody(BodyMembers& members, const SubscriptionDefinition* before, const SubscribeChecks& checks)
      : definition(before != nullptr ? *before : SubscriptionDefinition{}),
        members_(members),
        before_(before),
        checks_(checks),
        limits_(checks.limits()) {
    if (!is_new()) return;
    // What is left out is as usual as it may be.
    definition.attempts_max = std::min(definition.attempts_max, narrow(limits_.attempts_max));
    definition.initial_delay = std::clamp(definition.initial_delay, limits_.delay_min, limits_.delay_max);
    definition.delay_max = std::clamp(definition.delay_max, limits_.delay_min, limits_.delay_max);
  }

  void read() {
    read_filters();
    read_delivery();
    read_retry();
    read_on_dead_letter();
  }

  /// The refusal, if there is any.
  [[nodiscard]] std::optional<Problem> problem() const {
    if (auto problem = members_.problem()) return problem;
    if (!callback_objection_.empty()) {
      return Problem("callback-refused", callback_at_ + ": " + callback_objection_)
          .error({"pointer", callback_at_, callback_objection_, {}});
    }
    if (before_ == nullptr && is_redis(definition.kind) && !checks_.has_redis()) {
      return Problem("redis-not-configured", "This server was started without --redis.")
          .error({"pointer", "/delivery/type", "This server was started without --redis.", {}});
    }
    return std::nullopt;
  }

  SubscriptionDefinition definition;
  SubscribeSecrets secrets;

 private:
  [[nodiscard]] bool is_new() const { return before_ == nullptr; }
  [[nodiscard]] static std::uint32_t narrow(std::uint64_t limit) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, std::numeric_limits<std::uint32_t>::max()));
  }
  /// Whether a member takes away what is there: only where something is changed.
  [[nodiscard]] bool clears(const BodyMembers& members, std::string_view name) const {
    return !is_new() && members.is_null(name);
  }

  void read_list(std::string_view name, std::size_t count_max, std::size_t bytes_max, std::vector<std::string>& to) {
    if (clears(members_, name)) {
      to.clear();
    } else if (auto texts = members_.texts(name, count_max, bytes_max)) {
      to = *std::move(texts);
    }
  }

  void read_filters() {
    const std::size_t entries_max = limits_.filter_entries_max;
    read_list("eventTypes", entries_max, kStringBytesMax, definition.event_types);
    read_list("aggregateTypes", entries_max, kStringBytesMax, definition.aggregate_types);
    read_list("aggregateIds", entries_max, kStringBytesMax, definition.aggregate_ids);
    read_list("tags", kTagsMax, kTagBytesMax, definition.tags);
    const std::size_t entries = definition.event_types.size() + definition.aggregate_types.size() +
                                definition.aggregate_ids.size() + definition.tags.size();
    // Lists that were there before may be longer than is allowed now.
    const bool any = members_.has("eventTypes") || members_.has("aggregateTypes") || members_.has("aggregateIds") ||
                     members_.has("tags");
    if (any && entries > entries_max) {
      members_.refuse("eventTypes",
                      "The lists of a subscription have at most " + std::to_string(entries_max) + " entries in all.");
    }
    if (is_new() && members_.has("eventType")) {
      if (members_.has("eventTypes")) members_.refuse("eventType", "Stands for `eventTypes`: give only one of them.");
      if (auto type = members_.text("eventType")) definition.event_types = {*std::move(type)};
    }
    read_schema_version();
    if (clears(members_, "replayUntil")) {
      definition.replay_until.reset();
    } else if (const auto position = members_.integer("replayUntil", 0, kPositionMax)) {
      definition.replay_until = Position{*position};
    }
  }

  void read_schema_version() {
    constexpr std::string_view kName = "schemaVersion";
    if (clears(members_, kName)) return definition.schema_version.reset();
    const auto given = members_.value(kName);
    if (!given) return;
    if (given->text.starts_with('"')) {
      if (members_.text(kName) != "stored") return members_.refuse(kName, "Must be \"stored\" or a version.");
      definition.schema_version = 0;
      return;
    }
    const auto version = members_.integer(kName, 1, std::numeric_limits<std::uint32_t>::max());
    if (!version) return;
    const std::uint32_t newest = checks_.newest_version(definition.event_types);
    if (*version > newest) return members_.refuse(kName, "The newest version is " + std::to_string(newest) + ".");
    definition.schema_version = static_cast<std::uint32_t>(*version);
  }

  void read_delivery() {
    if (is_new() && members_.has("callbackUrl")) {
      if (members_.has("delivery")) members_.refuse("callbackUrl", "Stands for `delivery`: give only one of them.");
      if (auto url = members_.text("callbackUrl", kUrlBytesMax)) set_url(*std::move(url), "/callbackUrl");
      return;
    }
    auto delivery = members_.object("delivery", {"type", "url", "headers", "tls", "timeoutMs", "key", "channel",
                                                 "batchSize", "maxPerSecond", "maxInFlight"});
    if (!delivery) {
      if (is_new() && !members_.has("delivery")) members_.refuse("delivery", "The member is required.");
      return;
    }
    if (!read_kind(*delivery)) return;
    for (const DeliveryMember& member : kDeliveryMembers) {
      if (delivery->has(member.name) && (member.kinds & bit(definition.kind)) == 0) {
        delivery->refuse(member.name, "Is not for deliveries of type " + std::string(name_of(definition.kind)) + ".");
      }
    }
    read_target(*delivery);
    read_headers(*delivery);
    read_tls(*delivery);
    if (const auto time = delivery->integer("timeoutMs", 1, kTimeoutMsMax)) definition.timeout = milliseconds{*time};
    const auto number = [&](std::string_view name, std::uint64_t max, std::uint32_t& to) {
      if (const auto given = delivery->integer(name, 1, max)) to = static_cast<std::uint32_t>(*given);
    };
    if (is_new() && is_redis(definition.kind)) {
      definition.batch_events = std::min(kRedisBatchEvents, narrow(limits_.batch_events_max));
    }
    number("batchSize", limits_.batch_events_max, definition.batch_events);
    if (is_new() && definition.kind == DeliveryKind::Pull) definition.in_flight_max = kLeasesMax;
    number("maxInFlight", kInFlightMax, definition.in_flight_max);
    if (clears(*delivery, "maxPerSecond")) {
      definition.per_second_max = 0;
    } else {
      number("maxPerSecond", kPerSecondMax, definition.per_second_max);
    }
  }

  [[nodiscard]] bool read_kind(BodyMembers& delivery) {
    if (!delivery.has("type")) {
      if (is_new()) delivery.refuse("type", "The member is required.");
      return !is_new();
    }
    const auto name = delivery.text("type");
    if (!name) return false;
    const auto kind = delivery_kind_of(*name);
    if (!kind) {
      delivery.refuse("type", "Must be webhook, pull, redis-stream or redis-pubsub.");
      return false;
    }
    if (!is_new() && *kind != definition.kind) {
      delivery.refuse("type", "Cannot be changed; make a subscription that replaces this one.");
      return false;
    }
    definition.kind = *kind;
    return true;
  }

  void read_target(BodyMembers& delivery) {
    const std::string_view name = definition.kind == DeliveryKind::Webhook       ? "url"
                                  : definition.kind == DeliveryKind::RedisStream ? "key"
                                                                                 : "channel";
    if (definition.kind == DeliveryKind::Pull) return;
    if (is_new() && !delivery.has(name)) delivery.refuse(name, "The member is required.");
    if (definition.kind == DeliveryKind::Webhook) {
      if (auto url = delivery.text(name, kUrlBytesMax)) set_url(*std::move(url), "/delivery/url");
    } else if (auto text = delivery.text(name)) {
      // What the server itself says to a Redis is nobody else's to say.
      if (text->starts_with("stele.") || text->starts_with("stele:")) {
        delivery.refuse(name, "Must not begin with 'stele.' or 'stele:', which are the server's own.");
      }
      definition.redis_name = *std::move(text);
    }
  }

  void set_url(std::string url, std::string at) {
    if (url == definition.url) return;
    callback_objection_ = checks_.url_objection(url);
    callback_at_ = std::move(at);
    definition.url = std::move(url);
  }

  void read_headers(BodyMembers& delivery) {
    if (clears(delivery, "headers")) {
      definition.header_names.clear();
      secrets.headers.emplace();
      return;
    }
    auto headers = delivery.named_texts("headers", limits_.headers_max, limits_.header_bytes_max);
    if (!headers) return;
    std::set<std::string> lower_names;
    definition.header_names.clear();
    for (const auto& [name, value] : *headers) {
      std::string lower(name);
      for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
      if (const std::string why = custom_header_objection(name, value, limits_.header_bytes_max); !why.empty()) {
        delivery.refuse("headers", name, why + '.');
      } else if (!lower_names.insert(std::move(lower)).second) {
        delivery.refuse("headers", name, "Stands twice.");
      }
      definition.header_names.push_back(name);
    }
    secrets.headers = std::move(headers);
  }

  void read_tls(BodyMembers& delivery) {
    if (clears(delivery, "tls")) {
      definition.has_ca = definition.has_client_certificate = false;
      secrets.tls.emplace();
      return;
    }
    auto tls = delivery.object("tls", {"ca", "clientCertificate", "clientKey"});
    if (!tls) return;
    WebhookTls texts{tls->long_text("ca", kPemBytesMax).value_or(""),
                     tls->long_text("clientCertificate", kPemBytesMax).value_or(""),
                     tls->long_text("clientKey", kPemBytesMax).value_or("")};
    if (!tls->has("ca") && !tls->has("clientCertificate") && !tls->has("clientKey")) {
      delivery.refuse("tls", "Must have `ca`, or `clientCertificate` and `clientKey`, or all of them.");
    } else if (tls->has("clientCertificate") != tls->has("clientKey")) {
      tls->refuse(tls->has("clientKey") ? "clientCertificate" : "clientKey",
                  "`clientCertificate` and `clientKey` belong together.");
    } else if (const std::string why = checks_.tls_objection(texts); !why.empty()) {
      delivery.refuse("tls", why);
    }
    definition.has_ca = !texts.ca.empty();
    definition.has_client_certificate = !texts.client_certificate.empty();
    secrets.tls = std::move(texts);
  }

  void read_retry() {
    auto retry = members_.object("retry", {"maxAttempts", "initialDelayMs", "maxDelayMs"});
    if (!retry) return;
    if (const auto attempts = retry->integer("maxAttempts", 1, limits_.attempts_max)) {
      definition.attempts_max = static_cast<std::uint32_t>(*attempts);
    }
    const auto delay = [&](std::string_view name, milliseconds& to) {
      const auto least = static_cast<std::uint64_t>(limits_.delay_min.count());
      const auto most = static_cast<std::uint64_t>(limits_.delay_max.count());
      if (const auto given = retry->integer(name, least, most)) to = milliseconds{*given};
    };
    delay("initialDelayMs", definition.initial_delay);
    delay("maxDelayMs", definition.delay_max);
    if (definition.initial_delay > definition.delay_max) {
      retry->refuse("initialDelayMs",
                    "Must be at most `maxDelayMs`, which is " + std::to_string(definition.delay_max.count()) + ".");
    }
  }

  void read_on_dead_letter() {
    if (is_new() && is_redis(definition.kind)) definition.on_dead_letter = OnDeadLetter::Stop;
    const auto name = members_.text("onDeadLetter");
    if (!name) return;
    const auto choice = on_dead_letter_of(*name);
    if (!choice) {
      members_.refuse("onDeadLetter", "Must be skip, park or stop.");
    } else if (is_redis(definition.kind) && *choice != OnDeadLetter::Stop) {
      members_.refuse("onDeadLetter", "Must be stop for deliveries to Redis, whose order allows for nothing else.");
    } else {
      definition.on_dead_letter = *choice;
    }
  }

  BodyMembers& members_;
  const SubscriptionDefinition* const before_;
  const SubscribeChecks& checks_;
  const SubscriptionLimits& limits_;
  std::string callback_objection_, callback_at_;
};

std::optional<StartAt> read_start(BodyMembers& members) {
  const auto given = members.value("from");
  if (!given) return std::nullopt;
  StartAt start;
  if (given->text.starts_with('"')) {
    const auto text = members.text("from");
    if (!text) return std::nullopt;
    if (*text == "now") return start;
    start.kind = StartAt::Kind::Beginning;
    if (*text == "beginning") return start;
    if (const auto time = parse_timestamp(*text, FinerTimes::RoundUp)) {
      start.kind = StartAt::Kind::Time;
      start.time = *time;
      return start;
    }
  } else if (const auto first = given->text.front(); first >= '0' && first <= '9') {
    const auto position = members.integer("from", 0, kPositionMax);
    if (!position) return std::nullopt;
    start.kind = StartAt::Kind::Behind;
    start.position = Position{*position};
    return start;
  }
  members.refuse("from", "Must be \"now\", \"beginning\", a position or an RFC 3339 date-time.");
  return std::nullopt;
}

}  // namespace

std::variant<SubscribeRequest, Problem> parse_subscribe_request(std::string_view body, const SubscribeChecks& checks) {
  auto parsed =
      BodyMembers::parse(body, {"eventType", "eventTypes", "aggregateTypes", "aggregateIds", "tags", "from", "delivery",
                                "callbackUrl", "retry", "onDeadLetter", "schemaVersion", "replayUntil", "replaces"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  BodyMembers& members = std::get<BodyMembers>(parsed);
  DefinitionBody read(members, nullptr, checks);
  read.read();
  SubscribeRequest request;
  request.from = read_start(members);
  request.replaces = members.text("replaces");
  if (auto problem = read.problem()) return *std::move(problem);
  request.definition = std::move(read.definition);
  request.secrets = std::move(read.secrets);
  return request;
}

std::variant<ChangeRequest, Problem> parse_change_request(std::string_view body, const SubscriptionDefinition& before,
                                                          const SubscribeChecks& checks) {
  auto parsed = BodyMembers::parse(body, {"eventTypes", "aggregateTypes", "aggregateIds", "tags", "from", "delivery",
                                          "retry", "onDeadLetter", "schemaVersion", "replayUntil"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  BodyMembers& members = std::get<BodyMembers>(parsed);
  DefinitionBody read(members, &before, checks);
  read.read();
  if (members.has("from")) members.refuse("from", "Cannot be changed; `seek` sets a paused subscription elsewhere.");
  if (auto problem = read.problem()) return *std::move(problem);
  return ChangeRequest{std::move(read.definition), std::move(read.secrets)};
}

std::variant<SeekRequest, Problem> parse_seek_request(std::string_view body) {
  auto parsed = BodyMembers::parse(body, {"from", "dryRun"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  BodyMembers& members = std::get<BodyMembers>(parsed);
  const auto start = read_start(members);
  if (!members.has("from")) members.refuse("from", "The member is required.");
  const bool dry_run = members.flag("dryRun").value_or(false);
  if (auto problem = members.problem()) return *std::move(problem);
  return SeekRequest{*start, dry_run};
}

}  // namespace stele::api

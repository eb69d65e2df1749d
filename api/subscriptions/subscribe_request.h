#pragma once
// The bodies that make and change a subscription.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/endpoint/options.h"
#include "api/http/problem.h"
#include "api/subscriptions/subscription_definition.h"
#include "api/subscriptions/webhook_sender.h"
#include "engine/base/ids.h"

namespace stele::api {

/// Where deliveries begin.
struct StartAt {
  enum class Kind : std::uint8_t { Now, Beginning, Behind, Time };
  Kind kind = Kind::Now;
  Position position;  ///< Behind
  Timestamp time;     ///< Time: with the first event of that time or later
};

/// Values that go into the key store.
struct SubscribeSecrets {
  std::optional<std::vector<std::pair<std::string, std::string>>> headers{};  ///< none = as they were
  std::optional<WebhookTls> tls{};                                            ///< none = as it was
};

struct SubscribeRequest {
  SubscriptionDefinition definition;  ///< without id, owner and time
  std::optional<StartAt> from;        ///< none = now, or where `replaces` is
  std::optional<std::string> replaces;
  SubscribeSecrets secrets;
};

/// What is to be asked about things that only the server knows.
class SubscribeChecks {
 public:
  virtual ~SubscribeChecks() = default;
  [[nodiscard]] virtual const SubscriptionLimits& limits() const = 0;
  /// As WebhookSender has them; empty = no objection.
  [[nodiscard]] virtual std::string url_objection(std::string_view url) const = 0;
  [[nodiscard]] virtual std::string tls_objection(const WebhookTls& tls) const = 0;
  [[nodiscard]] virtual bool has_redis() const = 0;
  /// That events of these types (none = all) can be shown in.
  [[nodiscard]] virtual std::uint32_t newest_version(const std::vector<std::string>& event_types) const = 0;
};

/// `body` as BodyMembers::parse() wants it. 400 or 422.
[[nodiscard]] std::variant<SubscribeRequest, Problem> parse_subscribe_request(std::string_view body,
                                                                              const SubscribeChecks& checks);

struct ChangeRequest {
  SubscriptionDefinition definition;  ///< the one that was given, changed
  SubscribeSecrets secrets;
};
/// Members that are given take the place of those that were; `delivery` and `retry` do so member by member. Null takes
/// away a list, `replayUntil`, `schemaVersion`, `headers`, `tls` or `maxPerSecond`. Neither the kind of delivery nor
/// where it began can be changed.
[[nodiscard]] std::variant<ChangeRequest, Problem> parse_change_request(std::string_view body,
                                                                        const SubscriptionDefinition& before,
                                                                        const SubscribeChecks& checks);

/// The body of a seek.
struct SeekRequest {
  StartAt from;
  bool dry_run = false;  ///< only tell what would happen
};
[[nodiscard]] std::variant<SeekRequest, Problem> parse_seek_request(std::string_view body);

}  // namespace stele::api

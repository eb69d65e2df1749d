#pragma once
// Delivers to a webhook: one POST a batch, signed as Standard Webhooks 1.0 has it, and what its answer means.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/subscriptions/delivery_sink.h"
#include "api/subscriptions/subscription_definition.h"
#include "api/subscriptions/subscription_secrets.h"
#include "api/subscriptions/webhook_sender.h"
#include "engine/base/clock.h"

namespace stele::api {

/// What was sent, as the receiver may name it.
struct SentEvent {
  Uuid id;
  Position position;
};

/// What an answer to these events means: 2xx is delivery, but for the events that a body
/// `{"failed":["<eventId>",…]}` names. What may succeed later is retried; `Retry-After` is kept; 410 ends the
/// subscription, 413 is tried with fewer events, an address that is refused never succeeds.
[[nodiscard]] AttemptOutcome judge_webhook_answer(const WebhookAnswer& answer, const std::vector<SentEvent>& sent);

class WebhookSink final : public DeliverySink {
 public:
  /// `sender` and `clock` must outlive it.
  WebhookSink(WebhookSender& sender, const Clock& clock, const SubscriptionDefinition& definition,
              SubscriptionSecrets secrets);

  /// Body: `{"subscriptionId":"…","events":[…]}`.
  void attempt(DeliveryBatchToSend batch, Done done) override;

 private:
  WebhookSender& sender_;
  const Clock& clock_;
  const std::string subscription_id_;
  const std::string url_;
  const std::shared_ptr<const std::string> owner_;
  const std::chrono::milliseconds timeout_;
  const SubscriptionSecrets secrets_;
};

}  // namespace stele::api

#pragma once
// What subscriptions tell of themselves, as JSON. Secrets are not among it.

#include <string>
#include <vector>

#include "api/subscriptions/delivery_sink.h"
#include "api/subscriptions/delivery_trace.h"
#include "api/subscriptions/subscription_room.h"
#include "api/subscriptions/subscription_status.h"
#include "engine/log/record.h"

namespace stele::api {

// Each appends one object on one line.

/// `secret` is shown with it if it is not empty.
void append_subscription_json(std::string& to, const SubscriptionStatus& status, std::string_view secret = {});
/// `event` is the one that was given up.
void append_dead_letter_json(std::string& to, const ListedDeadLetter& listed, const RecordHeader& event,
                             const EventNotes* notes);
void append_held_json(std::string& to, const ListedHeld& listed);
void append_attempt_json(std::string& to, const TracedAttempt& attempt);
/// Where an event stands with a subscription.
void append_fate_json(std::string& to, const SubscriptionStatus& status, const SubscriptionRoom::Fate& fate);

[[nodiscard]] std::string outcome_json(const AttemptOutcome& outcome);
[[nodiscard]] std::string pulled_json(const PulledBatch& batch, const EventNotes* notes);

}  // namespace stele::api

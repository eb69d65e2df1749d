#pragma once
// What a receiver does before it believes a webhook (Standard Webhooks 1.0, symmetric signatures).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "api/subscriptions/webhook_signature.h"

namespace stele::api {

/// How far the clocks of both ends may be apart, either way; the figure of all reference libraries.
inline constexpr std::int64_t kWebhookSecondsApartMax = 300;

/// Header fields of a request, as they came; empty = absent.
struct WebhookClaim {
  std::string_view id;         ///< `webhook-id`
  std::string_view timestamp;  ///< `webhook-timestamp`
  std::string_view signature;  ///< `webhook-signature`: several with spaces between them
};

/// Why this is not to be believed, in words that hold nothing of what was sent; empty if one of its signatures is that
/// of one of `secrets`, and its timestamp is not far from now. Signatures of other kinds than `v1` are read past. How
/// long it takes tells nothing of the right signature.
[[nodiscard]] std::string webhook_objection(std::span<const WebhookSecret> secrets, const WebhookClaim& claim,
                                            std::string_view body, std::int64_t now_seconds);

}  // namespace stele::api

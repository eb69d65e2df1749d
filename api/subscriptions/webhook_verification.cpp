#include "api/subscriptions/webhook_verification.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>

namespace stele::api {

namespace {

constexpr std::size_t kIdBytesMax = 256;

bool is_webhook_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7F && c != '.'; });
}

/// Only in the form that the signed message has it in.
std::optional<std::int64_t> seconds_of(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  if (std::to_string(seconds) != text) return std::nullopt;
  return seconds;
}

bool has_signature(std::string_view list, std::string_view right) {
  bool found = false;
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(' '));
    found |= one.size() == right.size() && CRYPTO_memcmp(one.data(), right.data(), right.size()) == 0;
    list.remove_prefix(std::min(list.size(), one.size() + 1));
  }
  return found;
}

}  // namespace

std::string webhook_objection(std::span<const WebhookSecret> secrets, const WebhookClaim& claim, std::string_view body,
                              std::int64_t now_seconds) {
  if (claim.id.empty() || claim.timestamp.empty() || claim.signature.empty()) {
    return "it is not signed: webhook-id, webhook-timestamp or webhook-signature is missing";
  }
  if (!is_webhook_id(claim.id)) return "webhook-id must have 1 to 256 visible characters of ASCII and no dot";
  const auto sent = seconds_of(claim.timestamp);
  if (!sent) return "webhook-timestamp is not a number of seconds since 1970";
  if (*sent < now_seconds - kWebhookSecondsApartMax) return "webhook-timestamp is more than five minutes ago";
  if (*sent > now_seconds + kWebhookSecondsApartMax) return "webhook-timestamp is more than five minutes ahead";
  bool found = false;
  for (const WebhookSecret& secret : secrets)
    found |= has_signature(claim.signature, secret.sign(claim.id, *sent, body));
  return found ? "" : "no signature is that of the secret";
}

}  // namespace stele::api

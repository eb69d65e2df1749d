#pragma once
// Standard Webhooks 1.0: what a receiver verifies, with symmetric keys (signature `v1`).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stele::api {

/// A key that a receiver shares with us, 24 to 64 bytes. Wiped when it goes.
class WebhookSecret {
 public:
  /// 32 random bytes.
  [[nodiscard]] static WebhookSecret make();
  /// From `whsec_` and padded base64 of the standard alphabet; none for anything that text() does not give.
  [[nodiscard]] static std::optional<WebhookSecret> parse(std::string_view text);
  ~WebhookSecret();
  WebhookSecret(const WebhookSecret&) = default;
  WebhookSecret& operator=(const WebhookSecret&) = default;

  /// To be shown once, and kept in the key store only.
  [[nodiscard]] std::string text() const;

  /// `v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`. No dot in `id`.
  [[nodiscard]] std::string sign(std::string_view id, std::int64_t timestamp_seconds, std::string_view body) const;

 private:
  explicit WebhookSecret(std::string key) : key_(std::move(key)) {}
  std::string key_;
};

/// `webhook-id`, `webhook-timestamp` (Unix seconds, of this attempt) and `webhook-signature`: one signature by each of
/// `secrets`, one or, while they are rotated, two.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> webhook_headers(std::span<const WebhookSecret> secrets,
                                                                               std::string_view id,
                                                                               std::int64_t timestamp_seconds,
                                                                               std::string_view body);

}  // namespace stele::api

#pragma once
// Which header fields a webhook may carry.

#include <cstddef>
#include <string>
#include <string_view>

namespace stele::api {

/// Name and value of a field; a server may allow less.
inline constexpr std::size_t kWebhookHeaderBytesMax = 64U << 10;

/// Why this field cannot be part of a request: no name or value of HTTP, too long, or one that frames the
/// message (Host, Content-Length, Connection …), which the sender writes. Empty if it can. Never holds the value.
[[nodiscard]] std::string webhook_header_objection(std::string_view name, std::string_view value,
                                                   std::size_t bytes_max = kWebhookHeaderBytesMax);

/// The same for a field that a subscriber wishes to be sent: those that Stele writes are not for them either
/// (Content-Type, User-Agent, webhook-…).
[[nodiscard]] std::string custom_header_objection(std::string_view name, std::string_view value,
                                                  std::size_t bytes_max = kWebhookHeaderBytesMax);

}  // namespace stele::api

#pragma once
// What the commands about subscriptions ask the server, and how.

#include <functional>
#include <string>
#include <string_view>

#include "api/json/json_writer.h"
#include "engine/base/result.h"
#include "tools/client/event_filters.h"
#include "tools/client/http_client.h"

namespace stele::tools {

/// Path of a subscription, with `suffix` ("/pause") behind it.
[[nodiscard]] std::string subscription_target(std::string_view id, std::string_view suffix = {});

/// What is a number or a word, as people write it (where deliveries begin, a version of schemas), as the API wants it.
void write_number_or_text(api::JsonWriter& json, const std::string& value);

/// POST of a JSON body.
[[nodiscard]] Result<HttpResponse> post_json(HttpClient& client, std::string target, std::string_view body);

/// Takes each element of a list, `name` in its answers, page after page, until it wants no more (false). The exit code,
/// with the reason said if there is no answer or a refusal.
[[nodiscard]] int for_each_listed(std::string_view command, HttpClient& client, const EventTarget& target,
                                  std::string_view name, const std::function<bool(std::string_view element)>& take);

}  // namespace stele::tools

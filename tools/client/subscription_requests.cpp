#include "tools/client/subscription_requests.h"

#include <charconv>
#include <cstdint>
#include <utility>

#include "api/http/percent.h"
#include "tools/cli/exit_code.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"

namespace stele::tools {

std::string subscription_target(std::string_view id, std::string_view suffix) {
  std::string target = "/v1/subscriptions/";
  api::append_percent_encoded(target, id);
  target += suffix;
  return target;
}

void write_number_or_text(api::JsonWriter& json, const std::string& value) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error == std::errc{} && end == value.data() + value.size()) {
    json.number(number);
  } else {
    json.string(value);
  }
}

Result<HttpResponse> post_json(HttpClient& client, std::string target, std::string_view body) {
  HttpRequest request{.method = "POST", .target = std::move(target)};
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = body;
  return client.send(request);
}

int for_each_listed(std::string_view command, HttpClient& client, const EventTarget& target, std::string_view name,
                    const std::function<bool(std::string_view element)>& take) {
  std::string cursor;
  do {
    EventTarget page = target;
    page.add("cursor", cursor);
    const auto answer = client.send({.target = page.text()});
    if (const int code = exit_code_of(command, answer); code != kExitOk) return code;
    const JsonMembers members(answer->body);
    for (const std::string_view element : members.list(name)) {
      if (!take(element)) return kExitOk;
    }
    cursor = members.text("nextCursor");
  } while (!cursor.empty());
  return kExitOk;
}

}  // namespace stele::tools

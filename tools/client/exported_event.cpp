#include "tools/client/exported_event.h"

#include <algorithm>
#include <array>

#include "api/json/json_text.h"
#include "api/json/json_writer.h"

namespace stele::tools {

namespace {

/// What the server gives to an event, or says of how it is shown.
constexpr std::array<std::string_view, 8> kServerMembers = {"position",        "sequenceNumber", "timestamp",
                                                            "storedEventType", "storedVersion",  "upcastError",
                                                            "redacted",        "redaction"};

}  // namespace

bool is_own_record(const simdjson::dom::object& event) {
  for (const char* const name : {"eventType", "aggregateId"}) {
    std::string_view value;
    if (event[name].get_string().get(value) == simdjson::SUCCESS && value.starts_with('$')) return true;
  }
  return event["kind"].error() == simdjson::SUCCESS;  // genesis or action
}

bool is_without_data(const simdjson::dom::object& event) {
  return event["data"].error() == simdjson::NO_SUCH_FIELD && event["redacted"].error() == simdjson::SUCCESS;
}

std::string without_server_members(const simdjson::dom::object& event, std::string_view text) {
  std::string_view stored_type;
  const bool has_alias = event["storedEventType"].get(stored_type) == simdjson::SUCCESS;
  std::string kept = "{";
  kept.reserve(text.size());
  api::JsonCursor cursor(text);
  cursor.enter();
  for (const auto field : event) {
    if (!cursor.next_member()) break;
    const std::string_view value = cursor.value().text;
    if (std::find(kServerMembers.begin(), kServerMembers.end(), field.key) != kServerMembers.end()) continue;
    if (kept.size() > 1) kept += ',';
    api::append_json_string(kept, field.key);
    kept += ':';
    if (has_alias && field.key == "eventType") {
      api::append_json_string(kept, stored_type);
    } else {
      kept += value;
    }
  }
  return kept += '}';
}

}  // namespace stele::tools

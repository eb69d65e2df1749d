#include "tools/client/exported_event.h"

#include "api/json/json_text.h"
#include "api/json/json_writer.h"

namespace stele::tools {

bool is_own_record(const simdjson::dom::object& event) {
  for (const char* const name : {"eventType", "aggregateId"}) {
    std::string_view value;
    if (event[name].get_string().get(value) == simdjson::SUCCESS && value.starts_with('$')) return true;
  }
  return event["kind"].error() == simdjson::SUCCESS;  // genesis or action
}

std::string without_server_members(const simdjson::dom::object& event, std::string_view text) {
  std::string kept = "{";
  kept.reserve(text.size());
  api::JsonCursor cursor(text);
  cursor.enter();
  for (const auto field : event) {
    if (!cursor.next_member()) break;
    const std::string_view value = cursor.value().text;
    if (field.key == "position" || field.key == "sequenceNumber" || field.key == "timestamp") continue;
    if (kept.size() > 1) kept += ',';
    api::append_json_string(kept, field.key);
    kept.append(":").append(value);
  }
  return kept += '}';
}

}  // namespace stele::tools

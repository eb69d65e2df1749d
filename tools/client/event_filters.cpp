#include "tools/client/event_filters.h"

#include "api/http/percent.h"

namespace stele::tools {

void EventTarget::add(std::string_view name, std::string_view value) {
  if (value.empty()) return;
  text_ += separator_;
  text_ += name;
  text_ += '=';
  api::append_percent_encoded(text_, value);
  separator_ = '&';
}

void EventFilterFlags::declare(CommandLine& app) {
  const auto add = [&](const char* flag, std::string& value, const char* type, const char* help) {
    app.add_text(flag, value, help).type(type).group(kFiltersGroup);
  };
  add("--aggregate", aggregate, "ID", "aggregateId");
  add("--aggregate-type", aggregate_type, "TEXT", "aggregateType");
  app.add_texts("--type", event_types, "TEXT", "eventType; may be repeated: any of them").group(kFiltersGroup);
  app.add_texts("--tag", tags, "TEXT", "tag; may be repeated: all of them").group(kFiltersGroup);
  add("--user", user, "ID", "userId");
  add("--correlation-id", correlation_id, "ID", "correlationId");
  add("--to", to, "TIME", "Stored before this time, RFC 3339");
  add("--occurred-from", occurred_from, "TIME", "Happened (occurredAt) at or after this time");
  add("--occurred-to", occurred_to, "TIME", "Happened before this time");
  add("--from-sequence", from_sequence, "N", "Sequence number in the aggregate, from this one");
  add("--to-sequence", to_sequence, "N", "... to this one");
  add("--schema-version", schema_version, "V",
      "Show data in this version of its schema, or \"stored\"; default: the newest");
  app.add_switch("--include-system", include_system, "The store's own records too").group(kFiltersGroup);
}

void EventFilterFlags::add_to(EventTarget& target) const {
  target.add("aggregateId", aggregate);
  target.add("aggregateType", aggregate_type);
  for (const std::string& type : event_types) target.add("eventType", type);
  for (const std::string& tag : tags) target.add("tag", tag);
  target.add("userId", user);
  target.add("correlationId", correlation_id);
  target.add("to", to);
  target.add("occurredFrom", occurred_from);
  target.add("occurredTo", occurred_to);
  target.add("fromSequence", from_sequence);
  target.add("toSequence", to_sequence);
  target.add("schemaVersion", schema_version);
  if (include_system) target.add("includeSystem", "true");
}

}  // namespace stele::tools

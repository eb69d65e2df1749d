#include "tools/client/audit_view.h"

#include <fmt/core.h>
#include <simdjson.h>

#include "tools/cli/printable.h"
#include "tools/client/json_members.h"

namespace stele::tools {

namespace {

/// Of `2026-03-01T10:00:00.500000Z`: up to the fraction.
constexpr std::size_t kSecondsEnd = 19;

std::string row_of(std::string_view position, std::string_view time, std::string_view action, std::string_view outcome,
                   std::string_view user, std::string_view address, std::string_view count, std::string_view resource) {
  return fmt::format("{:>9}  {}  {}  {}  {}  {} {:>6}  {}", position, cell(time, 20), cell(action, 22),
                     cell(outcome, 7), cell(user, 16), cell(address, 15), count, resource);
}

}  // namespace

std::string audit_heading() {
  return row_of("POSITION", "TIME", "ACTION", "OUTCOME", "WHO", "FROM", "CALLS", "RESOURCE");
}

std::string audit_row(std::string_view record_json, std::size_t columns) {
  static thread_local simdjson::dom::parser parser;
  simdjson::dom::element parsed;
  if (parser.parse(record_json.data(), record_json.size()).get(parsed) != simdjson::SUCCESS || !parsed.is_object()) {
    return cut(record_json, columns);
  }
  const JsonMembers record(record_json);
  const std::string user = record.text("userId");
  const std::string time = record.text("timestamp").substr(0, kSecondsEnd) + "Z";
  return cut(row_of(record.text("position"), time, record.text("action"), record.text("outcome"),
                    user.empty() ? record.text("principal") : user, record.text("remoteAddress"),
                    record.text("details", "count"), record.text("resource")),
             columns);
}

}  // namespace stele::tools

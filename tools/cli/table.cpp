#include "tools/cli/table.h"

#include <fmt/core.h>
#include <simdjson.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <limits>

#include "tools/cli/printable.h"

namespace stele::tools {

namespace {

std::string row(std::string_view position, std::string_view time, std::string_view aggregate, std::string_view sequence,
                std::string_view type, std::string_view user, std::string_view data) {
  return fmt::format("{:>9}  {}  {} {:>6}  {}  {}  {}", position, cell(time, 20), cell(aggregate, 28), sequence,
                     cell(type, 22), cell(user, 12), data);
}

}  // namespace

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return std::numeric_limits<std::size_t>::max();
}

std::string table_heading() { return row("POSITION", "TIME", "AGGREGATE", "SEQ", "TYPE", "USER", "DATA"); }

std::string table_row(std::string_view event_json, std::size_t columns) {
  static thread_local simdjson::dom::parser parser;
  simdjson::dom::element event;
  if (parser.parse(event_json.data(), event_json.size()).get(event) != simdjson::SUCCESS || !event.is_object()) {
    return cut(event_json, columns);
  }
  const auto text = [&](const char* name) -> std::string {
    simdjson::dom::element value;
    if (event[name].get(value) != simdjson::SUCCESS) return {};
    std::string_view string;
    return value.get_string().get(string) == simdjson::SUCCESS ? std::string(string) : simdjson::to_string(value);
  };
  std::string time = text("timestamp");
  if (time.size() > 20) time = time.substr(0, 19) + "Z";
  simdjson::dom::element data;
  const std::string data_json =
      event["data"].get(data) == simdjson::SUCCESS ? simdjson::to_string(data) : std::string();
  return cut(row(text("position"), time, text("aggregateId"), text("sequenceNumber"), text("eventType"), text("userId"),
                 data_json),
             columns);
}

}  // namespace stele::tools

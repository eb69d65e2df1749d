#include "tools/cli/table.h"

#include <fmt/core.h>
#include <simdjson.h>

namespace stele::tools {

namespace {

bool continues_a_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

std::size_t character_count(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += continues_a_character(c) ? 0 : 1;
  return count;
}

/// At most `width` characters (counted as code points).
std::string cut(std::string_view text, std::size_t width) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1_control = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1_control) {
      result += '?';
      ++i;
    } else {
      result += byte < 0x20 || byte == 0x7F ? '?' : text[i];
    }
  }
  if (character_count(result) <= width) return result;
  std::size_t end = 0;
  for (std::size_t left = width > 0 ? width - 1 : 0; left > 0; --left) {
    ++end;
    while (end < result.size() && continues_a_character(result[end])) ++end;
  }
  return result.substr(0, end) + (width > 0 ? "…" : "");
}

std::string cell(std::string_view text, std::size_t width) {
  std::string result = cut(text, width);
  result.append(width - character_count(result), ' ');
  return result;
}

std::string row(std::string_view position, std::string_view time, std::string_view aggregate, std::string_view sequence,
                std::string_view type, std::string_view user, std::string_view data) {
  return fmt::format("{:>9}  {}  {} {:>6}  {}  {}  {}", position, cell(time, 20), cell(aggregate, 28), sequence,
                     cell(type, 22), cell(user, 12), data);
}

}  // namespace

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

#include "tools/client/event_stream.h"

#include <utility>

namespace stele::tools {

bool EventStreamReader::feed(std::string_view bytes, const Take& take) {
  for (const char c : bytes) {
    const bool is_second = std::exchange(after_return_, c == '\r') && c == '\n';
    if (is_second) continue;
    if (c == '\n' || c == '\r') {
      if (!end_line(take)) return false;
    } else {
      if (line_.size() == kLineBytesMax) return false;
      line_ += c;
    }
  }
  return true;
}

void EventStreamReader::reset() {
  line_.clear();
  after_return_ = false;
  has_id_ = false;
  event_ = {};
  has_data_ = false;
}

bool EventStreamReader::end_line(const Take& take) {
  const std::string line = std::exchange(line_, {});
  if (line.empty()) return dispatch(take);
  const std::size_t colon = line.find(':');
  if (colon == 0) return true;  // a comment
  const std::string_view name = std::string_view(line).substr(0, colon);
  std::string_view value = colon == std::string::npos ? std::string_view() : std::string_view(line).substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "id") {
    id_ = value;
    has_id_ = true;
  } else if (name == "event") {
    event_.name = value;
  } else if (name == "data") {
    if (std::exchange(has_data_, true)) event_.data += '\n';
    event_.data += value;
  }
  return true;
}

bool EventStreamReader::dispatch(const Take& take) {
  if (std::exchange(has_id_, false)) last_id_ = std::exchange(id_, {});
  const ServerSentEvent event = std::exchange(event_, {});
  if (!std::exchange(has_data_, false)) return true;
  return take(event.name.empty() ? ServerSentEvent{"message", event.data} : event);
}

}  // namespace stele::tools

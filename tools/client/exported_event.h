#pragma once
// What `stele query` prints, as something that can be appended again.

#include <simdjson.h>

#include <string>
#include <string_view>

namespace stele::tools {

/// Whether an event as the API shows it is one of the store's own records, which no client can write.
[[nodiscard]] bool is_own_record(const simdjson::dom::object& event);

/// Whether its data was redacted, so that there is nothing to append.
[[nodiscard]] bool is_without_data(const simdjson::dom::object& event);

/// `text`, which `event` was parsed from, without the members that the server gives (position, sequenceNumber,
/// timestamp, what was redacted) or says of how the event is shown, and with the name that its type is stored under.
/// The others stay as they are, byte for byte.
[[nodiscard]] std::string without_server_members(const simdjson::dom::object& event, std::string_view text);

}  // namespace stele::tools

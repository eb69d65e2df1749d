#pragma once
// A subscription, as the API shows it, for people.

#include <string>
#include <string_view>
#include <vector>

namespace stele::tools {

/// The heading of a table of subscriptions …
[[nodiscard]] std::vector<std::string> subscription_heading();
/// … and a line of it: id, state, which events, where to, lag, in flight, dead letters, last error.
[[nodiscard]] std::vector<std::string> subscription_row(std::string_view subscription_json);

/// All of one, a member a line.
[[nodiscard]] std::vector<std::vector<std::string>> subscription_details(std::string_view subscription_json);

}  // namespace stele::tools

#pragma once
// Subscriptions and their deliveries, as the API shows them, for people.

#include <string>
#include <string_view>
#include <vector>

namespace stele::tools {

/// The heading of a table of subscriptions …
[[nodiscard]] std::vector<std::string> subscription_heading();
/// … and a line of it: id, state, which events, where to, lag, in flight, held back, dead letters, last
/// error.
[[nodiscard]] std::vector<std::string> subscription_row(std::string_view subscription_json);

/// All of one, a member a line.
[[nodiscard]] std::vector<std::vector<std::string>> subscription_details(std::string_view subscription_json);

/// The heading of a table of attempts, and a line of it: time, batch, positions, attempt, how it ended, what came back.
[[nodiscard]] std::vector<std::string> attempt_heading();
[[nodiscard]] std::vector<std::string> attempt_row(std::string_view attempt_json);

/// The same of what becomes of an event: subscription, its state, where the event stands, attempts, the last of them.
[[nodiscard]] std::vector<std::string> fate_heading();
[[nodiscard]] std::vector<std::string> fate_row(std::string_view fate_json);

}  // namespace stele::tools

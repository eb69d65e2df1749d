#pragma once
// Events as a table for people.

#include <cstddef>
#include <string>
#include <string_view>

namespace stele::tools {

/// Of the terminal that stdout is; without end if it is none, so that nothing is cut in a file or a pipe.
[[nodiscard]] std::size_t terminal_columns();
/// The heading.
[[nodiscard]] std::string table_heading();
/// One event (a JSON object as the API shows it) as one line of at most `columns` characters; what does not fit is cut
/// with an ellipsis. Control characters become '?', so that stored data cannot drive the terminal. The line itself if
/// it is no event.
[[nodiscard]] std::string table_row(std::string_view event_json, std::size_t columns);

}  // namespace stele::tools

#pragma once
// Colour on a terminal.

namespace stele::tools {

/// Whether stdout is a terminal that shows colours and nobody objects: NO_COLOR is not set (no-color.org), TERM is not
/// "dumb".
[[nodiscard]] bool colors_wanted();

}  // namespace stele::tools

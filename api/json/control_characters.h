#pragma once
// What no text of an envelope, and no name, may contain.

#include <string_view>

namespace stele::api {

/// C0, DEL or C1. `utf8` is valid UTF-8.
[[nodiscard]] bool has_control_characters(std::string_view utf8);

}  // namespace stele::api

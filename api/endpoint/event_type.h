#pragma once

#include <string_view>

namespace stele::api {

/// Whether clients may name their events so: 1 to 128 of letters, digits and `. _ - : /`, but not `.` or `..`.
[[nodiscard]] bool is_event_type(std::string_view text);

}  // namespace stele::api

#pragma once
// The form of configuration files: `name = value`, one a line.
//
// A value is the whole rest of its line without the blanks around it. What could be meant in two ways is refused: a
// value with a `#` or a `"` in it stands in quotes. In "…" a backslash begins one of the escapes \\ \" \n \r \t \uXXXX;
// in '…' it is a backslash. Lines that are blank or begin with `#` are comments; there are no sections, and no empty
// values.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace stele::tools {

struct ConfigLine {
  std::size_t number = 0;  ///< from 1
  std::string name;
  std::string value;
};

/// InvalidArgument begins with the line: "line 3: …".
[[nodiscard]] Result<std::vector<ConfigLine>> parse_config(std::string_view text);

/// The line, its end included, that parse_config() reads as this. `value`: not empty, without NUL.
[[nodiscard]] std::string format_config_line(std::string_view name, std::string_view value);

}  // namespace stele::tools

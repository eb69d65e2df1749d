#pragma once
// Golden files: bytes that every version of Stele must read and, as long as it writes format 1, write. They are under
// tests/golden/v1.

#include <string>
#include <string_view>

/// Whole content of a file of the source tree, by its path from the root; empty if it cannot be read.
[[nodiscard]] std::string read_source_file(const std::string& path_from_root);

/// Content of the golden file `name`.
[[nodiscard]] std::string golden_bytes(const std::string& name);

/// Checks that `bytes` is exactly the golden file `name`; the message says where they part. With
/// STELE_REGENERATE_GOLDEN=1 in the environment the file is written instead.
void check_golden(const std::string& name, std::string_view bytes);

/// Two lower-case digits a byte.
[[nodiscard]] std::string to_hex(std::string_view bytes);

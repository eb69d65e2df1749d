#pragma once
// What commands that ask one question have in common.

#include <chrono>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "tools/client/http_client.h"

namespace stele::tools {

/// For requests that make the server fold, which may take a minute.
inline constexpr HttpTimeouts kFoldTimeouts{.transfer = std::chrono::seconds{120}};

/// Says why there is no answer, or why it is a refusal, and gives the exit code; kExitOk for an answer of 2xx.
/// `command` is like "stele replay".
[[nodiscard]] int exit_code_of(std::string_view command, const Result<HttpResponse>& response);

/// Says what is wrong with the usage and gives the exit code.
[[nodiscard]] int wrong_usage(std::string_view command, std::string_view why);

/// Says why input cannot be used and gives the exit code: kExitFailure if it could not be read (Io), else kExitUsage.
[[nodiscard]] int unusable_input(std::string_view command, const Error& error);

/// A file's content without a byte order mark; Io, NotFound as open() says, InvalidArgument if it is empty, TooLarge
/// beyond `bytes_max`.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t bytes_max = 64U << 20);
/// What comes on stdin, as it is, to its end; Io if that is not reached, TooLarge beyond `bytes_max`.
[[nodiscard]] Result<std::string> read_stdin(std::size_t bytes_max);

/// A refusal of a script that has a place in it, as compilers say it: `FILE:line:column: message`; empty if it has
/// none.
[[nodiscard]] std::string script_complaint(const std::string& file, const HttpResponse& response);

}  // namespace stele::tools

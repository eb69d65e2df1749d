#pragma once
// What commands write: words for people on stderr, which may be lost, and results on stdout, which may not.

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

namespace stele::tools {

/// Words for people, on stderr. Never fails: what cannot be written is lost.
void write_words(std::string_view text);

template <class... Arguments>
void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  write_words(fmt::vformat(format, fmt::make_format_args(arguments...)));
}

/// Results, on stdout. They may wait in a buffer until finish_output().
void put(std::string_view text);
/// Whether any result so far could not be written: there is no use in more of them.
[[nodiscard]] bool output_failed();
/// Writes what waits. Why results cannot be written, in the operating system's words; empty if all are.
[[nodiscard]] std::string flush_output();
/// The same at the end of `command` ("stele query"): kExitOk, or kExitFailure with the reason on stderr.
[[nodiscard]] int finish_output(std::string_view command);

}  // namespace stele::tools

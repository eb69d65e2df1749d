#pragma once
// What a script has thrown, in words and with its place. Only for script_engine.cpp.

#include <jsapi.h>

#include <string>

#include "api/replay/fold.h"

namespace stele::net {

/// In error reports, to tell the script from what was run before it.
inline constexpr const char* kScriptName = "handler";

/// Of the exception that is pending, which is not any more. Calls nothing of the script.
[[nodiscard]] api::FoldFailure take_script_error(JSContext* cx, api::FoldFailure::Kind kind);

/// The first bytes of a text, which may be very long.
[[nodiscard]] std::string beginning_of(JSContext* cx, JSString* text);

}  // namespace stele::net

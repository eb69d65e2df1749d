#include "api/replay/event_handler.h"

#include <algorithm>
#include <utility>

#include "api/http/percent.h"
#include "engine/base/digest.h"

namespace stele::api {

EventHandler built_in_handler(EventHandler::Kind kind) {
  EventHandler handler;
  handler.kind = kind;
  handler.name = kind == EventHandler::Kind::Merge ? kMergeHandler : kLastHandler;
  // The number is that of what they mean: another one when the same events would give another state.
  handler.identity = sha256({"stele/handler/", handler.name, "/1"});
  return handler;
}

Digest script_identity(std::string_view source) { return sha256({"stele/handler/script", source}); }

EventHandler trial_handler(std::string source) {
  EventHandler handler;
  handler.kind = EventHandler::Kind::Script;
  handler.name = "trial";
  handler.identity = script_identity(source);
  handler.source = std::move(source);
  return handler;
}

bool is_handler_name(std::string_view name) {
  constexpr std::size_t kNameBytesMax = 128;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), allowed) &&
         !is_dot_segment(name) && name != kMergeHandler && name != kLastHandler;
}

}  // namespace stele::api

#pragma once
// Events as a script sees them: ordinary objects, as the API shows events, whose members are made when they are first
// looked at. Most handlers look at a member or two of `data`, and reading the whole of it would be half of a fold.
//
// An object keeps its text, so that an event which a script keeps stays what it was. Whoever lists an object's members,
// deletes one, or looks at many, gets all of them at once, in the order of the text.
//
// For the one thread of the one engine that a process has.

#include <js/TypeDecls.h>

#include "net/worker/worker_protocol.h"

namespace stele::net {

/// Before the first event. False: there is no memory.
[[nodiscard]] bool prepare_event_objects(JSContext* cx);
/// Forgets what was learned of the script before.
void begin_event_objects();

/// In the realm that is entered, whose Object.prototype is given. Null: there is no memory.
[[nodiscard]] JSObject* new_event_object(JSContext* cx, JS::HandleObject object_prototype, const WorkerEvent& event);

/// Whether objects of this class are events or data of events, of which members may not have been made yet.
[[nodiscard]] bool is_event_class(const JSClass* clasp);
/// Makes what is left of one. False: there is no memory.
[[nodiscard]] bool complete_event_object(JSContext* cx, JS::HandleObject object);

/// Of valid UTF-8. Null: there is no memory.
[[nodiscard]] JSString* new_script_string(JSContext* cx, std::string_view text);

}  // namespace stele::net

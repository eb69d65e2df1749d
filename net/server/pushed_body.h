#pragma once
// Sends an answer whose body comes when it comes (api::PushedBody), and is both ends of a connection that was upgraded.
// While there is nothing to send the connection rests: no thread, no timer of its own, no looking whether there is.

#include "net/server/exchange.h"
#include "net/server/task.h"

namespace stele::net {

enum class Sent {
  Whole,  ///< to its end
  Left,   ///< the client has left while there was nothing to send: how such a body usually ends
  Cut,    ///< the connection was lost or aborted, or the client must see that the body is cut
};

/// Head and body of the answer, until the body or the client ends. Only Whole may be followed by anything.
Task<Sent> send_pushed(Exchange& exchange);

}  // namespace stele::net

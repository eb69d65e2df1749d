#pragma once
// Sends an answer whose body is pulled piece by piece (api::BodySource): on the read pool, in constant memory, chunked.

#include "net/server/exchange.h"
#include "net/server/task.h"

namespace stele::net {

/// Head and body of the answer. False: the connection is to be ended, because the client is gone or must see that the
/// body is cut.
Task<bool> send_pulled(Exchange& exchange);

}  // namespace stele::net

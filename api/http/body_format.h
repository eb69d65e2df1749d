#pragma once
// The two forms that events have in a body, whichever way it goes.

namespace stele::api {

enum class BodyFormat {
  Json,    ///< one JSON text: an event, a list, or a wrapper around one
  Ndjson,  ///< one event a line; empty lines do not count
};

}  // namespace stele::api

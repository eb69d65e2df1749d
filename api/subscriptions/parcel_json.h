#pragma once
// An event that is delivered, as JSON.

#include <string>

#include "api/subscriptions/delivery_sink.h"

namespace stele::api {

/// Appends one object on one line: the event as in lists, and `replay` if it is one.
void append_parcel_json(std::string& to, const Parcel& parcel);

}  // namespace stele::api

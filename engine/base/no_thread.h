#pragma once
// What is told where the system has no thread left, or no room for its stack.

#include <string>
#include <system_error>

#include "engine/base/result.h"

namespace stele {

/// For what std::thread's constructor throws. `whose`: "the journal of deliveries".
[[nodiscard]] inline Error no_thread(const std::system_error& error, const char* whose) {
  return Error{.kind = ErrorKind::Busy,
               .message = std::string("no thread can be had for ") + whose,
               .os_error = error.code().value()};
}

}  // namespace stele

#include "api/http/bounded_read.h"

namespace stele::api {

ReadBudget read_budget(const Request& asker, ReadLimits limits) {
  return ReadBudget(limits, [&asker] { return asker.abandoned(); });
}

Error stream_abandoned() {
  return {.kind = ErrorKind::Closed, .message = "nobody waits for it any more, or the server shuts down"};
}

Problem read_failed() { return {"storage-error", "Stored bytes that the answer needs cannot be read."}; }

}  // namespace stele::api

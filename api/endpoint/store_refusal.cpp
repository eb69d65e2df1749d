#include "api/endpoint/store_refusal.h"

#include <string>

namespace stele::api {

Problem store_refusal(AppendOutcome::Kind kind) {
  using Kind = AppendOutcome::Kind;
  switch (kind) {
    case Kind::TooLarge:
      return {"payload-too-large", "The events are too large to be stored as one commit."};
    case Kind::Busy:
      return Problem("busy", "Too many events wait to be stored. Nothing was stored.")
          .header("Retry-After", std::string(kRetrySoon));
    case Kind::SchemaChanged:
      return Problem("schema-changed", "Schemas changed while it was being stored. Nothing was stored.")
          .header("Retry-After", std::string(kRetrySoon));
    case Kind::ClockJump:
      return Problem("clock-jump", "The server's clock jumped ahead. Nothing was stored.")
          .header("Retry-After", std::string(kRetryLater));
    case Kind::DiskFull:
      return {"disk-full", "There is no room for more events. Nothing was stored."};
    case Kind::OutcomeUnknown:
      return Problem("outcome-unknown", "Writing failed: the events may or may not be stored.")
          .header("Retry-After", std::string(kRetryLater));
    case Kind::ReadFailed:
      return {"storage-error", "Stored bytes that the answer needs cannot be read."};
    default:
      return Problem("unavailable", "The store does not accept events now. Nothing was stored.")
          .header("Retry-After", std::string(kRetryLater));
  }
}

}  // namespace stele::api

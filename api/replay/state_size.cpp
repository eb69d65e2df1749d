#include "api/replay/state_size.h"

#include <string>

namespace stele::api {

FoldFailure state_too_large(std::size_t bytes_max, std::optional<std::uint64_t> event) {
  FoldFailure failure;
  failure.kind = FoldFailure::Kind::Limit;
  failure.limit = "state-size";
  failure.message = "The state is larger than " + std::to_string(bytes_max) + " bytes.";
  failure.event = event;
  return failure;
}

}  // namespace stele::api

#include "engine/commit/proposal.h"

#include "engine/base/uuid.h"

namespace stele {

void EventDraft::seal() {
  random_bytes(seed.data(), seed.size());
  body_digest = stele::body_digest(seed, body());
}

RecordBody EventDraft::body() const {
  RecordBody body;
  if (data) body.data = *data;
  if (metadata) body.metadata = *metadata;
  return body;
}

}  // namespace stele

#pragma once
// The reading side of a store: segments, index and a bound.

#include "engine/store/store.h"

#include "engine/index/index_set.h"
#include "engine/log/segment.h"

namespace stele {

/// One of the store's own records, which readers do not see unless they ask for them.
[[nodiscard]] bool is_system(const RecordHeader& header);

[[nodiscard]] std::shared_ptr<const ReadView> make_read_view(std::shared_ptr<const SegmentList> segments,
                                                             std::shared_ptr<const IndexView> index, Position end);

}  // namespace stele

#pragma once

#include <memory>

#include "engine/index/index_set.h"
#include "engine/log/segment.h"
#include "engine/store/read_view.h"

namespace stele {

/// What segments and index hold before `end`.
[[nodiscard]] std::shared_ptr<const ReadView> make_read_view(std::shared_ptr<const SegmentList> segments,
                                                             std::shared_ptr<const IndexView> index, Position end);

}  // namespace stele

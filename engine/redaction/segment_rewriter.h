#pragma once
// One sealed segment, written anew without some members of its records.

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "engine/base/file_system.h"
#include "engine/base/rate_limiter.h"
#include "engine/log/segment.h"
#include "engine/redaction/redaction.h"

namespace stele {

struct SegmentRewrite {
  FileSystem* file_system;
  std::string path;  ///< of the file that is made; one that has this name is replaced
  RateLimiter* limiter;
  std::function<Status()> go_on;  ///< asked between groups; an error ends the work
};

/// Writes `old`, as its path names it, without these members of its records, which must lie in it in ascending order.
/// The new file is durable under `rewrite.path` on return, and was compared with the old one: each record has the same
/// header, the same leaf and all members that were not to go; groups have kept their links. The segment that is given
/// back reads the new file and calls itself by the path of the old one: the caller renames the file. After an error
/// there is no new file, unless it cannot be removed. Corrupt: the old file is damaged, or the new one is not what was
/// written.
[[nodiscard]] Result<std::shared_ptr<const Segment>> rewrite_segment(const SegmentRewrite& rewrite, const Segment& old,
                                                                     std::span<const RedactionTarget> targets);

}  // namespace stele

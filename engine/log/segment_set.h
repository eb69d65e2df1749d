#pragma once
// The segments of an open log as readers find them, and what is still read of those that were written anew.

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/base/mutex.h"
#include "engine/log/segment.h"

namespace stele {

/// Thread-safe. A list that was given out stays as it is, and keeps what it maps.
class SegmentSet {
 public:
  [[nodiscard]] std::shared_ptr<const SegmentList> list() const;

  void assign(SegmentList segments);
  /// The last segment is sealed now, if `sealed` is not null, and `active` follows.
  void roll(const std::shared_ptr<const Segment>& sealed, std::shared_ptr<const Segment> active);
  /// `by` is the same segment in another file of the same name.
  void replace(std::shared_ptr<const Segment> by);

  /// How many earlier forms of replaced segments somebody still reads: the files they map are on the disk until then.
  [[nodiscard]] std::size_t replaced_in_use();

 private:
  /// Lets go of `old`, which somebody else may still have.
  void retire(std::shared_ptr<const Segment>& old, std::shared_ptr<const Segment> by) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::shared_ptr<const SegmentList> list_ GUARDED_BY(mutex_) = std::make_shared<const SegmentList>();
  std::vector<std::weak_ptr<const Segment>> earlier_ GUARDED_BY(mutex_);  // of which there is a later form
};

}  // namespace stele

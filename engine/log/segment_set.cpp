#include "engine/log/segment_set.h"

#include <algorithm>

#include "engine/base/check.h"

namespace stele {

std::shared_ptr<const SegmentList> SegmentSet::list() const {
  const MutexLock lock(mutex_);
  return list_;
}

void SegmentSet::assign(SegmentList segments) {
  auto next = std::make_shared<const SegmentList>(std::move(segments));
  const MutexLock lock(mutex_);
  list_ = std::move(next);
}

void SegmentSet::retire(std::shared_ptr<const Segment>& old, std::shared_ptr<const Segment> by) {
  STELE_CHECK(old->id() == by->id() && old->first() == by->first());
  std::erase_if(earlier_, [](const auto& each) { return each.expired(); });
  earlier_.push_back(old);
  old = std::move(by);
}

void SegmentSet::roll(const std::shared_ptr<const Segment>& sealed, std::shared_ptr<const Segment> active) {
  const MutexLock lock(mutex_);
  SegmentList next = *list_;
  if (sealed) retire(next.back(), sealed);
  next.push_back(std::move(active));
  list_ = std::make_shared<const SegmentList>(std::move(next));
}

void SegmentSet::replace(std::shared_ptr<const Segment> by) {
  const MutexLock lock(mutex_);
  SegmentList next = *list_;
  const auto at = std::find_if(next.begin(), next.end(), [&](const auto& each) { return each->id() == by->id(); });
  STELE_CHECK(at != next.end());
  retire(*at, std::move(by));
  // What was the active segment once maps the same file.
  for (const auto& each : earlier_) {
    const auto segment = each.lock();
    if (segment && segment->id() == (*at)->id()) segment->mark_replaced();
  }
  list_ = std::make_shared<const SegmentList>(std::move(next));
}

std::size_t SegmentSet::replaced_in_use() {
  const MutexLock lock(mutex_);
  return static_cast<std::size_t>(std::count_if(earlier_.begin(), earlier_.end(), [](const auto& each) {
    const auto segment = each.lock();
    return segment && segment->replaced();
  }));
}

}  // namespace stele

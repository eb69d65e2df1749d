#include "engine/index/index_set.h"

#include <algorithm>

namespace stele {

const IndexPart& IndexView::part(std::size_t i) const {
  if (i < runs_.size()) return *runs_[i];
  i -= runs_.size();
  return i < immutable_.size() ? *immutable_[i] : *newest_;
}

Result<std::optional<Position>> IndexView::find_event(const Uuid& event_id) const {
  if (auto found = newest_->find(event_id)) return found;
  return find_sealed_event(event_id);
}

void IndexView::prefetch_sealed(const Uuid& event_id, std::string_view aggregate_id) const {
  for (const auto& run : runs_) {
    run->prefetch_event(event_id);
    run->prefetch_aggregate(aggregate_id);
  }
}

Result<std::optional<Position>> IndexView::find_sealed_event(const Uuid& event_id, DiskWait wait) const {
  for (auto part = immutable_.rbegin(); part != immutable_.rend(); ++part) {
    if (auto found = (*part)->find(event_id)) return found;
  }
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    STELE_ASSIGN(const std::optional<Position> found, (*run)->find_event(event_id, wait));
    if (found) return found;
  }
  return std::optional<Position>{};
}

Result<std::optional<AggregateHead>> IndexView::sealed_head(std::string_view id, DiskWait wait) const {
  for (auto part = immutable_.rbegin(); part != immutable_.rend(); ++part) {
    if (auto found = (*part)->find_head(id)) return found;
  }
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    STELE_ASSIGN(std::optional<AggregateHead> found, (*run)->head(id, wait));
    if (found) return found;
  }
  return std::optional<AggregateHead>{};
}

Result<std::optional<AggregateSummary>> IndexView::aggregate(std::string_view id) const {
  std::optional<AggregateSummary> whole;
  for (std::size_t i = 0; i < part_count(); ++i) {
    STELE_ASSIGN(auto own, part(i).aggregate(id));
    if (!own) continue;
    if (whole) {
      own->first_time = whole->first_time;
      own->count += whole->count;
    }
    whole = std::move(own);
  }
  return whole;
}

Result<std::optional<Position>> IndexView::position_of(std::string_view id, SequenceNumber sequence) const {
  for (std::size_t i = 0; i < part_count(); ++i) {
    STELE_ASSIGN(const std::optional<Position> found, part(i).position_of(id, sequence));
    if (found) return found;
  }
  return std::optional<Position>{};
}

namespace {

/// Each type that an aggregate may have; none of them: any type or none.
std::vector<std::optional<std::string>> types_of(const AggregateQuery& query) {
  const std::vector<std::string>& any = query.aggregate_types;
  std::vector<std::optional<std::string>> types;
  if (query.aggregate_type) {
    if (any.empty() || std::find(any.begin(), any.end(), *query.aggregate_type) != any.end()) {
      types.emplace_back(query.aggregate_type);
    }
  } else if (any.empty()) {
    types.emplace_back(std::nullopt);
  } else {
    types.assign(any.begin(), any.end());
  }
  return types;
}

}  // namespace

Result<AggregateList> IndexView::aggregates(const AggregateQuery& query, std::size_t limit, ReadBudget* budget) const {
  constexpr std::size_t kStep = 256;
  const std::vector<std::optional<std::string>> types = types_of(query);
  AggregateList list;
  std::string from = query.after ? *query.after + '\0' : std::string();
  while (list.found.size() < limit) {
    std::vector<std::string> ids;
    bool more = false;
    for (std::size_t i = 0; i < part_count(); ++i) {
      for (const std::optional<std::string>& type : types) {
        STELE_ASSIGN(auto own, part(i).aggregate_ids(type, query.prefix, from, kStep));
        more = more || own.size() == kStep;
        ids.insert(ids.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
      }
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    // Behind the first kStep ids a part that gave all it was asked for may hold more in between.
    if (more && ids.size() > kStep) ids.resize(kStep);
    for (const std::string& id : ids) {
      if (list.found.size() == limit) return list;
      if (budget != nullptr) budget->spend(part_count());
      const bool used_up = budget != nullptr && budget->used_up();
      const bool hidden = !query.include_system && id.starts_with('$');
      if (hidden && !used_up) continue;
      STELE_ASSIGN(auto summary, aggregate(id));
      if (!summary) continue;
      if (used_up) list.rest_behind = *summary;
      if (!hidden) list.found.push_back(std::move(*summary));
      if (used_up) return list;
    }
    if (!more) return list;
    from = ids.back() + '\0';
  }
  return list;
}

Result<IndexPart::TimeBounds> IndexView::time_bounds(Timestamp time) const {
  // Backwards to the last part that has a record before `time`, or at least its first.
  Position end = newest_->end();
  for (std::size_t i = part_count(); i-- > 0;) {
    STELE_ASSIGN(IndexPart::TimeBounds bounds, part(i).time_bounds(time));
    if (bounds.begin > part(i).first() || i == 0) {
      if (bounds.end == part(i).end()) bounds.end = end;
      return bounds;
    }
    end = bounds.end;
  }
  return IndexPart::TimeBounds{Position{0}, end};
}

IndexSet::IndexSet(RunList runs, Position first, std::uint64_t part_records_max)
    : part_records_max_(part_records_max), growing_(std::make_shared<Memtable>(first)) {
  newest_ = std::make_shared<MemoryLink>(MemoryLink{growing_, nullptr});
  publish(std::move(runs), {});
}

void IndexSet::publish(RunList runs, ImmutableMemtables immutable) {
  view_ = std::make_shared<const IndexView>(std::move(runs), std::move(immutable), newest_->part);
}

void IndexSet::insert(std::span<const RecordHeader> records, const RecordLocations& places) {
  growing_->insert(records, places);
}

void IndexSet::make_immutable(std::optional<ReplayPoint> replay) {
  STELE_CHECK(growing_->size() > 0);
  growing_->make_immutable(std::move(replay));
  auto next = std::make_shared<Memtable>(*growing_);
  auto link = std::make_shared<MemoryLink>(MemoryLink{next, nullptr});
  const MutexLock lock(mutex_);
  ImmutableMemtables immutable = view_->immutable();
  immutable.push_back(growing_);
  newest_->next = link;
  newest_ = std::move(link);
  growing_ = std::move(next);
  publish(view_->runs(), std::move(immutable));
}

std::optional<SequenceNumber> IndexSet::last_sequence_in_memory(std::string_view id) const {
  if (const auto head = growing_->find_head_as_inserter(id)) return head->last_sequence;
  const auto now = view();
  for (auto part = now->immutable().rbegin(); part != now->immutable().rend(); ++part) {
    if (const auto head = (*part)->find_head(id)) return head->last_sequence;
  }
  return std::nullopt;
}

std::shared_ptr<const IndexView> IndexSet::view() const {
  const MutexLock lock(mutex_);
  return view_;
}

IndexSet::Snapshot IndexSet::snapshot() const {
  const MutexLock lock(mutex_);
  return Snapshot{view_, newest_};
}

void IndexSet::flushed(std::shared_ptr<const IndexRun> run) {
  const MutexLock lock(mutex_);
  ImmutableMemtables immutable = view_->immutable();
  STELE_CHECK(!immutable.empty() && immutable.front()->first() == run->first() &&
              immutable.front()->end() == run->end());
  immutable.erase(immutable.begin());
  RunList runs = view_->runs();
  runs.push_back(std::move(run));
  publish(std::move(runs), std::move(immutable));
}

void IndexSet::replace(std::span<const std::shared_ptr<const IndexRun>> old, RunList by) {
  const MutexLock lock(mutex_);
  RunList runs = view_->runs();
  const auto at = std::find(runs.begin(), runs.end(), old.front());
  STELE_CHECK(at != runs.end() && static_cast<std::size_t>(runs.end() - at) >= old.size() &&
              by.front()->first() == old.front()->first() && by.back()->end() == old.back()->end());
  const auto behind = runs.erase(at, at + static_cast<std::ptrdiff_t>(old.size()));
  runs.insert(behind, std::make_move_iterator(by.begin()), std::make_move_iterator(by.end()));
  publish(std::move(runs), view_->immutable());
}

}  // namespace stele

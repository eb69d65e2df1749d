#include "engine/index/index_set.h"

#include <algorithm>

namespace stele {

std::optional<Position> IndexView::find_event(const Uuid& event_id) const {
  if (auto found = newest_->find_event(event_id)) return found;
  return find_sealed_event(event_id);
}

std::optional<Position> IndexView::find_sealed_event(const Uuid& event_id) const {
  for (auto part = sealed_.rbegin(); part != sealed_.rend(); ++part) {
    if (auto found = (*part)->find_event(event_id)) return found;
  }
  return std::nullopt;
}

std::optional<AggregateHead> IndexView::sealed_head(std::string_view id) const {
  for (auto part = sealed_.rbegin(); part != sealed_.rend(); ++part) {
    if (auto found = (*part)->head(id)) return found;
  }
  return std::nullopt;
}

SequenceNumber IndexView::last_sequence(std::string_view id) const {
  if (const auto found = newest_->head(id)) return found->last_sequence;
  const auto found = sealed_head(id);
  return found ? found->last_sequence : SequenceNumber{0};
}

std::optional<AggregateSummary> IndexView::aggregate(std::string_view id) const {
  std::optional<AggregateSummary> whole;
  for (std::size_t i = 0; i < part_count(); ++i) {
    auto own = part(i).aggregate(id);
    if (!own) continue;
    if (whole) {
      own->first_time = whole->first_time;
      own->count += whole->count;
    }
    whole = std::move(own);
  }
  return whole;
}

std::optional<Position> IndexView::position_of(std::string_view id, SequenceNumber sequence) const {
  for (std::size_t i = 0; i < part_count(); ++i) {
    if (auto found = part(i).position_of(id, sequence)) return found;
  }
  return std::nullopt;
}

std::vector<AggregateSummary> IndexView::aggregates(const AggregateQuery& query, std::size_t limit) const {
  constexpr std::size_t kStep = 256;
  std::vector<AggregateSummary> found;
  std::string from = query.after ? *query.after + '\0' : std::string();
  while (found.size() < limit) {
    std::vector<std::string> ids;
    bool more = false;
    for (std::size_t i = 0; i < part_count(); ++i) {
      auto own = part(i).aggregate_ids(query.prefix, from, kStep);
      more = more || own.size() == kStep;
      ids.insert(ids.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    // Behind the first kStep ids a part that gave all it was asked for may hold more in between.
    if (more && ids.size() > kStep) ids.resize(kStep);
    for (const std::string& id : ids) {
      if (found.size() == limit) return found;
      if (!query.include_system && id.starts_with('$')) continue;
      auto summary = aggregate(id);
      if (!summary || (query.aggregate_type && summary->aggregate_type != query.aggregate_type)) continue;
      found.push_back(std::move(*summary));
    }
    if (!more) return found;
    from = ids.back() + '\0';
  }
  return found;
}

IndexSet::IndexSet(Position first, std::uint64_t part_records_max)
    : part_records_max_(part_records_max),
      newest_(std::make_shared<NewestPart>(first)),
      view_(std::make_shared<const IndexView>(std::vector<std::shared_ptr<const IndexPart>>{}, newest_)) {}

void IndexSet::insert(std::span<const RecordHeader> records) {
  newest_->insert(records);
  if (newest_->end().since(newest_->first()) < part_records_max_) return;
  auto sealed = view_->sealed();
  sealed.push_back(newest_);
  newest_ = std::make_shared<NewestPart>(newest_->end());
  auto next = std::make_shared<const IndexView>(std::move(sealed), newest_);
  const std::lock_guard lock(mutex_);
  view_ = std::move(next);
}

std::shared_ptr<const IndexView> IndexSet::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace stele

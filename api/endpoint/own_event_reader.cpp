#include "api/endpoint/own_event_reader.h"

namespace stele::api {

Status each_own_event(const ReadView& view, const std::string& prefix, const std::function<void(const Record&)>& take) {
  constexpr std::size_t kAggregatesAtOnce = 256;
  AggregateQuery aggregates;
  aggregates.prefix = prefix;
  aggregates.include_system = true;
  Record record;
  while (true) {
    STELE_ASSIGN(const AggregateList list, view.aggregates(aggregates, kAggregatesAtOnce));
    for (const AggregateSummary& aggregate : list.found) {
      EventQuery query;
      query.aggregate_id = aggregate.aggregate_id;
      query.include_system = true;
      STELE_ASSIGN(const std::unique_ptr<EventStream> events, view.query(query));
      while (true) {
        STELE_ASSIGN(const bool found, events->next(record));
        if (!found) break;
        if (record.header().kind == RecordKind::Event) take(record);
      }
    }
    if (list.found.size() < kAggregatesAtOnce) return {};
    aggregates.after = list.found.back().aggregate_id;
  }
}

}  // namespace stele::api

#include "api/endpoint/visible_aggregate.h"

#include <utility>

#include "api/http/bounded_read.h"

namespace stele::api {

std::variant<AggregateSummary, Problem> visible_aggregate(const ReadView& view, const Caller& caller,
                                                          std::string_view aggregate_id) {
  auto aggregate = view.aggregate(aggregate_id);
  if (!aggregate) return read_failed();
  if (!*aggregate || !caller.may_see(**aggregate)) {
    return Problem("aggregate-not-found", "No event belongs to this aggregate.");
  }
  return **std::move(aggregate);
}

}  // namespace stele::api

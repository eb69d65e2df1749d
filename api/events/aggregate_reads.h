#pragma once
// GET /v1/aggregates and one aggregate. All but parsing may block on a cold disk: read pool.

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/access/principal.h"
#include "api/endpoint/options.h"
#include "api/http/http.h"
#include "api/http/negotiation.h"
#include "api/http/problem.h"
#include "engine/store/store.h"

namespace stele::api {

struct AggregateListRequest {
  AggregateQuery query;
  BodyFormat format = BodyFormat::Json;
  std::string_view type;           ///< of the answer, as the client calls it
  std::size_t limit = 0;           ///< aggregates of a page; of a stream, 0 = no limit
  std::uint64_t filters = 0;       ///< hash of the store's id and the filters, for cursors
  std::string link_query;          ///< the parameters of the next page, but for the cursor
  std::optional<Position> behind;  ///< only ids behind that of the record there
};

/// `store` is the id of the one that will be read.
[[nodiscard]] std::variant<AggregateListRequest, Problem> parse_aggregate_list(const Request& request,
                                                                               const AcceptedForm& form,
                                                                               const Limits& limits, const Uuid& store);

/// A page, or a stream of lines over what is durable now. In byte order of the ids. `asker` and `limits` as of
/// list_events().
[[nodiscard]] std::variant<Response, Problem> list_aggregates(const Store& store, const AggregateListRequest& request,
                                                              const Request& asker, ReadLimits limits);

/// An aggregate outside the caller's limit is answered as if there was none.
[[nodiscard]] std::variant<Response, Problem> show_aggregate(const Store& store, const Caller& caller,
                                                             std::string_view aggregate_id);

}  // namespace stele::api

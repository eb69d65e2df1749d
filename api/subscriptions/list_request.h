#pragma once
// A list about subscriptions: a page of it, or all of it as lines.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/endpoint/call.h"
#include "api/http/cursor.h"
#include "api/http/parameters.h"
#include "api/http/problem.h"
#include "engine/base/ids.h"

namespace stele::api {

struct ListRequest {
  bool lines = false;     ///< NDJSON, in constant memory
  std::string_view type;  ///< of the answer, as the client calls it
  std::size_t limit = 0;  ///< of a page; of lines, 0 = no limit
  std::uint64_t filters = 0;
  std::optional<Cursor> behind;  ///< where the page begins; none = at the beginning
  std::string link;              ///< of the next page, but for the cursor
};

/// Takes `limit` and `cursor` out of `parameters`, and tells of all that is wrong with them. `store` and the path of
/// the request say which list a cursor belongs to.
[[nodiscard]] std::variant<ListRequest, Problem> parse_list(Parameters& parameters, const Call& call, CursorKind kind,
                                                            const Uuid& store);

/// One piece of a list.
struct ListPiece {
  std::optional<Cursor> next;  ///< what follows lies behind it; none: nothing follows
  std::optional<Problem> problem{};
};
/// Calls `take` with one element after another, at most `limit`, of those behind a place. May look at more, and end
/// early. Must outlive the answer.
using ListReader = std::function<ListPiece(const std::optional<Cursor>& behind, std::size_t limit,
                                           const std::function<void(std::string_view)>& take)>;

/// The answer; `name` is that of the list in it, in static storage. May block: read pool.
[[nodiscard]] std::variant<Response, Problem> answer_list(const ListRequest& request, std::string_view name,
                                                          const Request& asker, ListReader read);

}  // namespace stele::api

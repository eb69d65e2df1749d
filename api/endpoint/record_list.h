#pragma once
// Lists of records: in pages with cursors, or as a stream of lines. What matches, and how a record looks, is for
// whoever has the list.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/endpoint/options.h"
#include "api/http/cursor.h"
#include "api/http/http.h"
#include "api/http/negotiation.h"
#include "api/http/parameters.h"
#include "api/http/problem.h"
#include "api/records/shown_versions.h"
#include "engine/store/store.h"

namespace stele::api {

/// One list that there is.
struct RecordList {
  CursorKind cursors;
  std::string_view path;
  std::string_view member;  ///< of a page, that holds its records
  /// Append a record as a whole JSON object: to a page, and to a line, which has no line breaks inside.
  void (*page_item)(std::string& to, const Record& record, const EventNotes* notes, const Upcast* upcast);
  void (*line_item)(std::string& to, const Record& record, const EventNotes* notes, const Upcast* upcast);
};

/// What a list was asked for.
struct RecordListRequest {
  EventQuery query;
  BodyFormat format = BodyFormat::Json;
  std::string_view type;      ///< of the answer, as the client calls it
  std::size_t limit = 0;      ///< records of a page; of a stream, 0 = no limit
  std::uint64_t filters = 0;  ///< hash of the store's id and all that decides which records match, for cursors
  std::string link_query;     ///< the parameters of the next page, but for the cursor
};

/// Reads `order`, `limit` and `cursor` into `to`, whose query has its filters already, and applies the cursor. The
/// refusal is that of all of the parameters. `store` is the id of the one that will be read.
[[nodiscard]] std::optional<Problem> read_record_list(Parameters& parameters, const RecordList& list,
                                                      const AcceptedForm& form, const Limits& limits, const Uuid& store,
                                                      RecordListRequest& to);

/// A page, or a stream of lines up to the head of now. Neither a page nor a piece of the stream examines more than
/// `limits` allow, or goes on for long once `asker` is abandoned, which must outlive the answer. May block on a cold
/// disk, and for scripts that upcast what `versions` wants in another version.
[[nodiscard]] std::variant<Response, Problem> list_records(const Store& store, const RecordList& list,
                                                           const RecordListRequest& request, const Request& asker,
                                                           ReadLimits limits, const EventNotes* notes,
                                                           ShownVersions versions);

}  // namespace stele::api

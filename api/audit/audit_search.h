#pragma once
// GET /v1/events/audit: every record of the log, as what somebody did.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/endpoint/record_list.h"
#include "api/http/http.h"
#include "api/http/negotiation.h"
#include "api/http/problem.h"
#include "engine/store/store.h"

namespace stele::api {

/// What a search for an action finds: the actions of that name, and the events that are shown under it.
[[nodiscard]] RecordChoice choice_of_action(std::string_view action);
/// A resource as EventQuery::resources has it: `kind:name` is what actions are about, and `$kind/name` an aggregate of
/// the store's own.
[[nodiscard]] std::vector<std::string> resources_of(std::string_view resource);

/// `store` is the id of the one that will be read.
[[nodiscard]] std::variant<RecordListRequest, Problem> parse_audit_search(const Request& request,
                                                                          const AcceptedForm& form,
                                                                          const Limits& limits, const Uuid& store);
/// See list_records().
[[nodiscard]] std::variant<Response, Problem> search_audit(const Store& store, const RecordListRequest& request,
                                                           const Request& asker, ReadLimits limits,
                                                           const EventNotes* notes);

/// One record as the search shows it: a JSON object in one line. `redacted` and `redaction` as of events, of actions
/// too.
void append_audit_json(std::string& to, const Record& record, const EventNotes* notes = nullptr);

}  // namespace stele::api

#include "api/events/event_reads.h"

#include <string>
#include <utility>
#include <vector>

#include "api/endpoint/event_filters.h"
#include "api/endpoint/failed_event.h"
#include "api/endpoint/visible_event.h"
#include "api/http/parameters.h"
#include "api/records/event_json.h"
#include "api/records/event_notes.h"
#include "api/records/shown_versions.h"

namespace stele::api {

namespace {

constexpr RecordList kEvents{
    .cursors = CursorKind::Events,
    .path = "/v1/events",
    .member = "events",
    .page_item = [](std::string& to, const Record& record, const EventNotes* notes,
                    const Upcast* upcast) { append_event_json(to, record, DataForm::AsSent, notes, upcast); },
    .line_item = [](std::string& to, const Record& record, const EventNotes* notes,
                    const Upcast* upcast) { append_event_json(to, record, DataForm::Minified, notes, upcast); },
};

}  // namespace

std::variant<EventListRequest, Problem> parse_event_list(const Request& request, const AcceptedForm& form,
                                                         const Limits& limits, const Uuid& store,
                                                         const EventNotes* notes) {
  Parameters parameters(request.query(), {"order", "limit", "cursor", "minPosition"}, event_filter_names());
  EventListRequest list;
  list.query = read_event_filters(parameters);
  list.version = read_schema_version(parameters);
  if (auto objection = version_objection(list.version, notes, list.query.event_types); !objection.empty()) {
    parameters.refuse("schemaVersion", std::move(objection));
  }
  if (const auto min = parameters.integer("minPosition", 0, kPositionMax)) list.min_position = Position{*min};
  if (auto problem = read_record_list(parameters, kEvents, form, limits, store, list)) return *std::move(problem);
  return list;
}

std::variant<Response, Problem> list_events(const Store& store, const EventListRequest& request, const Request& asker,
                                            const ServiceOptions& options) {
  RecordListRequest widened = request;
  if (options.notes != nullptr) options.notes->aliases.widen(widened.query.event_types);
  return list_records(store, kEvents, widened, asker, options.read_limits, options.notes,
                      shown_versions(options.notes, request.version));
}

std::variant<Response, Problem> show_event(const Store& store, const Caller& caller, std::string_view event_id,
                                           SchemaVersionChoice version, const EventNotes* notes, const Request& asker) {
  thread_local Record record;
  if (auto problem = read_visible_event(*store.view(), caller, event_id, record)) return std::move(*problem);
  const RecordHeader& header = record.header();
  if (const auto objection = version_objection(version, notes, {std::string(header.event_type)}); !objection.empty()) {
    return Problem("invalid-parameter", "schemaVersion: " + objection)
        .error({"parameter", "schemaVersion", objection, {}});
  }
  const Record* const one = &record;
  UpcastTerms terms;
  terms.abandoned = [&asker] { return asker.abandoned(); };
  const std::vector<Upcast> upcasts = upcast_events({&one, 1}, shown_versions(notes, version), terms);
  if (!upcasts.empty() && upcasts[0].failure) {
    return upcast_problem(*upcasts[0].failure,
                          {header.position, header.sequence, shown_event_type(notes, header.event_type)});
  }
  Response response;
  response.shown.add(header.position);
  append_event_json(response.body, record, DataForm::AsSent, notes, upcasts.empty() ? nullptr : &upcasts[0]);
  return response;
}

std::variant<Response, Problem> show_event_data(const Store& store, const Caller& caller, std::string_view event_id) {
  thread_local Record record;
  if (auto problem = read_visible_event(*store.view(), caller, event_id, record)) return std::move(*problem);
  if (record.redacted(BodyMember::Data)) return Problem("data-redacted", "The data of this event was removed.");
  if (!record.body().data) return Problem("event-not-found", "This record of the store itself has no data.");
  Response response;
  response.shown.add(record.header().position);
  response.body = *record.body().data;
  return response;
}

}  // namespace stele::api

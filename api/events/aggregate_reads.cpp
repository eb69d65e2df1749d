#include "api/events/aggregate_reads.h"

#include <limits>

#include "api/endpoint/visible_aggregate.h"
#include "api/events/event_reads.h"
#include "api/http/bounded_read.h"
#include "api/http/cursor.h"
#include "api/http/parameters.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::size_t kPieceAggregates = 256;

void append_aggregate_json(std::string& to, const AggregateSummary& aggregate) {
  JsonWriter json(to);
  json.begin_object();
  json.key("aggregateId").string(aggregate.aggregate_id);
  if (aggregate.aggregate_type) json.key("aggregateType").string(*aggregate.aggregate_type);
  json.key("sequenceNumber").number(aggregate.last_sequence.value());
  json.key("count").number(aggregate.count);
  json.key("firstTimestamp").plain(format_timestamp(aggregate.first_time));
  json.key("lastTimestamp").plain(format_timestamp(aggregate.last_time));
  json.end_object();
}

/// The aggregates of a query as NDJSON, as they were at `end`.
class AggregateLines : public BodySource {
 public:
  AggregateLines(const Store& store, AggregateQuery query, Position end, std::size_t limit, const Request& asker,
                 ReadLimits limits)
      : store_(store),
        query_(std::move(query)),
        end_(end),
        left_(limit == 0 ? std::numeric_limits<std::size_t>::max() : limit),
        asker_(asker),
        limits_(limits) {}

  Result<bool> next(std::string& to) override {
    if (left_ == 0) return false;
    ReadBudget budget = read_budget(asker_, limits_);
    const std::size_t wanted = std::min(left_, kPieceAggregates);
    STELE_ASSIGN(AggregateList list, store_.view_until(end_)->aggregates(query_, wanted, &budget));
    for (const AggregateSummary& aggregate : list.found) {
      append_aggregate_json(to, aggregate);
      to += '\n';
    }
    left_ -= list.found.size();
    if (list.found.size() < wanted && !list.rest_behind) left_ = 0;
    if (left_ == 0) return !list.found.empty();
    if (list.found.empty() && asker_.abandoned()) return stream_abandoned();
    query_.after = std::move(list.rest_behind ? list.rest_behind->aggregate_id : list.found.back().aggregate_id);
    return true;
  }

 private:
  const Store& store_;
  AggregateQuery query_;
  const Position end_;
  std::size_t left_;
  const Request& asker_;
  const ReadLimits limits_;
};

std::uint64_t hash_of(const AggregateQuery& query, const Uuid& store) {
  std::string text = to_string(store);
  text += query.include_system ? "system" : "clients";
  text += '\0';
  text += query.prefix;
  text += '\0';
  if (query.aggregate_type) text += '=' + *query.aggregate_type;
  return xxh3(text);
}

}  // namespace

std::variant<AggregateListRequest, Problem> parse_aggregate_list(const Request& request, const AcceptedForm& form,
                                                                 const Limits& limits, const Uuid& store) {
  Parameters parameters(request.query(), {"aggregateType", "prefix", "limit", "cursor", "includeSystem"});
  AggregateListRequest list;
  list.format = form.format;
  list.type = form.type;
  list.query.aggregate_type = parameters.text("aggregateType");
  list.query.prefix = parameters.text("prefix").value_or("");
  list.query.include_system = parameters.flag("includeSystem").value_or(false);
  const auto limit = parameters.integer("limit", 1, limits.page_max);
  list.limit = static_cast<std::size_t>(limit.value_or(list.format == BodyFormat::Ndjson ? 0 : limits.page_default));
  const auto cursor = parameters.text("cursor", kCursorBytesMax);
  if (auto problem = parameters.problem()) return std::move(*problem);

  list.filters = hash_of(list.query, store);
  list.link_query = parameters.encoded({"cursor"});
  if (cursor) {
    auto decoded = decode_cursor(*cursor, CursorKind::Aggregates, Direction::Ascending, list.filters);
    if (const auto* error = std::get_if<CursorError>(&decoded)) {
      return Problem("invalid-cursor", *error == CursorError::Mangled
                                           ? "The cursor is damaged."
                                           : "The cursor belongs to a query with other filters, or to another store.")
          .error({"parameter", "cursor", "Leave it out to begin again.", {}});
    }
    Cursor& place = std::get<Cursor>(decoded);
    if (place.key.empty()) {
      list.behind = place.position;
    } else {
      list.query.after = std::move(place.key);
    }
  }
  return list;
}

std::variant<Response, Problem> list_aggregates(const Store& store, const AggregateListRequest& request,
                                                const Request& asker, ReadLimits limits) {
  const auto view = store.view();
  AggregateQuery query = request.query;
  if (request.behind) {
    Record record;
    if (const Status read = view->read(*request.behind, record); !read) {
      if (read.error().kind != ErrorKind::NotFound) return read_failed();
      return Problem("invalid-cursor", "The cursor belongs to another store.")
          .error({"parameter", "cursor", "Leave it out to begin again.", {}});
    }
    query.after = std::string(record.header().aggregate_id);
  }
  Response response;
  if (request.format == BodyFormat::Ndjson) {
    response.content_type = request.type;
    response.source =
        std::make_unique<AggregateLines>(store, std::move(query), view->end(), request.limit, asker, limits);
    return response;
  }
  ReadBudget budget = read_budget(asker, limits);
  auto list = view->aggregates(query, request.limit + 1, &budget);
  if (!list) return read_failed();
  std::vector<AggregateSummary>& found = list->found;
  std::optional<Cursor> next;
  if (found.size() > request.limit) {
    found.pop_back();
    next = Cursor{CursorKind::Aggregates, Direction::Ascending, {}, found.back().aggregate_id};
  } else if (list->rest_behind) {
    // By one of its records: its id may be one that the caller must not see.
    next = Cursor{CursorKind::Aggregates, Direction::Ascending, list->rest_behind->last_position, {}};
  }
  JsonWriter json(response.body);
  json.begin_object().key("aggregates").begin_array();
  for (const AggregateSummary& aggregate : found) append_aggregate_json(json.value(), aggregate);
  json.end_array().key("nextCursor");
  if (next) {
    const std::string cursor = encode_cursor(*next, request.filters);
    json.plain(cursor);
    std::string link = "</v1/aggregates?";
    if (!request.link_query.empty()) link += request.link_query + '&';
    response.headers.emplace_back("Link", link + "cursor=" + cursor + ">; rel=\"next\"");
  } else {
    json.null();
  }
  json.end_object();
  return response;
}

std::variant<Response, Problem> show_aggregate(const Store& store, const Caller& caller,
                                               std::string_view aggregate_id) {
  const auto aggregate = visible_aggregate(*store.view(), caller, aggregate_id);
  if (const auto* const problem = std::get_if<Problem>(&aggregate)) return *problem;
  Response response;
  append_aggregate_json(response.body, std::get<AggregateSummary>(aggregate));
  return response;
}

}  // namespace stele::api

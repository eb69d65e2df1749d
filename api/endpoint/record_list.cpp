#include "api/endpoint/record_list.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "api/http/bounded_read.h"
#include "api/json/json_writer.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

/// A page ends early when its body has this size, whatever its limit: a thousand records may have a gigabyte.
constexpr std::size_t kPageBytesMax = 8U << 20;
constexpr std::size_t kPieceBytes = 64U << 10;

/// Builds the text whose hash identifies a query.
class FilterText {
 public:
  void add(std::string_view name, std::string_view value) {
    text_ += name;
    text_ += '\0';
    append_number(text_, value.size());
    text_ += '\0';
    text_ += value;
  }
  void add(std::string_view name, const std::optional<std::string>& value) {
    if (value) add(name, std::string_view(*value));
  }
  void add(std::string_view name, const std::optional<Timestamp>& value) {
    if (value) add(name, std::string_view(std::to_string(value->micros)));
  }
  template <class Tag>
  void add(std::string_view name, const std::optional<StrongId<Tag>>& value) {
    if (value) add(name, std::string_view(std::to_string(value->value())));
  }
  [[nodiscard]] std::uint64_t hash() const { return xxh3(text_); }

 private:
  std::string text_;
};

std::uint64_t hash_of_list(const EventQuery& query, const Uuid& store) {
  FilterText text;
  text.add("store", std::string_view(to_string(store)));
  text.add("aggregateId", query.aggregate_id);
  text.add("aggregateType", query.aggregate_type);
  for (const std::string& type : query.event_types) text.add("eventType", std::string_view(type));
  for (const std::string& tag : query.tags) text.add("tag", std::string_view(tag));
  text.add("userId", query.user_id);
  text.add("correlationId", query.correlation_id);
  text.add("principal", query.principal);
  for (const std::string& resource : query.resources) text.add("resource", std::string_view(resource));
  if (query.outcome) text.add("outcome", outcome_name(*query.outcome));
  if (query.choice) {
    if (query.choice->client_events) text.add("clientEvents", std::string_view("true"));
    for (const std::string& type : query.choice->system_types) text.add("systemType", std::string_view(type));
  }
  text.add("from", query.from);
  text.add("to", query.to);
  text.add("occurredFrom", query.occurred_from);
  text.add("occurredTo", query.occurred_to);
  text.add("fromSequence", query.from_sequence);
  text.add("toSequence", query.to_sequence);
  text.add("afterPosition", query.after);
  if (query.include_system) text.add("includeSystem", std::string_view("true"));
  return text.hash();
}

void apply_cursor(EventQuery& query, Position last) {
  if (query.direction == Direction::Ascending) {
    query.after = query.after ? std::max(*query.after, last) : last;
  } else {
    query.before = query.before ? std::min(*query.before, last) : last;
  }
}

/// Takes records out of a stream, several at a time where they are upcast, so that a script is asked for many at once.
class ListedRecords {
 public:
  /// `first`: where one at a time are read to.
  ListedRecords(EventStream& stream, const ShownVersions& versions, const Request& asker, Record& first)
      : stream_(stream), versions_(versions), asker_(asker), records_{&first} {}

  /// The next one; null if there is none. No more than `wanted` are upcast for it.
  Result<const Record*> next(std::size_t wanted) {
    if (versions_.chains == nullptr) {  // most pages; to gather one at a time would cost a thirtieth of them
      STELE_ASSIGN(const bool found, stream_.next(*records_[0]));
      return found ? records_[0] : nullptr;
    }
    if (given_ < count_) ++given_;
    if (given_ == count_) STELE_TRY(read(wanted));
    return given_ == count_ ? nullptr : records_[given_];
  }
  /// How the one that was given last is shown; null = as it is stored.
  [[nodiscard]] const Upcast* upcast() const { return upcasts_.empty() ? nullptr : &upcasts_[given_]; }
  /// Whether another one can be had at no cost.
  [[nodiscard]] bool has_more() const { return given_ + 1 < count_; }

 private:
  static constexpr std::size_t kRecordsMax = 128;
  static constexpr std::size_t kDataBytesMax = 1U << 20;

  Status read(std::size_t wanted) {
    given_ = count_ = 0;
    upcasts_.clear();
    const std::size_t most = std::clamp<std::size_t>(wanted, 1, kRecordsMax);
    for (std::size_t bytes = 0; count_ < most && bytes < kDataBytesMax; ++count_) {
      if (count_ == records_.size()) records_.push_back(others_.emplace_back(std::make_unique<Record>()).get());
      STELE_ASSIGN(const bool found, stream_.next(*records_[count_]));
      if (!found) break;
      bytes += records_[count_]->header().data_length.value_or(0);
    }
    if (wanted == 0) return {};
    const std::vector<const Record*> read(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(count_));
    UpcastTerms terms;
    terms.abandoned = [this] { return asker_.abandoned(); };
    upcasts_ = upcast_events(read, versions_, terms);
    return {};
  }

  EventStream& stream_;
  const ShownVersions& versions_;
  const Request& asker_;
  std::vector<std::unique_ptr<Record>> others_;
  std::vector<Record*> records_;
  std::vector<Upcast> upcasts_;
  std::size_t count_ = 0;
  std::size_t given_ = 0;
};

/// The records of a query as NDJSON, up to `end`.
class RecordLines : public BodySource {
 public:
  RecordLines(const Store& store, const RecordList& list, EventQuery query, Position end, std::size_t limit,
              const Request& asker, ReadLimits limits, const EventNotes* notes, ShownVersions versions)
      : store_(store),
        list_(list),
        query_(std::move(query)),
        end_(end),
        left_(limit == 0 ? std::numeric_limits<std::size_t>::max() : limit),
        asker_(asker),
        limits_(limits),
        notes_(notes),
        versions_(std::move(versions)) {}

  Result<bool> next(std::string& to) override {
    if (left_ == 0) return false;
    const std::size_t begin = to.size();
    ReadBudget budget = read_budget(asker_, limits_);
    const auto view = store_.view_until(end_);
    STELE_ASSIGN(const std::unique_ptr<EventStream> stream, view->query(query_, &budget));
    std::optional<Position> last;
    ListedRecords records(*stream, versions_, asker_, record_);
    while (left_ > 0 && (to.size() < begin + kPieceBytes || records.has_more())) {
      STELE_ASSIGN(const Record* const record, records.next(left_));
      if (record == nullptr) {
        if (!stream->rest_behind()) left_ = 0;
        last = stream->rest_behind();
        break;
      }
      list_.line_item(to, *record, notes_, records.upcast());
      to += '\n';
      --left_;
      last = record->header().position;
    }
    if (left_ == 0) return to.size() > begin;
    if (last) apply_cursor(query_, *last);
    if (to.size() == begin && asker_.abandoned()) return stream_abandoned();
    return true;
  }

 private:
  const Store& store_;
  const RecordList& list_;
  EventQuery query_;
  const Position end_;
  std::size_t left_;
  const Request& asker_;
  const ReadLimits limits_;
  const EventNotes* const notes_;
  const ShownVersions versions_;
  Record record_;
};

std::variant<Response, Problem> page_of(const ReadView& view, const RecordList& list, const RecordListRequest& request,
                                        const Request& asker, ReadLimits limits, const EventNotes* notes,
                                        const ShownVersions& versions) {
  ReadBudget budget = read_budget(asker, limits);
  auto stream = view.query(request.query, &budget);
  if (!stream) return read_failed();
  Response response;
  std::string& body = response.body;
  thread_local std::size_t page_bytes = 0;  // of the last one: the next is likely to need as much
  body.reserve(std::min(page_bytes + page_bytes / 8, kPieceBytes));
  JsonWriter json(body);
  json.begin_object().key(list.member).begin_array();
  thread_local Record first;
  ListedRecords records(**stream, versions, asker, first);
  std::optional<Position> last;  // where the next page goes on behind
  std::size_t count = 0;
  while (true) {
    const auto found = records.next(request.limit - count);
    if (!found) return read_failed();
    const Record* const record = *found;
    if (record == nullptr) last = (*stream)->rest_behind();
    if (record == nullptr || count == request.limit || body.size() >= kPageBytesMax) break;
    list.page_item(json.value(), *record, notes, records.upcast());
    last = record->header().position;
    response.shown.add(*last);
    ++count;
  }
  json.end_array().key("nextCursor");
  if (last) {
    const std::string cursor = encode_cursor({list.cursors, request.query.direction, *last, {}}, request.filters);
    json.plain(cursor);
    std::string link = "<";
    link.append(list.path) += '?';
    if (!request.link_query.empty()) link += request.link_query + '&';
    response.headers.emplace_back("Link", link + "cursor=" + cursor + ">; rel=\"next\"");
  } else {
    json.null();
  }
  json.end_object();
  page_bytes = body.size();
  return response;
}

}  // namespace

std::optional<Problem> read_record_list(Parameters& parameters, const RecordList& list, const AcceptedForm& form,
                                        const Limits& limits, const Uuid& store, RecordListRequest& to) {
  to.format = form.format;
  to.type = form.type;
  if (const auto order = parameters.text("order")) {
    if (*order == "desc") {
      to.query.direction = Direction::Descending;
    } else if (*order != "asc") {
      parameters.refuse("order", "Must be asc or desc.");
    }
  }
  const auto limit = parameters.integer("limit", 1, limits.page_max);
  to.limit = static_cast<std::size_t>(limit.value_or(to.format == BodyFormat::Ndjson ? 0 : limits.page_default));
  const auto cursor = parameters.text("cursor", kCursorBytesMax);
  if (auto problem = parameters.problem()) return problem;

  to.filters = hash_of_list(to.query, store);
  to.link_query = parameters.encoded({"cursor", "minPosition"});
  if (!cursor) return std::nullopt;
  const auto decoded = decode_cursor(*cursor, list.cursors, to.query.direction, to.filters);
  if (const auto* error = std::get_if<CursorError>(&decoded)) {
    return Problem("invalid-cursor",
                   *error == CursorError::Mangled
                       ? "The cursor is damaged."
                       : "The cursor belongs to a query with other filters or order, or to another store.")
        .error({"parameter", "cursor", "Leave it out to begin again.", {}});
  }
  apply_cursor(to.query, std::get<Cursor>(decoded).position);
  return std::nullopt;
}

std::variant<Response, Problem> list_records(const Store& store, const RecordList& list,
                                             const RecordListRequest& request, const Request& asker, ReadLimits limits,
                                             const EventNotes* notes, ShownVersions versions) {
  if (request.format == BodyFormat::Json) return page_of(*store.view(), list, request, asker, limits, notes, versions);
  Response response;
  response.content_type = request.type;
  response.source = std::make_unique<RecordLines>(store, list, request.query, store.durable_end(), request.limit, asker,
                                                  limits, notes, std::move(versions));
  return response;
}

}  // namespace stele::api

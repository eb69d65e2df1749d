#include "api/http/problem.h"

#include <simdjson.h>

#include <array>

#include "api/json/json_writer.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::array kProblemKinds{
    ProblemKind{"malformed-request", 400, "Malformed request",
                "The request is not valid HTTP, or not encrypted where TLS is spoken. Correct it before sending it "
                "again."},
    ProblemKind{"malformed-json", 400, "Malformed JSON",
                "The body is not JSON text in UTF-8. `detail` says where it breaks. Nothing was stored."},
    ProblemKind{
        "malformed-encoding", 400, "Malformed content encoding",
        "The body is not what its Content-Encoding says: damaged, cut short or followed by something else. Nothing was "
        "stored."},
    ProblemKind{"invalid-path", 400, "Invalid path",
                "The path has a `%` that no two hex digits follow, or is not UTF-8 when it is decoded."},
    ProblemKind{
        "unknown-parameter", 400, "Unknown query parameter",
        "The endpoint has no query parameter of this name. `errors` names it; a misspelt filter is never ignored."},
    ProblemKind{"invalid-parameter", 400, "Invalid query parameter",
                "A query parameter has a value it cannot have, or stands more than once. `errors` names it."},
    ProblemKind{
        "invalid-cursor", 400, "Invalid cursor",
        "The cursor is damaged, or belongs to a query with other filters or to another store. Start again without a "
        "cursor."},
    ProblemKind{"invalid-header", 400, "Invalid header field",
                "A header field has a value it cannot have. `errors` names it."},
    ProblemKind{"credentials-required", 401, "Credentials are required",
                "The request needs `Authorization: Bearer` with an API key or a JWT."},
    ProblemKind{"invalid-credentials", 401, "Invalid credentials",
                "The API key is not known, revoked or expired, or the JWT is not one that is trusted here. `detail` "
                "says what is wrong."},
    ProblemKind{"insufficient-role", 403, "Role does not suffice", "The caller's role does not allow this."},
    ProblemKind{"foreign-user-id", 403, "Another user's id",
                "Only the roles service and admin may append events for another `userId` than their own. `errors` "
                "names the event. Nothing was stored."},
    ProblemKind{"foreign-origin", 403, "Foreign origin",
                "A page of another origin asks for a WebSocket, and `--cors-origin` does not name that origin."},
    ProblemKind{"aggregate-type-not-allowed", 403, "Aggregate type is not allowed",
                "The caller is limited to aggregate types. An event or a condition is about an aggregate of another "
                "type, or of none. Nothing was stored."},
    ProblemKind{"limit-forbids", 403, "The key's limit forbids this",
                "The caller is limited to aggregate types, and this concerns more than what is of those types."},
    ProblemKind{"unknown-log-key", 403, "Key of the log is not known",
                "No key that this witness (`stele witness`) knows of the log has signed the checkpoint."},
    ProblemKind{"not-found", 404, "Not found", "There is no such resource."},
    ProblemKind{"event-not-found", 404, "Event not found", "No event has this id."},
    ProblemKind{"aggregate-not-found", 404, "Aggregate not found", "No event belongs to an aggregate of this id."},
    ProblemKind{"handler-not-found", 404, "Handler not found",
                "No handler of this name, or none with this version, is registered for the aggregate type."},
    ProblemKind{"schema-not-found", 404, "Schema not found",
                "No schema is registered for this event type, or it has no such version, or that was withdrawn."},
    ProblemKind{"alias-not-found", 404, "Alias not found",
                "Events of this type are shown under the name that they have."},
    ProblemKind{"snapshot-not-found", 404, "Snapshot not found",
                "No state of this aggregate is kept, or none at or before that sequence number."},
    ProblemKind{
        "not-yet-covered", 404, "Not yet covered",
        "No signed checkpoint covers this yet. One is signed each second while the log grows: try again, or ask "
        "with `wait=checkpoint`."},
    ProblemKind{"policy-not-found", 404, "Policy not found", "No snapshot policy is set for this aggregate type."},
    ProblemKind{"subscription-not-found", 404, "Subscription not found",
                "No subscription has this id, or it is not the caller's."},
    ProblemKind{"redaction-not-found", 404, "Redaction not found", "No redaction has this id."},
    ProblemKind{"hold-not-found", 404, "Legal hold not found", "There is no legal hold of this name."},
    ProblemKind{"dead-letter-not-found", 404, "Dead letter not found",
                "The subscription has no dead letter at this position."},
    ProblemKind{
        "method-not-allowed", 405, "Method not allowed",
        "The resource does not have this method; `Allow` lists those it has. Events are never changed or deleted."},
    ProblemKind{"not-acceptable", 406, "Not acceptable", "`Accept` rules out every form this resource has."},
    ProblemKind{"request-timeout", 408, "Request timeout", "The request did not arrive in time. Send it again."},
    ProblemKind{"event-id-conflict", 409, "Event id is taken",
                "An event with this id is stored already and differs from the one sent, or the list is not exactly one "
                "earlier commit. "
                "Nothing was stored."},
    ProblemKind{"event-redacted", 409, "Event is redacted",
                "An event with this id is stored, but its body was removed, so it cannot be told whether this is a "
                "repeat. Nothing was "
                "stored."},
    ProblemKind{
        "sequence-conflict", 409, "Sequence number conflict",
        "The event expected another sequence number than the next one of its aggregate. `currentSequenceNumber` is the "
        "last "
        "one stored; `conflictingEvents` are the first events that took the expected places. Nothing was stored."},
    ProblemKind{"condition-failed", 409, "Condition failed",
                "The condition of the commit does not hold. `mismatches` names aggregates, `conflictingEvents` the "
                "first events that "
                "broke it. Nothing was stored."},
    ProblemKind{"schema-incompatible", 409, "Schema is not compatible",
                "Events that are stored do not satisfy the schema (`failures` names the first of them, `failed` counts "
                "all), or it does not go together with the versions before it. Nothing was registered."},
    ProblemKind{
        "broken-upcaster-chain", 409, "Upcasters do not follow each other",
        "An upcaster takes the data of the version before the one that is registered, and its `from` names that "
        "version. `detail` says which it is now. Nothing was registered."},
    ProblemKind{
        "candidate-pending", 409, "A schema is being registered",
        "A version of the schema of this event type is held against what is stored: until that has ended no other "
        "is registered, and none is withdrawn. `candidate` is its path."},
    ProblemKind{
        "candidate-ended", 409, "The registration has ended",
        "The version is not held against what is stored any more: it is registered, or was cancelled or refused."},
    ProblemKind{"schema-in-use", 409, "Schema is in use",
                "Events have this version, so it cannot be withdrawn. `position` is that of the first one."},
    ProblemKind{
        "alias-conflict", 409, "Alias leads further",
        "An alias is one step: its name must not itself be shown under another one, nor may other names lead to "
        "the one that it is set for. Nothing was changed."},
    ProblemKind{"subscription-not-paused", 409, "Subscription is not paused",
                "Only a paused subscription can be set to another place. `state` is what it is now."},
    ProblemKind{"subscription-not-active", 409, "Subscription is not active",
                "The subscription delivers nothing now. `state` and `reason` say why; it may have to be resumed."},
    ProblemKind{"lease-expired", 409, "Lease has expired",
                "The time for these events is over, or they were answered already: they are, or will be, given to "
                "whoever pulls next. Nothing was acknowledged."},
    ProblemKind{"delivery-in-progress", 409, "Delivery is in progress",
                "The event is being delivered at this moment. Try again once that has ended."},
    ProblemKind{"not-redactable", 409, "Not redactable",
                "The store's own state cannot be redacted: nothing would keep what it says."},
    ProblemKind{
        "legal-hold", 409, "Under a legal hold",
        "A legal hold keeps what was to be redacted; `holds` names up to eight that do. Nothing is removed before "
        "they are released."},
    ProblemKind{"still-retained", 409, "Still to be retained",
                "The body of this action is younger than its class is kept, by the policy or at least by the operator "
                "(`--retention-minimum`); `retainedUntil` says until when."},
    ProblemKind{"data-redacted", 410, "Data is redacted",
                "The data of this event was removed. Its header and hashes remain."},
    ProblemKind{"payload-too-large", 413, "Request too large",
                "The request is larger, or holds more events, than the server takes at once. Send it in parts."},
    ProblemKind{"event-too-large", 413, "Event too large",
                "The data or metadata of an event is beyond the limit. `errors` names it."},
    ProblemKind{"uri-too-long", 414, "Request target too long", "The path and query are longer than the server takes."},
    ProblemKind{"unsupported-media-type", 415, "Unsupported media type",
                "Events are sent as application/json, or as lines: application/x-ndjson, application/ndjson or "
                "application/jsonl. In UTF-8, plain or with the content encoding gzip or zstd."},
    ProblemKind{"expectation-failed", 417, "Expectation failed", "Only `Expect: 100-continue` is understood."},
    ProblemKind{
        "misdirected-request", 421, "Not addressed to this server",
        "The request names a host that this server does not answer to: without authentication, a server on loopback "
        "answers to addresses, `localhost` and names given with `--host` only, so that no page in a browser reaches it "
        "by "
        "a name of its own."},
    ProblemKind{
        "invalid-event", 422, "Invalid event or condition",
        "The body is JSON but not what it should be. `errors` lists what is wrong and where. Nothing was stored."},
    ProblemKind{"inconsistent-checkpoint", 422, "Checkpoint does not continue the log",
                "The proof does not lead from the checkpoint that this witness (`stele witness`) has cosigned last to "
                "this one."},
    ProblemKind{
        "schema-violation", 422, "Schema is violated",
        "The data of an event does not satisfy the schema of its version, or one that is being registered. `errors` "
        "says where. Nothing was stored."},
    ProblemKind{"unknown-schema-version", 422, "Unknown version of the schema",
                "The event's `version` is none that is registered for its type. Nothing was stored."},
    ProblemKind{"schema-limit", 422, "Beyond what schemas may cost",
                "Validating takes more work than is spent on it, or more stored events would have to be looked through "
                "than in one request. Nothing happened."},
    ProblemKind{"invalid-schema", 422, "Invalid schema",
                "The schema is no JSON Schema of draft-07 or 2020-12, refers to another document, has a pattern that "
                "cannot be matched in linear time, or is beyond a limit. `errors` says where."},
    ProblemKind{
        "invalid-upcaster", 422, "Invalid upcaster",
        "The source of the upcaster is no script whose value is a function. `line` and `column` say where, if that "
        "is known. Nothing was registered."},
    ProblemKind{"upcast-failed", 422, "The event cannot be upcast",
                "The upcasters of its event type cannot bring the data of an event to the version that was asked for: "
                "`detail` says why. `schemaVersion=stored` gives it as it is stored."},
    ProblemKind{"too-many-schemas", 422, "Too many schemas",
                "The event type has as many versions, or there are as many event types with schemas, or as many bytes "
                "of upcasters, as there may be."},
    ProblemKind{"too-many-aliases", 422, "Too many aliases",
                "As many event types have an alias, or are shown under this name, as may be."},
    ProblemKind{"aggregate-type-conflict", 422, "Aggregate has another type",
                "The type of an aggregate is fixed by its first event. `storedAggregateType` is what it is; null means "
                "none for ever."},
    ProblemKind{"after-beyond-head", 422, "Position is beyond the head",
                "`condition.after` names a position that no record has yet. `size` is the number of records."},
    ProblemKind{
        "invalid-request", 422, "Invalid request",
        "The body is JSON but not what it should be. `errors` lists what is wrong and where. Nothing happened."},
    ProblemKind{"sequence-beyond-head", 422, "Sequence number is beyond the head",
                "The aggregate has fewer events. `currentSequenceNumber` is the number of its last one."},
    ProblemKind{"invalid-handler", 422, "Invalid handler",
                "The source is not a script whose value is an object of functions. `line` and `column` say where it "
                "breaks, if it is its syntax; `scriptMessage` is what the engine says."},
    ProblemKind{"handler-failed", 422, "The handler failed",
                "The handler threw (`scriptMessage`, `line`, `column`), or its state is not what JSON can hold "
                "(`pointer`). `position`, `sequenceNumber` and `eventType` say at which event."},
    ProblemKind{"handler-limit", 422, "The handler passed a limit",
                "The handler took too long, too much memory, or made too large a state. `limit` names it; `position`, "
                "`sequenceNumber` and `eventType` say at which event, if it was one."},
    ProblemKind{"handler-impure", 422, "The handler is not pure",
                "The handler keeps state outside what it returns, so what it gives depends on where folding began: no "
                "snapshot is taken. The list of handlers says since which event."},
    ProblemKind{"handlers-unavailable", 422, "Handlers are not available",
                "This server cannot run scripts, or is told not to. `detail` says why. `merge` and `last` are there."},
    ProblemKind{"too-many-handlers", 422, "Too many handlers",
                "The aggregate type has as many handlers, or the handler as many versions, as there may be."},
    ProblemKind{"too-many-policies", 422, "Too many policies", "There are as many snapshot policies as there may be."},
    ProblemKind{"too-many-holds", 422, "Too many legal holds", "There are as many legal holds as there may be."},
    ProblemKind{"too-many-subscriptions", 422, "Too many subscriptions",
                "There are as many subscriptions as there may be."},
    ProblemKind{"callback-refused", 422, "Callback is refused",
                "The URL is none that callbacks may go to. `detail` says why; addresses that are not public have to be "
                "allowed by the operator (`--allow-callback-net`)."},
    ProblemKind{"redis-not-configured", 422, "Redis is not configured",
                "The subscription delivers to Redis, and this server was started without `--redis`."},
    ProblemKind{"other-delivery-kind", 422, "Subscription delivers in another way",
                "What was asked for belongs to subscriptions of another kind of delivery: events are pulled from those "
                "of type `pull`, and secrets sign those of type `webhook`."},
    ProblemKind{"too-many-requests", 429, "Too many requests",
                "Bad credentials came too often from this address. Wait as long as `Retry-After` says."},
    ProblemKind{"busy-replays", 429, "Too many replays",
                "As many replays as there may be are under way, or one trial of this caller. Nothing happened; try "
                "again after `Retry-After` seconds."},
    ProblemKind{"busy-checks", 429, "Too many checks",
                "As many schemas as there may be are held against stored events at the moment. Nothing happened; try "
                "again after `Retry-After` seconds."},
    ProblemKind{"too-many-streams", 429, "Too many live streams",
                "As many live streams as there may be are open; `limit` names the limit. Try again after `Retry-After` "
                "seconds."},
    ProblemKind{"too-many-waiting", 429, "Too many wait already",
                "As many requests as there may be wait for this subscription. Try again after `Retry-After` seconds."},
    ProblemKind{"header-too-large", 431, "Header too large",
                "The header fields are more or larger than the server takes."},
    ProblemKind{"internal-error", 500, "Internal error", "The server failed at something it should not fail at."},
    ProblemKind{"storage-error", 500, "Stored bytes cannot be read",
                "Bytes that the answer rests on are damaged or cannot be read. The operator's log says which."},
    ProblemKind{
        "busy", 503, "Busy",
        "A bound of the server is reached: of a queue, of memory or of connections. Nothing happened; try again "
        "after `Retry-After` seconds."},
    ProblemKind{
        "unavailable", 503, "Unavailable",
        "The store does not accept events now (reads go on), or the server is shutting down. Nothing was stored. "
        "Try again after `Retry-After` seconds."},
    ProblemKind{
        "audit-unavailable", 503, "It cannot be recorded",
        "The server refuses what it cannot record in the audit trail (`--on-audit-failure=refuse`), and records cannot "
        "be written now. Try again after `Retry-After` seconds."},
    ProblemKind{
        "schema-changed", 503, "Schemas are changing",
        "Schemas changed each time the request was about to be stored, or are being changed by another request. "
        "Nothing was stored. Try again after `Retry-After` seconds."},
    ProblemKind{
        "clock-jump", 503, "The clock jumped",
        "The server's clock jumped ahead by more than a day, and every later event would carry that time. Nothing "
        "was stored; reads go on, and repeats are answered. Try again after `Retry-After` seconds: appending works "
        "again as soon as the clock is back."},
    ProblemKind{
        "outcome-unknown", 503, "Outcome unknown",
        "A write failed on the way to the disk, or memory ran out for the answer, so the events may or may not be "
        "stored. Send the same request with the same event ids (or the same Idempotency-Key) again, after the server's "
        "restart if a write failed: it is stored exactly once."},
    ProblemKind{"tree-rebuilding", 503, "The tree is being rebuilt",
                "Hashes of the Merkle tree that were missing or damaged are being made again; until then there are no "
                "proofs. `progress` says how far that is."},
    ProblemKind{"worker-died", 503, "The worker died",
                "The process that ran the handler ended for a reason that is not the handler's. Another one serves the "
                "next request: try again."},
    ProblemKind{"position-not-reached", 503, "Position not reached",
                "`minPosition` was not readable in time. Try again after `Retry-After` seconds."},
    ProblemKind{"not-ready", 503, "Not ready", "The server should get no traffic now. The members say why."},
    ProblemKind{"http-version-not-supported", 505, "HTTP version not supported",
                "The server speaks HTTP/1.0 and HTTP/1.1."},
    ProblemKind{
        "disk-full", 507, "Disk full",
        "There is no room for more events. Nothing was stored. Appending works again as soon as there is space."},
};

void write_error(JsonWriter& json, const FieldError& error) {
  json.begin_object();
  json.key(error.kind).string(printable(error.where));
  json.key("detail").string(printable(error.detail));
  if (error.line) json.key("line").number(*error.line);
  json.end_object();
}

void write_kind(JsonWriter& json, const ProblemKind& kind) {
  json.begin_object();
  json.key("type").string("/problems/" + std::string(kind.slug));
  json.key("title").string(kind.title);
  json.key("status").number(kind.status);
  json.key("description").string(kind.meaning);
  json.end_object();
}

}  // namespace

std::span<const ProblemKind> problem_kinds() { return kProblemKinds; }

const ProblemKind* find_problem_kind(std::string_view slug) {
  for (const ProblemKind& kind : kProblemKinds) {
    if (kind.slug == slug) return &kind;
  }
  return nullptr;
}

Problem::Problem(std::string_view slug, std::string detail)
    : kind_(find_problem_kind(slug)), detail_(std::move(detail)) {
  STELE_CHECK(kind_ != nullptr);
}

Problem& Problem::error(FieldError error) {
  errors_.push_back(std::move(error));
  return *this;
}

Problem& Problem::errors(std::vector<FieldError> errors) {
  errors_ = std::move(errors);
  return *this;
}

Problem& Problem::header(std::string_view name, std::string value) {
  headers_.emplace_back(name, std::move(value));
  return *this;
}

Problem& Problem::member(std::string_view name, std::string json) {
  members_.emplace_back(name, std::move(json));
  return *this;
}

Problem& Problem::text_member(std::string_view name, std::string_view text) {
  std::string json;
  append_json_string(json, printable(text));
  return member(name, std::move(json));
}

Response Problem::response(std::string_view instance) const {
  Response response;
  response.status = kind_->status;
  response.problem = kind_;
  response.content_type = "application/problem+json";
  response.headers = headers_;
  JsonWriter json(response.body);
  json.begin_object();
  json.key("type").string("/problems/" + std::string(kind_->slug));
  json.key("title").string(kind_->title);
  json.key("status").number(kind_->status);
  json.key("detail").string(printable(detail_));
  json.key("instance")
      .string(instance.empty() ? "urn:uuid:" + to_string(make_uuid_v7(system_clock())) : printable(instance));
  if (!errors_.empty()) {
    json.key("errors").begin_array();
    for (const FieldError& error : errors_) write_error(json, error);
    json.end_array();
  }
  for (const auto& [name, value] : members_) json.key(name).raw(value);
  json.end_object();
  return response;
}

Response problem_response(std::string_view slug, std::string detail) {
  const Problem problem(slug, std::move(detail));
  Response response = problem.response({});
  if (response.status == 503 || response.status == 429) response.headers.emplace_back("Retry-After", "1");
  return response;
}

std::string without_paths(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  std::size_t i = 0;
  while (i < text.size()) {
    const bool starts = i == 0 || std::string_view(" \t'\"([=:,").find(text[i - 1]) != std::string_view::npos;
    if (text[i] != '/' || !starts) {
      result += text[i++];
      continue;
    }
    const std::size_t end = std::min(text.find_first_of(" \t'\")],:", i), text.size());
    const std::string_view path = text.substr(i, end - i);
    const std::size_t last = path.find_last_of('/');
    // A lone slash between words is punctuation, not a path.
    result += path.size() == 1 ? path : path.substr(last + 1);
    i = end;
  }
  return result;
}

std::string printable(std::string_view text) {
  std::string result(text);
  if (!simdjson::validate_utf8(result)) {
    for (char& c : result) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  return result;
}

std::string describe(const ProblemKind& kind) {
  std::string text;
  JsonWriter json(text);
  write_kind(json, kind);
  return text;
}

std::string describe_problem_kinds() {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("problems").begin_array();
  for (const ProblemKind& kind : kProblemKinds) write_kind(json, kind);
  json.end_array().end_object();
  return text;
}

}  // namespace stele::api

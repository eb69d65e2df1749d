#include "api/events/appender.h"

#include <algorithm>
#include <new>
#include <utility>

#include "api/access/append_authorization.h"
#include "api/events/event_json.h"
#include "api/events/event_reads.h"
#include "api/http/bounded_read.h"
#include "api/http/decompressor.h"
#include "api/http/request_headers.h"
#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

/// A receipt of more events is put together on the read pool, so that it does not hold up other connections.
constexpr std::size_t kInlineReceiptEventsMax = 64;
constexpr std::size_t kConflictingEventsMax = 10;
/// A compressed body that is larger, or becomes larger, is decompressed on the read pool.
constexpr std::size_t kInlineDecompressedMax = 64U << 10;
constexpr std::size_t kBodyPadding = 64;  // as Request::body() has it
constexpr std::string_view kRetrySoon = "1";
constexpr std::string_view kRetryLater = "5";

std::string json_string(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  return json;
}

/// The first events that stand in the way, as a JSON list, as far as the caller may see them.
class ConflictingEvents {
 public:
  ConflictingEvents(const ReadView& view, const Caller& caller, ReadBudget& budget)
      : view_(view), caller_(caller), budget_(budget), json_(text_) {
    json_.begin_array();
  }

  void add(Position position) {
    if (count_ == kConflictingEventsMax || !view_.read(position, record_)) return;
    write();
  }
  /// Those of an aggregate from a sequence number on.
  void add(const std::string& aggregate_id, SequenceNumber from) {
    EventQuery query;
    query.aggregate_id = aggregate_id;
    query.from_sequence = from;
    auto stream = view_.query(query, &budget_);
    if (!stream) return;
    while (count_ < kConflictingEventsMax) {
      const auto more = (*stream)->next(record_);
      if (!more || !*more) return;
      write();
    }
  }
  [[nodiscard]] std::string finish() {
    json_.end_array();
    return std::move(text_);
  }

 private:
  void write() {
    if (!caller_.may_see(record_.header())) return;
    append_event_json(json_.value(), record_, DataForm::AsSent);
    ++count_;
  }

  const ReadView& view_;
  const Caller& caller_;
  ReadBudget& budget_;
  std::string text_;
  JsonWriter json_;
  Record record_;
  std::size_t count_ = 0;
};

/// Also for an aggregate that is not there. One that began after the caller's rights were checked may be another's.
bool may_see(const ReadView& view, const Caller& caller, const std::string& aggregate_id) {
  const auto aggregate = view.aggregate(aggregate_id);
  return aggregate && (!*aggregate || caller.may_see(**aggregate));
}

}  // namespace

struct AppendCall : Call {
  using Call::Call;
  std::string decompressed;  ///< a small body
  Proposal proposal;         ///< until it is proposed
  bool sealed = false;       ///< its events are
  Decision decision;
};

Appender::Appender(Store& store, Scheduler& scheduler, const ServiceOptions& options)
    : store_(store),
      scheduler_(scheduler),
      options_(options),
      clock_(options.clock ? *options.clock : system_clock()) {}

std::shared_ptr<Call> Appender::make_call(const Request& request, Reply reply, const ServiceOptions& options) {
  return std::make_shared<AppendCall>(request, std::move(reply), options);
}

void Appender::handle(const std::shared_ptr<Call>& any) {
  const auto call = std::static_pointer_cast<AppendCall>(any);
  const Request& request = call->request();
  AppendContext context;
  context.correlation_id = call->correlation();
  context.caller = call->caller().name();
  if (request.has_header("Idempotency-Key")) {
    context.idempotency_key = idempotency_key_of(request.header("Idempotency-Key"));
    if (!context.idempotency_key) {
      const std::string detail = "Must be 1 to 255 visible ASCII characters, in quotes or not.";
      return call->fail(
          Problem("invalid-header", "Idempotency-Key: " + detail).error({"header", "Idempotency-Key", detail, {}}));
    }
  }
  if (context.correlation_id.empty()) context.correlation_id = to_string(make_uuid_v7(clock_));

  if (call->body_coding() == ContentCoding::Identity) {
    return propose(call, request.body(), call->body_format(), context, DiskWait::Never);
  }
  decompress_body(call, std::move(context));
}

void Appender::decompress_body(const std::shared_ptr<AppendCall>& call, AppendContext context) {
  const ContentCoding coding = call->body_coding();
  const BodyFormat format = call->body_format();
  const auto refuse = [](AppendCall& refused, Decompressed::Outcome outcome, std::size_t bytes_max) {
    if (outcome == Decompressed::Outcome::TooLarge) {
      return refused.fail(Problem("payload-too-large", "The body is longer than " + std::to_string(bytes_max) +
                                                           " bytes when it is decompressed."));
    }
    if (outcome == Decompressed::Outcome::WindowTooLarge) {
      return refused.fail(Problem(
          "payload-too-large", "The body was compressed with a zstd window of more than " +
                                   std::to_string(1U << kZstdWindowLogMax) +
                                   " bytes, the largest there is in HTTP (RFC 9659). Compress it with a smaller one."));
    }
    refused.fail(
        Problem("malformed-encoding",
                "The body is not what its Content-Encoding says, is cut short, or is followed by something else."));
  };
  const std::string_view body = call->request().body();
  if (body.size() <= kInlineDecompressedMax) {
    Decompressed small = decompress(coding, body, kInlineDecompressedMax, kBodyPadding);
    if (small.outcome == Decompressed::Outcome::Whole) {
      call->decompressed.swap(small.bytes);  // with the padding behind it
      return propose(call, call->decompressed, format, context, DiskWait::Never);
    }
    if (small.outcome != Decompressed::Outcome::TooLarge) return refuse(*call, small.outcome, 0);
  }
  // The decompressed body lives no longer than this work, so that there are never more of them than threads.
  const bool taken = scheduler_.run_on_read_pool([this, call, coding, format, context = std::move(context), refuse] {
    if (call->request().is_cut_off()) return call->drop();
    answer_exceptions(*call, [&] {
      const std::size_t bytes_max = options_.limits.body_bytes_max;
      const Decompressed whole = decompress(coding, call->request().body(), bytes_max, kBodyPadding);
      if (whole.outcome != Decompressed::Outcome::Whole) return refuse(*call, whole.outcome, bytes_max);
      propose(call, whole.bytes, format, context, DiskWait::Allowed);
    });
  });
  if (!taken) {
    call->fail(Problem("busy", "Too many requests wait for the read pool. Nothing was stored.")
                   .header("Retry-After", std::string(kRetrySoon)));
  }
}

void Appender::propose(const std::shared_ptr<AppendCall>& call, std::string_view body, BodyFormat format,
                       const AppendContext& context, DiskWait wait) {
  body = without_byte_order_mark(body);
  if (const auto problem = parse_append(body, format, options_.limits, context, clock_, call->proposal)) {
    return call->fail(*problem);
  }
  if (submit(call, body, format, wait)) return;
  const bool taken = scheduler_.run_on_read_pool([this, call, body, format] {
    answer_exceptions(*call, [&] { (void)submit(call, body, format, DiskWait::Allowed); });
  });
  if (!taken) {
    call->fail(Problem("busy", "Too many requests wait for the disk. Nothing was stored.")
                   .header("Retry-After", std::string(kRetrySoon)));
  }
}

bool Appender::submit(const std::shared_ptr<AppendCall>& call, std::string_view body, BodyFormat format,
                      DiskWait wait) {
  const RulesOutcome rules = apply_append_rules(call->caller(), store_, body, format, call->proposal, wait);
  if (rules.would_wait) return false;
  if (rules.problem) {
    call->fail(*rules.problem);
    return true;
  }
  if (!std::exchange(call->sealed, true)) {
    for (RecordDraft& draft : call->proposal.events) draft.seal();
  }
  AppendCallback callback = [this, call](Decision decision) {
    call->decision = std::move(decision);
    call->has_acted();
    // One of the two owns the call from here on; the request lives until it is answered.
    const Request& waiting = call->request();
    try {
      waiting.resume([this, call] { answer_exceptions(*call, [&] { decided(call); }); });
    } catch (const std::bad_alloc&) {
      call->fail_for_memory();
    }
  };
  if (wait == DiskWait::Never) return store_.append_at_once(call->proposal, callback);
  store_.append(std::move(call->proposal), std::move(callback));
  return true;
}

void Appender::decided(const std::shared_ptr<AppendCall>& call) {
  using Kind = AppendOutcome::Kind;
  const Decision& decision = call->decision;
  const Kind kind = decision.outcome.kind;
  const bool repeats = std::any_of(decision.duplicates.begin(), decision.duplicates.end(),
                                   [](const auto& at) { return at.has_value(); });
  const bool reads = repeats || kind == Kind::Replayed || kind == Kind::SequenceConflict ||
                     kind == Kind::ConditionFailed || decision.proposal.events.size() > kInlineReceiptEventsMax;
  if (!reads) return answer(*call);
  const bool taken = scheduler_.run_on_read_pool([this, call] {
    call->on_read_pool();
    answer_exceptions(*call, [&] { answer(*call); });
  });
  if (taken) return;
  // What is stored must be answered; its records were written a moment ago and are in memory.
  if (!repeats && kind == Kind::Stored) return answer(*call);
  call->fail(Problem("busy", "Too many reads wait for the disk. Nothing was stored.")
                 .header("Retry-After", std::string(kRetrySoon)));
}

void Appender::answer(AppendCall& call) {
  const AppendOutcome outcome = store_.finish(call.decision);
  if (outcome.kind == AppendOutcome::Kind::Stored || outcome.kind == AppendOutcome::Kind::Replayed) {
    call.send(receipt(call, outcome));
  } else {
    call.fail(refusal(call, outcome));
  }
}

Response Appender::receipt(AppendCall& call, const AppendOutcome& outcome) const {
  const bool replayed = outcome.kind == AppendOutcome::Kind::Replayed;
  const Proposal& proposal = call.decision.proposal;
  const bool is_list = proposal.is_list;
  Response response;
  response.status = replayed ? 200 : 201;
  std::string& body = response.body;
  body.reserve(320 * outcome.count + 16);
  response.headers.reserve(4);
  if (is_list) body += "{\"events\":[";
  const auto add = [&](std::uint32_t i, const RecordHeader& header) {
    if (i > 0) {
      body += ',';
    } else if (header.correlation_id) {
      call.correlate(std::string(*header.correlation_id));
    }
    append_receipt_json(body, header);
    if (!is_list) response.headers.emplace_back("Location", "/v1/events/" + to_string(header.event_id));
  };
  if (replayed) {
    const auto view = store_.view();
    thread_local Record record;
    for (std::uint32_t i = 0; i < outcome.count; ++i) {
      if (const Status read = view->read(outcome.first.plus(i), record); !read) {
        return Problem("storage-error", "The events are stored, but the receipt cannot be read back.")
            .response(call.request().path());
      }
      add(i, record.header());
    }
  } else {
    // What was stored is known without reading it back.
    for (std::uint32_t i = 0; i < outcome.count; ++i) add(i, stored_header(proposal, outcome, i));
  }
  if (is_list) body += "]}";
  if (replayed) response.headers.emplace_back("Idempotent-Replayed", "true");
  return response;
}

Problem Appender::refusal(const AppendCall& call, const AppendOutcome& outcome) const {
  using Kind = AppendOutcome::Kind;
  const Proposal& proposal = call.decision.proposal;
  const Caller& caller = call.caller();
  const std::size_t index = std::min<std::size_t>(outcome.event_index, proposal.events.size() - 1);
  const RecordDraft& draft = proposal.events[index];
  const auto placed = [&](Problem problem) {
    if (proposal.is_list) problem.member("eventIndex", std::to_string(index));
    return problem;
  };
  const auto id_is_taken = [&] {
    return placed(Problem("event-id-conflict", "The event id " + to_string(draft.event_id) +
                                                   " is taken by an event with other content or of another commit."))
        .member("eventId", json_string(to_string(draft.event_id)));
  };
  switch (outcome.kind) {
    case Kind::EventIdConflict:
      return id_is_taken();
    case Kind::EventRedacted:
      // Whether that event is one the caller may see was not compared.
      if (caller.is_limited()) return id_is_taken();
      return placed(Problem("event-redacted",
                            "The event id " + to_string(draft.event_id) + " is taken by an event that was redacted."))
          .member("eventId", json_string(to_string(draft.event_id)));
    case Kind::SequenceConflict: {
      const SequenceNumber expected = draft.expected_sequence.value_or(SequenceNumber{});
      const auto view = store_.view();
      ReadBudget budget = read_budget(call.request(), options_.read_limits);
      ConflictingEvents conflicting(*view, caller, budget);
      conflicting.add(draft.aggregate_id, expected);
      return placed(Problem("sequence-conflict", "The event expected to be number " + std::to_string(expected.value()) +
                                                     " of its aggregate, which has " +
                                                     std::to_string(outcome.current.value()) + "."))
          .member("aggregateId", json_string(draft.aggregate_id))
          .member("currentSequenceNumber", std::to_string(outcome.current.value()))
          .member("expectedSequenceNumber", std::to_string(expected.value()))
          .member("conflictingEvents", conflicting.finish());
    }
    case Kind::ConditionFailed: {
      std::string mismatches;
      JsonWriter json(mismatches);
      json.begin_array();
      const auto view = store_.view();
      ReadBudget budget = read_budget(call.request(), options_.read_limits);
      ConflictingEvents conflicting(*view, caller, budget);
      for (const Position position : outcome.conflicting) conflicting.add(position);
      for (const AppendOutcome::Mismatch& mismatch : outcome.mismatches) {
        if (!may_see(*view, caller, mismatch.aggregate_id)) continue;
        json.begin_object().key("aggregateId").string(mismatch.aggregate_id);
        json.key("currentSequenceNumber").number(mismatch.current.value());
        const auto& conditions = proposal.condition.aggregates;
        const auto condition = std::find_if(conditions.begin(), conditions.end(), [&](const auto& each) {
          return each.aggregate_id == mismatch.aggregate_id;
        });
        if (condition != conditions.end()) {
          json.key("lastSequenceNumber");
          if (condition->last) {
            json.number(condition->last->value());
            if (mismatch.current > *condition->last) conflicting.add(mismatch.aggregate_id, condition->last->next());
          } else {
            json.plain("exists");
          }
        }
        json.end_object();
      }
      json.end_array();
      return Problem("condition-failed", outcome.mismatches.empty() ? "Events match that must not be there."
                                                                    : "An aggregate is not where the condition says.")
          .member("mismatches", std::move(mismatches))
          .member("conflictingEvents", conflicting.finish());
    }
    case Kind::AggregateTypeConflict:
      if (!caller.may_use_type(outcome.stored_aggregate_type)) return placed(foreign_type());
      return placed(Problem("aggregate-type-conflict",
                            "The aggregate was begun with another aggregateType, or with none."))
          .member("aggregateId", json_string(draft.aggregate_id))
          .member("storedAggregateType",
                  outcome.stored_aggregate_type ? json_string(*outcome.stored_aggregate_type) : "null");
    case Kind::AfterBeyondHead:
      return Problem("after-beyond-head",
                     "condition.after must be less than " + std::to_string(outcome.first.value()) + ".")
          .error({"pointer", "/condition/after", "No record has this position yet.", {}})
          .member("size", std::to_string(outcome.first.value()));
    case Kind::ConditionTooCostly:
      return Problem("invalid-event", "The condition takes too much work to check. Nothing was stored.")
          .error({"pointer",
                  "/condition/failIfEventsMatch",
                  "Whether events match all of this would have to be looked for among too many: name rarer values, or "
                  "a later `after`.",
                  {}});
    case Kind::TooLarge:
      return {"payload-too-large", "The events are too large to be stored as one commit."};
    case Kind::Busy:
      return Problem("busy", "Too many events wait to be stored. Nothing was stored.")
          .header("Retry-After", std::string(kRetrySoon));
    case Kind::ClockJump:
      return Problem("clock-jump", "The server's clock jumped ahead. Nothing was stored.")
          .header("Retry-After", std::string(kRetryLater));
    case Kind::DiskFull:
      return {"disk-full", "There is no room for more events. Nothing was stored."};
    case Kind::OutcomeUnknown:
      return Problem("outcome-unknown", "Writing failed: the events may or may not be stored.")
          .header("Retry-After", std::string(kRetryLater));
    case Kind::ReadFailed:
      return {"storage-error", "Stored bytes that the answer needs cannot be read."};
    case Kind::Stored:
    case Kind::Replayed:
    case Kind::Unavailable:
      break;
  }
  return Problem("unavailable", "The store does not accept events now. Nothing was stored.")
      .header("Retry-After", std::string(kRetryLater));
}

}  // namespace stele::api

#include "api/events/appender.h"

#include <algorithm>
#include <new>
#include <utility>

#include "api/access/append_authorization.h"
#include "api/endpoint/proof_wait.h"
#include "api/endpoint/store_refusal.h"
#include "api/events/append_refusal.h"
#include "api/events/event_reads.h"
#include "api/http/bounded_read.h"
#include "api/http/decompressor.h"
#include "api/http/request_headers.h"
#include "api/json/json_text.h"
#include "api/records/event_json.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

/// A receipt of more events is put together on the read pool, so that it does not hold up other connections.
constexpr std::size_t kInlineReceiptEventsMax = 64;
/// A compressed body that is larger, or becomes larger, is decompressed on the read pool.
constexpr std::size_t kInlineDecompressedMax = 64U << 10;
constexpr std::size_t kProvenEventsMax = 1000;  ///< a proof has up to some kilobytes
constexpr std::size_t kBodyPadding = 64;        // as Request::body() has it
constexpr int kSchemaChangesMax = 3;            ///< after which a request is validated again

}  // namespace

struct AppendCall : Call {
  using Call::Call;
  std::string decompressed;               ///< a small body
  Proposal proposal;                      ///< until it is proposed
  EventPlaces places;                     ///< of its events
  std::vector<EventMatch> asked_matches;  ///< of its condition, as they were sent: aliases widen it for each attempt
  int schema_changes = 0;                 ///< while it was being proposed
  bool sealed = false;                    ///< its events are
  bool wants_proofs = false;
  Decision decision;
};

Appender::Appender(Store& store, Scheduler& scheduler, const ServiceOptions& options, EventSchemas& schemas,
                   AppendListener on_append, EventProofs* proofs)
    : store_(store),
      scheduler_(scheduler),
      options_(options),
      schemas_(schemas),
      on_append_(std::move(on_append)),
      proofs_(proofs),
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
  if (!request.query().empty()) {
    Parameters parameters(request.query(), {"wait"});
    call->wants_proofs = read_proof_wait(parameters);
    if (call->wants_proofs && proofs_ == nullptr) parameters.refuse("wait", "This server signs no checkpoints.");
    if (const auto problem = parameters.problem()) return call->fail(*problem);
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
  call->places = EventPlaces(body, format, call->proposal.is_list);
  if (call->wants_proofs && call->proposal.events.size() > kProvenEventsMax) {
    return call->fail(Problem("payload-too-large", "With wait=checkpoint a request has at most " +
                                                       std::to_string(kProvenEventsMax) +
                                                       " events. Nothing was stored."));
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
  const AuthorizationOutcome rules =
      apply_append_authorization(call->caller(), store_, body, format, call->proposal, wait);
  if (rules.would_wait) return false;
  if (rules.problem) {
    call->fail(*rules.problem);
    return true;
  }
  return submit_validated(call, wait);
}

bool Appender::submit_validated(const std::shared_ptr<AppendCall>& call, DiskWait wait) {
  auto& matches = call->proposal.condition.fail_if_events_match;
  if (call->asked_matches.empty()) {
    call->asked_matches = matches;
  } else {
    matches = call->asked_matches;
  }
  const EventSchemas::Verdict verdict = schemas_.check(call->proposal, call->places, wait);
  if (verdict.would_wait) return false;
  if (verdict.problem) {
    call->fail(*verdict.problem);
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

void Appender::submit_again(const std::shared_ptr<AppendCall>& call) {
  const bool taken = scheduler_.run_on_read_pool([this, call] {
    answer_exceptions(*call, [&] {
      if (const auto problem = schemas_.catch_up(call->decision.outcome.first)) return call->fail(*problem);
      call->proposal = std::move(call->decision.proposal);
      call->decision = {};
      (void)submit_validated(call, DiskWait::Allowed);
    });
  });
  if (!taken) {
    call->fail(Problem("busy", "Too many requests wait for the disk. Nothing was stored.")
                   .header("Retry-After", std::string(kRetrySoon)));
  }
}

void Appender::decided(const std::shared_ptr<AppendCall>& call) {
  using Kind = AppendOutcome::Kind;
  const Decision& decision = call->decision;
  const Kind kind = decision.outcome.kind;
  if (kind == Kind::SchemaChanged && call->schema_changes++ < kSchemaChangesMax) return submit_again(call);
  const bool repeats = std::any_of(decision.duplicates.begin(), decision.duplicates.end(),
                                   [](const auto& at) { return at.has_value(); });
  const bool reads = repeats || kind == Kind::Repeated || kind == Kind::SequenceConflict ||
                     kind == Kind::ConditionFailed || decision.proposal.events.size() > kInlineReceiptEventsMax;
  if (!reads) return answer(call);
  const bool taken = scheduler_.run_on_read_pool([this, call] {
    call->on_read_pool();
    answer_exceptions(*call, [&] { answer(call); });
  });
  if (taken) return;
  // What is stored must be answered; its records were written a moment ago and are in memory.
  if (!repeats && kind == Kind::Stored) return answer(call);
  call->fail(Problem("busy", "Too many reads wait for the disk. Nothing was stored.")
                 .header("Retry-After", std::string(kRetrySoon)));
}

void Appender::answer(const std::shared_ptr<AppendCall>& call) {
  const AppendOutcome outcome = store_.finish(call->decision);
  if (outcome.kind == AppendOutcome::Kind::Stored && on_append_) on_append_(call->decision.proposal, outcome);
  if (outcome.kind == AppendOutcome::Kind::Stored || outcome.kind == AppendOutcome::Kind::Repeated) {
    if (call->wants_proofs) return answer_with_proofs(call, outcome);
    call->send(receipt(*call, outcome, false));
  } else {
    const auto view = store_.view();
    ReadBudget budget = read_budget(call->request(), options_.read_limits);
    call->fail(append_refusal(call->decision.proposal, outcome, call->caller(), *view, budget, options_.notes));
  }
}

void Appender::answer_with_proofs(const std::shared_ptr<AppendCall>& call, const AppendOutcome& outcome) {
  const auto go_on = [this, call, outcome](PositionWaiters::Outcome) {
    const bool taken = scheduler_.run_on_read_pool([this, call, outcome] {
      call->on_read_pool();
      answer_exceptions(*call, [&] { call->send(receipt(*call, outcome, true)); });
    });
    // What is stored must be answered, with proofs or without.
    if (!taken) answer_exceptions(*call, [&] { call->send(receipt(*call, outcome, false)); });
  };
  const Position last = outcome.first.plus(outcome.count - 1);
  if (!proofs_->wait_covered(last, kProofWait, go_on)) call->send(receipt(*call, outcome, false));
}

Response Appender::receipt(AppendCall& call, const AppendOutcome& outcome, bool with_proofs) const {
  const bool repeated = outcome.kind == AppendOutcome::Kind::Repeated;
  const Proposal& proposal = call.decision.proposal;
  const bool is_list = proposal.is_list;
  Response response;
  response.status = repeated ? 200 : 201;
  std::string& body = response.body;
  body.reserve(320 * outcome.count + 16);
  response.headers.reserve(4);
  if (is_list) body += "{\"events\":[";
  const auto view = with_proofs || repeated ? store_.view() : nullptr;
  thread_local Record record;
  thread_local Record proven;
  const auto add_proof = [&](std::string& receipt_json, Position position) {
    if (!view->read(position, proven)) return;
    const auto proof = proofs_->proof_json(proven);
    // Without one it is a receipt all the same; the event's own `proof` says why there is none.
    if (const auto* json = std::get_if<std::string>(&proof)) {
      receipt_json.back() = ',';
      receipt_json.append("\"proof\":").append(*json).append("}");
    }
  };
  const auto add = [&](std::uint32_t i, const RecordHeader& header) {
    if (i > 0) {
      body += ',';
    } else if (header.correlation_id) {
      call.correlate(std::string(*header.correlation_id));
    }
    append_receipt_json(body, header);
    if (with_proofs) add_proof(body, outcome.first.plus(i));
    if (!is_list) response.headers.emplace_back("Location", "/v1/events/" + to_string(header.event_id));
  };
  if (repeated) {
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
  if (repeated) response.headers.emplace_back("Idempotent-Replayed", "true");
  return response;
}

}  // namespace stele::api

#pragma once
// POST /v1/events.

#include <memory>

#include "api/endpoint/append_listener.h"
#include "api/endpoint/call.h"
#include "api/endpoint/event_proofs.h"
#include "api/endpoint/event_schemas.h"
#include "api/events/append_parser.h"
#include "api/http/content_coding.h"
#include "engine/store/store.h"

namespace stele::api {

struct AppendCall;

/// The handler. Reads the body on the request's I/O thread, proposes it, and answers on that thread again when the
/// outcome is durable; what has to wait for a cold disk is proposed from the read pool, and what may have to (repeats,
/// conflicts, long lists) is answered from there.
class Appender {
 public:
  /// `proofs`: what receipts may be asked to prove; null = nothing. All must outlive it.
  Appender(Store& store, Scheduler& scheduler, const ServiceOptions& options, EventSchemas& schemas,
           AppendListener on_append, EventProofs* proofs);

  /// The kind of call that handle() takes.
  [[nodiscard]] static std::shared_ptr<Call> make_call(const Request& request, Reply reply,
                                                       const ServiceOptions& options);
  void handle(const std::shared_ptr<Call>& call);

 private:
  void decompress_body(const std::shared_ptr<AppendCall>& call, AppendContext context);
  /// `body` stays where it is until the call is answered, unless waiting is allowed: then until this returns.
  void propose(const std::shared_ptr<AppendCall>& call, std::string_view body, BodyFormat format,
               const AppendContext& context, DiskWait wait);
  /// What is behind parsing; false if it would have to wait for the disk, and nothing has happened.
  [[nodiscard]] bool submit(const std::shared_ptr<AppendCall>& call, std::string_view body, BodyFormat format,
                            DiskWait wait);
  /// The same, behind what is asked once of a request.
  [[nodiscard]] bool submit_validated(const std::shared_ptr<AppendCall>& call, DiskWait wait);
  /// Schemas were changed meanwhile.
  void submit_again(const std::shared_ptr<AppendCall>& call);
  void decided(const std::shared_ptr<AppendCall>& call);
  void answer(const std::shared_ptr<AppendCall>& call);
  /// Answers once a checkpoint covers what is stored, or after some time.
  void answer_with_proofs(const std::shared_ptr<AppendCall>& call, const AppendOutcome& outcome);
  [[nodiscard]] Response receipt(AppendCall& call, const AppendOutcome& outcome, bool with_proofs) const;

  Store& store_;
  Scheduler& scheduler_;
  const ServiceOptions& options_;
  EventSchemas& schemas_;
  const AppendListener on_append_;
  EventProofs* const proofs_;
  const Clock& clock_;
};

}  // namespace stele::api

#pragma once
// POST /v1/events.

#include <memory>

#include "api/append_parser.h"
#include "api/call.h"
#include "api/content_coding.h"
#include "engine/store.h"

namespace stele::api {

struct AppendCall;

/// Reads the body on the request's I/O thread, proposes it, and answers on that thread again when the outcome is
/// durable; what may have to wait for a cold disk (repeats, conflicts, long lists) is answered from the read pool.
class Appender {
 public:
  Appender(Store& store, Scheduler& scheduler, const ServiceOptions& options);

  void handle(const Request& request, Reply reply);

 private:
  void begin(const std::shared_ptr<AppendCall>& call);
  void decompress_body(const std::shared_ptr<AppendCall>& call, ContentCoding coding, BodyFormat format,
                       AppendContext context);
  void propose(const std::shared_ptr<AppendCall>& call, std::string_view body, BodyFormat format,
               const AppendContext& context);
  void decided(const std::shared_ptr<AppendCall>& call);
  void answer(AppendCall& call);
  [[nodiscard]] Response receipt(AppendCall& call, const AppendOutcome& outcome) const;
  [[nodiscard]] Problem refusal(const AppendCall& call, const AppendOutcome& outcome) const;

  Store& store_;
  Scheduler& scheduler_;
  const ServiceOptions& options_;
  const Route& route_;
  const Clock& clock_;
};

}  // namespace stele::api

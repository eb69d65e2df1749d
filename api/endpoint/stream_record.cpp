#include "api/endpoint/stream_record.h"

#include <utility>

namespace stele::api {

namespace {

constexpr std::chrono::hours kInterval{1};

}  // namespace

StreamRecord::StreamRecord(const Call& call)
    : auditor_(call.auditor()),
      route_(call.route()),
      principal_(call.caller().shared_principal()),
      address_(call.request().remote_address()),
      correlation_(call.correlation()),
      filters_(call.request().query().substr(0, kFiltersBytesMax)),
      told_(std::chrono::steady_clock::now()) {}

StreamRecord::~StreamRecord() { tell(*audited_as("stream.end")); }

void StreamRecord::look_at_clock() {
  if (auditor_ == nullptr || std::chrono::steady_clock::now() - told_ < kInterval) return;
  told_ = std::chrono::steady_clock::now();
  tell(*audited_as("stream.continue"));
}

void StreamRecord::tell(const AuditedAction& action) {
  if (auditor_ == nullptr || !auditor_->records(action, ActionOutcome::Done)) return;
  AnsweredCall call{.action = &action, .route = route_};
  if (principal_ != nullptr) call.principal = principal_->name;
  call.remote_address = address_;
  call.correlation_id = correlation_;
  call.filters = filters_;
  call.shown = std::exchange(shown_, ShownRecords{});
  auditor_->note(call);
}

}  // namespace stele::api

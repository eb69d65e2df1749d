#include "api/endpoint/stream_record.h"

#include <chrono>
#include <utility>

namespace stele::api {

namespace {

constexpr std::int64_t kIntervalMicros = std::chrono::microseconds(std::chrono::hours(1)).count();

}  // namespace

StreamRecord::StreamRecord(const Call& call, const Clock& clock)
    : auditor_(call.auditor()),
      route_(call.route()),
      principal_(call.caller().shared_principal()),
      address_(call.request().remote_address()),
      correlation_(call.correlation()),
      filters_(call.request().query().substr(0, kFiltersBytesMax)),
      clock_(clock),
      told_(clock.monotonic_micros()) {}

StreamRecord::~StreamRecord() { tell(*audited_as("stream.end")); }

void StreamRecord::look_at_clock() {
  if (auditor_ == nullptr) return;
  const std::int64_t now = clock_.monotonic_micros();
  if (now - told_ < kIntervalMicros) return;
  told_ = now;
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

#pragma once
// What the audit trail is told of a live stream: at its start it is a call like any other, then once an hour, and at
// its end.

#include <cstdint>
#include <memory>
#include <string>

#include "api/access/principal.h"
#include "api/endpoint/call.h"
#include "api/endpoint/call_auditor.h"
#include "api/http/http.h"
#include "engine/base/clock.h"
#include "engine/base/ids.h"

namespace stele::api {

/// Lives as long as the stream. One thread at a time.
class StreamRecord {
 public:
  /// `clock` must outlive it.
  StreamRecord(const Call& call, const Clock& clock);
  ~StreamRecord();
  StreamRecord(const StreamRecord&) = delete;

  void show(Position position) { shown_.add(position); }
  /// To be called now and then.
  void look_at_clock();

 private:
  void tell(const AuditedAction& action);

  CallAuditor* const auditor_;  ///< null = nobody is told
  const Route* const route_;
  const std::shared_ptr<const Principal> principal_;
  // What the request has lent does not live as long as it.
  const std::string address_;
  const std::string correlation_;
  const std::string filters_;
  const Clock& clock_;
  std::int64_t told_;   ///< monotonic microseconds
  ShownRecords shown_;  ///< since it was told last
};

}  // namespace stele::api

#pragma once
// Who is told of each answered call, for the audit trail.

#include <string>
#include <string_view>

#include "api/endpoint/audited_action.h"
#include "api/http/http.h"
#include "engine/log/record.h"

namespace stele::api {

struct Route;

/// Borrowed.
struct AnsweredCall {
  /// Room for what has to be put together; reused.
  struct Texts {
    std::string resource;
    std::string filters;
  };

  const AuditedAction* action = nullptr;
  const Route* route = nullptr;  ///< null = the path has none
  ActionOutcome outcome = ActionOutcome::Done;
  int status = 200;
  std::string_view principal;  ///< empty = nobody was authenticated
  bool is_stranger =
      false;  ///< it was, or would have been, refused for its credentials: nothing of it is to be believed
  std::string_view remote_address;
  std::string_view correlation_id;  ///< empty = none
  std::string_view resource;        ///< empty = no more than the route tells
  std::string_view filters;         ///< parameters of path and query, percent-encoded
  ShownRecords shown;
};

/// The longest that is kept of AnsweredCall::filters.
inline constexpr std::size_t kFiltersBytesMax = 512;

/// Any thread. None of its functions waits for anything.
class CallAuditor {
 public:
  virtual ~CallAuditor() = default;
  /// False if a call of this kind would be audited and cannot be now, and must not be served then.
  [[nodiscard]] virtual bool may_serve(const AuditedAction& action) const = 0;
  /// Whether a call is recorded that ends so.
  [[nodiscard]] virtual bool records(const AuditedAction& action, ActionOutcome outcome) const = 0;
  /// Records a call that records() is true for.
  virtual void note(const AnsweredCall& call) = 0;
  /// The same, and has it answered, once: at once, or when the record is durable; then on another thread.
  virtual void answer(const AnsweredCall& call, Response response, Reply reply) = 0;
};

}  // namespace stele::api

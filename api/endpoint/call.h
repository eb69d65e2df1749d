#pragma once
// One request on its way through the service: adds to its answer what every answer carries, and makes sure that there
// is exactly one.

#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "api/access/principal.h"
#include "api/endpoint/call_auditor.h"
#include "api/endpoint/endpoint_table.h"
#include "api/endpoint/options.h"
#include "api/http/content_coding.h"
#include "api/http/http.h"
#include "api/http/negotiation.h"
#include "api/http/problem.h"

namespace stele::api {

/// Handed from thread to thread, used by one at a time.
class Call {
 public:
  /// `options` must outlive the call.
  Call(const Request& request, Reply reply, const ServiceOptions& options)
      : request_(&request), reply_(std::move(reply)), options_(options) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// `auditor` is told of the answer, and sends it; it must outlive the call.
  void audit(CallAuditor& auditor, const AuditedAction& action) {
    auditor_ = &auditor;
    action_ = &action;
  }
  /// What the audit trail is told of a call with that answer; borrows from the call and `to`. None if it is not
  /// audited.
  [[nodiscard]] std::optional<AnsweredCall> audited(const Response& response, AnsweredCall::Texts& to) const;
  /// Null if it is not audited.
  [[nodiscard]] CallAuditor* auditor() const { return auditor_; }
  /// Null until take().
  [[nodiscard]] const Route* route() const { return route_; }

  /// Only until it is answered.
  [[nodiscard]] const Request& request() const { return *request_; }
  [[nodiscard]] const ServiceOptions& options() const { return options_; }

  /// The id that X-Correlation-Id of the answer carries; empty = none.
  void correlate(std::string id) { correlation_ = std::move(id); }
  [[nodiscard]] const std::string& correlation() const { return correlation_; }

  /// It is on the read pool from here on, so that answering may take time.
  void on_read_pool() { on_read_pool_ = true; }

  /// A browser asks before it sends: the answer tells it the methods there are. Static storage, or the table's.
  void offer(std::string_view methods) { offered_methods_ = methods; }

  /// Takes the parameters out of the path; the answer is counted under the route from here on. If they are no text,
  /// answers 400 and gives false. `match` has a route.
  [[nodiscard]] bool take(const RouteMatch& match);
  /// The segment that stands for `{name}` in the pattern, decoded.
  [[nodiscard]] const std::string& parameter(std::string_view name) const;

  /// Finds out who calls and whether that suffices; if not, answers the refusal and gives false.
  [[nodiscard]] bool admit(Permission needed);
  /// Anyone until admit() has found out.
  [[nodiscard]] const Caller& caller() const { return caller_; }

  /// Finds out whether an endpoint takes this query, body and `Accept`; if not, answers the refusal and gives false.
  [[nodiscard]] bool bound(const EndpointLimits& limits);
  // What that has found.
  [[nodiscard]] BodyFormat body_format() const { return body_format_; }
  [[nodiscard]] ContentCoding body_coding() const { return body_coding_; }
  [[nodiscard]] const AcceptedForm& accepted() const { return accepted_; }

  /// Answers. A second answer is dropped.
  void send(Response response);
  void send(std::variant<Response, Problem> result);
  void fail(const Problem& problem);
  /// For a request that is cut off: ends it without any more work.
  void drop();
  /// Something may be stored from here on: running out of memory is an unknown outcome then.
  void has_acted() { has_acted_ = true; }
  /// 503: there was no memory. If there is not even enough for a problem, the answer has no body.
  void fail_for_memory() { fail_for_shortage("memory"); }
  /// The same if the system had no thread or no memory, of which it may have some again; else 500.
  void fail_for(const std::system_error& error);
  /// 500; `what` is for the operator's log only.
  void fail_internally(const char* what);

 private:
  [[nodiscard]] std::optional<Problem> exceeds(const EndpointLimits& limits);
  [[nodiscard]] std::optional<Problem> bad_body_form(BodyForm wanted);
  void fail_for_shortage(std::string_view what);
  void send_bare(int status);

  const Request* request_;
  Reply reply_;
  const ServiceOptions& options_;
  std::string correlation_;
  std::string_view offered_methods_;
  CallAuditor* auditor_ = nullptr;
  const AuditedAction* action_ = nullptr;
  const Route* route_ = nullptr;
  std::vector<std::string> parameters_;
  BodyFormat body_format_ = BodyFormat::Json;
  ContentCoding body_coding_ = ContentCoding::Identity;
  AcceptedForm accepted_;
  bool on_read_pool_ = false;
  bool has_acted_ = false;
  Caller caller_;
};

/// The refusal for a caller whose role does not suffice.
[[nodiscard]] Problem insufficient_role(const Caller& caller, std::string_view for_what);

/// Runs `work`; an exception becomes a 503 if memory or threads ran out, else a 500 and a line of the log.
template <class Work>
void answer_exceptions(Call& call, Work&& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    call.fail_for_memory();
  } catch (const std::system_error& e) {
    call.fail_for(e);
  } catch (const std::exception& e) {
    call.fail_internally(e.what());
  }
}

/// Runs `work(call)` on the read pool; false if that is full.
[[nodiscard]] bool try_on_read_pool(Scheduler& scheduler, const std::shared_ptr<Call>& call, EndpointHandler work);
/// The same, but answers 503 if the pool is full.
void run_on_read_pool(Scheduler& scheduler, const std::shared_ptr<Call>& call, EndpointHandler work);

}  // namespace stele::api

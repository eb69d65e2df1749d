#include "api/audit/audit_endpoints.h"

#include <utility>
#include <variant>

#include "api/audit/audit_search.h"
#include "api/endpoint/audited_action.h"
#include "api/endpoint/call.h"
#include "api/endpoint/limit_forbids.h"

namespace stele::api {

std::vector<Endpoint> AuditEndpoints::endpoints() {
  const EndpointLimits list{.answer = AnswerForm::JsonOrLines, .query = QueryUse::Read};
  return {{Method::Get, "/v1/events/audit", Permission::Audit, list, RunsOn::IoThread,
           [this](const std::shared_ptr<Call>& call) { search(call); }, audited_as("audit.search")}};
}

void AuditEndpoints::search(const std::shared_ptr<Call>& call) {
  if (const auto problem = forbidden_by_limit(call->caller())) return call->fail(*problem);
  auto parsed = parse_audit_search(call->request(), call->accepted(), options_.limits, store_.store_id());
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call->fail(*problem);
  run_on_read_pool(scheduler_, call,
                   [this, request = std::get<RecordListRequest>(std::move(parsed))](const std::shared_ptr<Call>& c) {
                     c->send(search_audit(store_, request, c->request(), options_.read_limits, options_.notes));
                   });
}

}  // namespace stele::api

#include "api/audit/redaction_request.h"

#include "api/audit/reason.h"
#include "api/audit/redaction_event.h"
#include "api/http/body_members.h"

namespace stele::api {

std::variant<RedactionRequest, Problem> parse_redaction_request(std::string_view body) {
  auto parsed = BodyMembers::parse(body, {"reason", "members", "dryRun"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  auto& members = std::get<BodyMembers>(parsed);
  RedactionRequest request;
  request.reason = required_reason(members);
  if (const auto names = members.texts("members", kBodyMembers.size())) {
    request.members = {};
    for (const std::string& name : *names) {
      if (const auto member = body_member_of(name)) {
        request.members.add(*member);
      } else {
        members.refuse("members", "Must be of data, metadata and private.");
      }
    }
  }
  request.dry_run = members.flag("dryRun").value_or(false);
  if (auto problem = members.problem()) return *std::move(problem);
  return request;
}

}  // namespace stele::api

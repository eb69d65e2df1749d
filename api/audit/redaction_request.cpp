#include "api/audit/redaction_request.h"

#include <algorithm>

#include "api/audit/redaction_event.h"
#include "api/http/body_members.h"

namespace stele::api {

namespace {

constexpr std::size_t kReasonCharactersMax = 1'000;
constexpr std::size_t kCharacterBytesMax = 4;

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

std::variant<RedactionRequest, Problem> parse_redaction_request(std::string_view body) {
  auto parsed = BodyMembers::parse(body, {"reason", "members", "dryRun"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  auto& members = std::get<BodyMembers>(parsed);
  RedactionRequest request;
  if (!members.has("reason")) members.refuse("reason", "The member is required.");
  request.reason = members.text("reason", kReasonCharactersMax * kCharacterBytesMax).value_or("");
  if (characters_in(request.reason) > kReasonCharactersMax) {
    members.refuse("reason", "Must have at most 1,000 characters.");
  }
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

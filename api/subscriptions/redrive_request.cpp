#include "api/subscriptions/redrive_request.h"

#include <utility>

#include "api/endpoint/event_filters.h"
#include "api/http/body_members.h"
#include "api/subscriptions/subscription_definition.h"

namespace stele::api {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kPositionsMax = 1'000;
constexpr std::size_t kNamesMax = 100;
constexpr std::uint64_t kRedrivesPerSecondMax = 1'000'000;
constexpr milliseconds kAgeMax{3'650LL * 86'400'000};

void read_where(BodyMembers& where, Timestamp now, DeadLetterFilter& to) {
  to.error = where.text("error", kDeliveryErrorBytesMax);
  if (const auto status = where.integer("status", 0, 999)) to.status = static_cast<std::uint16_t>(*status);
  to.event_types = where.texts("eventTypes", kNamesMax).value_or(std::vector<std::string>());
  to.aggregate_ids = where.texts("aggregateIds", kNamesMax).value_or(std::vector<std::string>());
  if (const auto age = where.duration("olderThan", milliseconds{0}, kAgeMax)) {
    to.before = Timestamp{now.micros - std::chrono::microseconds(*age).count()};
  }
}

}  // namespace

std::variant<RedriveRequest, Problem> parse_redrive_request(std::string_view body, Timestamp now) {
  auto parsed = BodyMembers::parse(body, {"positions", "where", "perSecond", "dryRun"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  BodyMembers& members = std::get<BodyMembers>(parsed);
  RedriveRequest request;
  if (const auto positions = members.integers("positions", kPositionsMax, kPositionMax)) {
    request.filter.positions.emplace();
    for (const std::uint64_t position : *positions) request.filter.positions->push_back(Position{position});
  }
  if (auto where = members.object("where", {"error", "status", "eventTypes", "aggregateIds", "olderThan"})) {
    if (members.has("positions")) members.refuse("where", "Either `positions` or `where` can be given.");
    read_where(*where, now, request.filter);
  }
  if (const auto rate = members.integer("perSecond", 1, kRedrivesPerSecondMax)) {
    request.per_second_max = static_cast<std::uint32_t>(*rate);
  }
  request.dry_run = members.flag("dryRun").value_or(false);
  if (auto problem = members.problem()) return *std::move(problem);
  return request;
}

}  // namespace stele::api

#include "api/access/append_authorization.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "api/http/bounded_read.h"
#include "api/http/event_places.h"

namespace stele::api {

namespace {

class AppendAuthorization {
 public:
  AppendAuthorization(const Caller& caller, const Store& store, std::string_view body, BodyFormat format,
                      Proposal& proposal, DiskWait wait)
      : caller_(caller), store_(store), body_(body), format_(format), proposal_(proposal), wait_(wait) {}

  AuthorizationOutcome apply() {
    AuthorizationOutcome outcome{.problem = check()};
    if (would_wait_) outcome = {.would_wait = true};
    return outcome;
  }

 private:
  std::optional<Problem> check() {
    const bool for_others = caller_.may(Permission::ActForOthers);
    for (std::size_t i = 0; i < proposal_.events.size(); ++i) {
      RecordDraft& draft = proposal_.events[i];
      draft.principal = caller_.name();
      if (draft.user_id && *draft.user_id != caller_.name() && !for_others) {
        return refused(Problem("foreign-user-id", "Only the roles service and admin may append for another userId."), i,
                       "/userId", "Leave it out, or say " + std::string(caller_.name()) + ".");
      }
      if (!caller_.is_limited()) continue;
      if (auto problem = check_type(i)) return problem;
    }
    return caller_.is_limited() ? narrow_condition() : std::nullopt;
  }

  std::optional<Problem> check_type(std::size_t index) {
    const RecordDraft& draft = proposal_.events[index];
    if (draft.aggregate_type) {
      if (!caller_.may_use_type(*draft.aggregate_type)) {
        return refused(foreign_type(), index, "/aggregateType", "Is not among the caller's aggregate types.");
      }
      named_.insert(draft.aggregate_id);
      return std::nullopt;
    }
    // An earlier event of the list named a type; if the aggregate has another one, the commit finds out.
    if (named_.contains(draft.aggregate_id)) return std::nullopt;
    const auto known = aggregate(draft.aggregate_id);
    if (const auto* problem = std::get_if<Problem>(&known)) return *problem;
    switch (std::get<Known>(known)) {
      case Known::Allowed:
        return std::nullopt;
      case Known::Foreign:
        return refused(foreign_type(), index, "/aggregateId", "Is not of one of the caller's aggregate types.");
      case Known::Unknown:
        break;
    }
    return refused(foreign_type(), index, "/aggregateType",
                   "The first event of an aggregate must name one of the caller's aggregate types.");
  }

  std::optional<Problem> narrow_condition() {
    const auto& entries = proposal_.condition.fail_if_events_match;
    if (!entries.empty()) proposal_.condition.default_aggregate_types = caller_.principal()->aggregate_types;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto& types = entries[i].aggregate_types;
      for (std::size_t t = 0; t < types.size(); ++t) {
        if (caller_.may_use_type(types[t])) continue;
        return foreign_type().error(
            {"pointer",
             "/condition/failIfEventsMatch/" + std::to_string(i) + "/aggregateTypes/" + std::to_string(t),
             "Is not among the caller's aggregate types.",
             {}});
      }
    }
    const auto& aggregates = proposal_.condition.aggregates;
    for (std::size_t i = 0; i < aggregates.size(); ++i) {
      const auto known = aggregate(aggregates[i].aggregate_id);
      if (const auto* problem = std::get_if<Problem>(&known)) return *problem;
      if (std::get<Known>(known) != Known::Foreign) continue;
      return foreign_type().error({"pointer",
                                   "/condition/aggregates/" + std::to_string(i) + "/aggregateId",
                                   "Is not of one of the caller's aggregate types.",
                                   {}});
    }
    return std::nullopt;
  }

  /// The type of an aggregate never changes, so what is known now holds when the commit is ordered.
  enum class Known { Allowed, Foreign, Unknown };
  std::variant<Known, Problem> aggregate(const std::string& id) {
    if (const auto found = looked_up_.find(id); found != looked_up_.end()) return found->second;
    const auto type = store_.aggregate_type(id, wait_);
    if (!type) {
      would_wait_ = type.error().kind == ErrorKind::WouldWait;
      return read_failed();
    }
    Known known = Known::Unknown;
    if (*type) {
      const AggregateSummary summary{.aggregate_id = id, .aggregate_type = (*type)->type};
      known = caller_.may_see(summary) ? Known::Allowed : Known::Foreign;
    }
    looked_up_.emplace(id, known);
    return known;
  }

  Problem refused(Problem problem, std::size_t index, std::string_view member, std::string detail) const {
    if (proposal_.is_list) problem.member("eventIndex", std::to_string(index));
    return problem.error(EventPlaces(body_, format_, proposal_.is_list).error(index, member, std::move(detail)));
  }

  const Caller& caller_;
  const Store& store_;
  const std::string_view body_;
  const BodyFormat format_;
  Proposal& proposal_;
  const DiskWait wait_;
  bool would_wait_ = false;
  std::map<std::string, Known, std::less<>> looked_up_;
  std::set<std::string, std::less<>> named_;  ///< aggregates whose type an event of the list has named
};

}  // namespace

AuthorizationOutcome apply_append_authorization(const Caller& caller, const Store& store, std::string_view body,
                                                BodyFormat format, Proposal& proposal, DiskWait wait) {
  if (caller.principal() == nullptr) return {};
  return AppendAuthorization(caller, store, body, format, proposal, wait).apply();
}

Problem foreign_type() {
  return {"aggregate-type-not-allowed", "The caller is limited to aggregate types of which this is none."};
}

}  // namespace stele::api

#include "api/schemas/schema_registrar.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "api/endpoint/own_events.h"
#include "api/endpoint/store_refusal.h"
#include "api/http/bounded_read.h"
#include "api/http/percent.h"
#include "api/json/json_writer.h"
#include "api/schemas/candidate_check.h"
#include "api/schemas/schema_change.h"
#include "api/schemas/schema_check.h"
#include "api/schemas/schema_event.h"
#include "api/schemas/schema_history.h"
#include "api/schemas/upcaster_trial.h"

namespace stele::api {

namespace {

/// How often a change is made again that others overtake.
constexpr int kRounds = 10;
// What is looked through in a request.
constexpr std::uint64_t kHistoryEventsMax = 100'000;
constexpr std::chrono::seconds kHistoryTimeMax{10};

Problem overtaken() {
  return Problem("schema-changed", "Other changes, or events of the type, came faster than this one could be made.")
      .header("Retry-After", std::string(kRetrySoon));
}

Problem beyond_history(std::string_view what) {
  return {"schema-limit", std::string(what) + ": at most " + std::to_string(kHistoryEventsMax) +
                              " stored events of a type are looked through in a request."};
}

Problem abandoned_check() { return Problem("busy", "Nobody waits for the answer.").header("Retry-After", "1"); }

Problem candidate_pending(std::string_view event_type, const SchemaVersion& candidate) {
  std::string path;
  JsonWriter(path).plain(candidate_path(event_type, candidate.position));
  return Problem("candidate-pending",
                 "Version " + std::to_string(candidate.version) + " of the schema is held against what is stored.")
      .member("candidate", std::move(path));
}

Problem candidate_ended(std::string detail) { return {"candidate-ended", std::move(detail)}; }

Result<bool> has_events(const ReadView& view, const std::string& event_type) {
  EventQuery query;
  query.event_types = {event_type};
  STELE_ASSIGN(const std::unique_ptr<EventStream> events, view.query(query));
  Record record;
  return events->next(record);
}

std::size_t candidate_count(const RegisteredSchemas& all) {
  std::size_t count = 0;
  for (const auto& [event_type, schemas] : all.types) count += schemas->candidate ? 1 : 0;
  return count;
}

/// Looks at all there is up to the head of now. The problem says why it has not.
std::optional<Problem> look_through(SchemaHistory& history, const Store& store, std::string_view what,
                                    const SchemaAuthor& author) {
  const auto view = store.view();
  while (true) {
    const auto looked = history.look(*view, author.abandoned);
    if (!looked) return read_failed();
    if (history.seen() > kHistoryEventsMax) return beyond_history(what);
    if (*looked == SchemaHistory::Outcome::Whole) return std::nullopt;
    if (author.abandoned && author.abandoned()) return abandoned_check();
  }
}

Problem broken_history(const SchemaHistory& history) {
  std::string failures;
  JsonWriter json(failures);
  append_failures(json, history);
  return Problem("schema-incompatible", "Of the " + std::to_string(history.checked()) + " stored events, " +
                                            std::to_string(history.failed()) + " do not satisfy the schema.")
      .member("checked", std::to_string(history.checked()))
      .member("failed", std::to_string(history.failed()))
      .member("failures", std::move(failures));
}

/// What keeps a version from being compatible with those before it.
class BreakingChanges {
 public:
  /// `direction`: whether what satisfies the earlier one does not satisfy the new one, or the other way.
  void add(std::uint32_t version, std::string_view direction, const std::vector<SchemaDifference>& differences) {
    for (const SchemaDifference& difference : differences) {
      if (++count_ > kChangesMax) return;
      if (count_ == 1) {
        first_ = "version " + std::to_string(version) + ", " + std::string(direction) + ", '" + difference.pointer +
                 "': " + difference.detail;
      }
      JsonWriter json(list_);
      if (count_ > 1) list_ += ',';
      json.begin_object().key("version").number(version).key("direction").plain(direction);
      json.key("pointer").string(printable(difference.pointer)).key("rule").plain(difference.rule);
      json.key("detail").string(printable(difference.detail)).end_object();
    }
  }
  [[nodiscard]] bool is_full() const { return count_ >= kChangesMax; }
  [[nodiscard]] std::optional<Problem> problem(SchemaCompatibility mode) const {
    if (count_ == 0) return std::nullopt;
    return Problem("schema-incompatible", "It is not " + std::string(name_of(mode)) + ": " + first_)
        .member("changes", "[" + list_ + "]");
  }

 private:
  static constexpr std::size_t kChangesMax = 50;

  std::string first_;
  std::string list_;
  std::size_t count_ = 0;
};

/// Why `to` cannot be the name that events of the type are shown under.
std::optional<Problem> alias_objection(const AliasTable& known, const std::string& event_type, const std::string& to) {
  if (to == event_type) return Problem("alias-conflict", "It is the name that the events have.");
  if (const std::string* const further = known.shown_name(to)) {
    return Problem("alias-conflict", to + " is itself shown as " + *further + ": an alias is one step.");
  }
  if (known.stored.contains(event_type)) {
    return Problem("alias-conflict", known.stored.find(event_type)->second.front() + " is shown as " + event_type +
                                         ": an alias is one step.");
  }
  const auto others = known.stored.find(to);
  if (others != known.stored.end() && others->second.size() >= SchemaRegistry::kAliasesOfNameMax) {
    return Problem("too-many-aliases", "At most " + std::to_string(SchemaRegistry::kAliasesOfNameMax) +
                                           " event types are shown under the same name.");
  }
  if (!known.shown.contains(event_type) && known.shown.size() >= SchemaRegistry::kAliasesMax) {
    return Problem("too-many-aliases",
                   "At most " + std::to_string(SchemaRegistry::kAliasesMax) + " event types have an alias.");
  }
  return std::nullopt;
}

const EventTypeSchemas& schemas_of(const RegisteredSchemas& all, std::string_view event_type) {
  static const EventTypeSchemas none;
  const EventTypeSchemas* const found = all.find(event_type);
  return found == nullptr ? none : *found;
}

}  // namespace

std::string candidate_path(std::string_view event_type, Position position) {
  std::string path = "/v1/schemas/";
  append_percent_encoded(path, event_type);
  return path + "/candidates/" + std::to_string(position.value());
}

Problem no_such_schema() {
  return {"schema-not-found", "No schema is registered for this event type, or not this version."};
}

Problem no_such_alias() { return {"alias-not-found", "Events of this type are shown under the name that they have."}; }

std::variant<SchemaRegistrar::Stored, Problem> SchemaRegistrar::store(Change change, Position schema_change,
                                                                      const SchemaAuthor& author,
                                                                      std::optional<Position>* stored_at) {
  using Kind = AppendOutcome::Kind;
  Proposal proposal;
  proposal.events.push_back(own_event(own_aggregate_id(kSchemaPrefix, change.event_type),
                                      std::string(kSchemaAggregateType), std::string(change.own_event_type),
                                      std::move(change.data), author.caller, author.correlation, clock_));
  proposal.schema_change = schema_change;
  if (change.no_events_behind) {
    proposal.condition.fail_if_events_match.push_back({.event_types = {std::move(change.event_type)}});
    proposal.condition.after = change.no_events_behind;
  }
  const AppendOutcome outcome = store_.append_and_wait(std::move(proposal));
  // By events of the type: the schemas are those that were looked at.
  if (outcome.kind == Kind::ConditionFailed) return Stored::Overtaken;
  if (outcome.kind != Kind::Stored && outcome.kind != Kind::SchemaChanged) return store_refusal(outcome.kind);
  if (stored_at != nullptr && outcome.kind == Kind::Stored) *stored_at = outcome.first;
  if (!registry_.catch_up(outcome.first)) return read_failed();
  return outcome.kind == Kind::Stored ? Stored::Yes : Stored::Overtaken;
}

std::optional<Problem> SchemaRegistrar::compare(const EventTypeSchemas& known, std::string_view schema,
                                                const SchemaSettings& settings, const SchemaAuthor& author) const {
  const SchemaCompatibility mode = settings.compatibility;
  if (mode == SchemaCompatibility::None) return std::nullopt;
  const bool full = mode == SchemaCompatibility::Full || mode == SchemaCompatibility::FullTransitive;
  const bool backward =
      full || mode == SchemaCompatibility::Backward || mode == SchemaCompatibility::BackwardTransitive;
  const bool forward = full || mode == SchemaCompatibility::Forward || mode == SchemaCompatibility::ForwardTransitive;
  const bool transitive = mode == SchemaCompatibility::BackwardTransitive ||
                          mode == SchemaCompatibility::ForwardTransitive || mode == SchemaCompatibility::FullTransitive;
  BreakingChanges changes;
  WorkBudget work(comparison_work_);
  const SchemaVersion* const newest = known.newest();
  for (std::uint32_t at = newest == nullptr ? 0 : newest->version; at != 0; at = known.versions[at - 1].from) {
    const SchemaVersion* const version = &known.versions[at - 1];
    if (version->state == SchemaVersion::State::Withdrawn) {
      if (version->upcaster != nullptr) break;
      continue;
    }
    if (author.abandoned && author.abandoned()) return abandoned_check();
    const auto earlier = registry_.text_of(*version);
    if (!earlier) return read_failed();
    if (backward) {
      changes.add(version->version, "backward", breaking_differences(*earlier, schema, settings.policy, work));
    }
    if (forward) {
      changes.add(version->version, "forward", breaking_differences(schema, *earlier, settings.policy, work));
    }
    if (work.exhausted()) {
      return Problem("schema-limit", "To compare it with version " + std::to_string(version->version) +
                                         " takes too much work. Compatibility NONE compares nothing.");
    }
    // What is older is upcast, and not as its own version says any more.
    if (!transitive || changes.is_full() || version->upcaster != nullptr) break;
  }
  return changes.problem(mode);
}

std::variant<SchemaRegistrar::Registered, SchemaRegistrar::Pending, Problem> SchemaRegistrar::register_schema(
    const std::string& event_type, const Registration& registration, const SchemaAuthor& author) {
  auto compilation = compile_member(registration.schema);
  if (const auto* const problem = std::get_if<Problem>(&compilation)) return *problem;
  const auto compiled = std::get<std::shared_ptr<const CompiledSchema>>(std::move(compilation));
  if (registration.upcaster != nullptr) {
    if (auto problem = unusable_script(*registration.upcaster, registry_.runtime(), author.abandoned)) {
      return std::move(*problem);
    }
  }
  const Digest identity = schema_identity(registration.schema);
  for (int round = 0; round < kRounds; ++round) {
    const auto all = registry_.now();
    const EventTypeSchemas& known = schemas_of(*all, event_type);
    if (known.candidate) return candidate_pending(event_type, *known.candidate);
    const auto same = std::find_if(known.versions.begin(), known.versions.end(), [&](const SchemaVersion& each) {
      if (each.identity != identity || each.state == SchemaVersion::State::Withdrawn) return false;
      const Upcaster* const upcaster = registration.upcaster.get();
      return upcaster == nullptr || (each.upcaster != nullptr && each.upcaster->identity == upcaster->identity);
    });
    if (same != known.versions.end()) {
      if (registration.active && same->state == SchemaVersion::State::Inactive) {
        const auto stored =
            store({event_type, kSchemaActivated, version_data(event_type, same->version), {}}, all->change, author);
        if (const auto* const problem = std::get_if<Problem>(&stored)) return *problem;
        if (std::get<Stored>(stored) == Stored::Overtaken) continue;
      }
      return Registered{same->version, false, compiled->ignored_keywords()};
    }
    if (known.versions.size() >= SchemaRegistry::kVersionsMax) {
      return Problem("too-many-schemas", "An event type has at most " + std::to_string(SchemaRegistry::kVersionsMax) +
                                             " versions of its schema.");
    }
    if (known.versions.empty() && !all->types.contains(event_type) && all->types.size() >= SchemaRegistry::kTypesMax) {
      return Problem("too-many-schemas",
                     "At most " + std::to_string(SchemaRegistry::kTypesMax) + " event types have schemas.");
    }
    const Upcaster* const upcaster = registration.upcaster.get();
    if (upcaster != nullptr) {
      if (auto problem = broken_step(known, *upcaster)) return std::move(*problem);
      if (all->upcaster_bytes + upcaster->text.size() > SchemaRegistry::kUpcasterBytesMax) {
        return Problem("too-many-schemas", "All upcasters together have at most " +
                                               std::to_string(SchemaRegistry::kUpcasterBytesMax) + " bytes.");
      }
    }
    const auto version = static_cast<std::uint32_t>(known.versions.size() + 1);
    Change change{event_type, kSchemaRegistered, {}, {}};
    if (known.in_force() && upcaster == nullptr) {
      const SchemaSettings settings{registration.compatibility.value_or(known.settings.compatibility),
                                    registration.policy.value_or(known.settings.policy)};
      if (auto problem = compare(known, registration.schema, settings, author)) return std::move(*problem);
    }
    change.data = registered_data(event_type, version, registration.active, known.unchecked_version_max,
                                  registration.schema, upcaster);
    if (!known.in_force() || upcaster != nullptr || version <= known.unchecked_version_max) {
      const auto view = store_.view();
      const auto found = has_events(*view, event_type);
      if (!found) return read_failed();
      if (!*found) {
        change.no_events_behind = Position{view->end().value() - 1};
      } else if (candidate_count(*all) >= SchemaCandidates::kCandidatesMax) {
        return Problem("busy-checks", "So many schemas are being registered: " +
                                          std::to_string(SchemaCandidates::kCandidatesMax) + ".")
            .header("Retry-After", std::string(kRetryLater));
      } else {
        change.own_event_type = kSchemaCandidate;
      }
    }
    const bool is_candidate = change.own_event_type == kSchemaCandidate;
    std::optional<Position> position;
    try {
      const auto stored = store(std::move(change), all->change, author, &position);
      if (const auto* const problem = std::get_if<Problem>(&stored)) {
        if (is_candidate && position) give_up(event_type, *position);
        return *problem;
      }
      if (std::get<Stored>(stored) == Stored::Overtaken) continue;
      Registered registered{version, true, compiled->ignored_keywords()};
      if (!is_candidate) return registered;
      const auto now = registry_.now();
      const auto& candidate = schemas_of(*now, event_type).candidate;
      if (!candidate || candidate->position != *position) return candidate_ended("It was cancelled.");
      auto result = check_candidate(event_type, *candidate, author);
      if (std::holds_alternative<Registered>(result)) return registered;
      return result;
    } catch (...) {  // it must not stay for ever
      if (is_candidate && position) give_up(event_type, *position);
      throw;
    }
  }
  return overtaken();
}

std::variant<SchemaRegistrar::Registered, SchemaRegistrar::Pending, Problem> SchemaRegistrar::check_candidate(
    const std::string& event_type, const SchemaVersion& candidate, const SchemaAuthor& author) {
  auto check = std::make_unique<CandidateCheck>(store_, registry_, clock_, event_type, candidate.position);
  return follow(check, candidate, author);
}

void SchemaRegistrar::give_up(const std::string& event_type, Position candidate) {
  if (candidates_.progress(candidate)) return;
  auto check = std::make_unique<CandidateCheck>(store_, registry_, clock_, event_type, candidate);
  check->drop(CandidateCheck::kFailed);
  candidates_.take(check);
}

std::variant<SchemaRegistrar::Registered, SchemaRegistrar::Pending, Problem> SchemaRegistrar::follow(
    std::unique_ptr<CandidateCheck>& check, const SchemaVersion& candidate, const SchemaAuthor& author) {
  const auto end = std::chrono::steady_clock::now() + kHistoryTimeMax;
  while (true) {
    const CandidateCheck::Step step = check->step(author.abandoned);
    const SchemaHistory* const history = check->history();
    if (step == CandidateCheck::Step::Ended) {
      if (check->is_registered()) return Registered{candidate.version, true, {}};
      if (check->reason() == CandidateCheck::kRefused) return broken_history(*history);
      if (check->reason() == CandidateCheck::kAbandoned) return abandoned_check();
      if (check->reason() == CandidateCheck::kFailed) return read_failed();
      return candidate_ended("It was cancelled.");
    }
    if (step == CandidateCheck::Step::Later && check->refusal()) {
      Problem problem = *check->refusal();
      check->drop(CandidateCheck::kFailed);
      candidates_.take(check);
      return problem;
    }
    if (author.abandoned && author.abandoned()) {
      check->drop(CandidateCheck::kAbandoned);
    } else if (step == CandidateCheck::Step::Later || (history != nullptr && history->seen() > kHistoryEventsMax) ||
               std::chrono::steady_clock::now() > end) {
      candidates_.take(check);
      return Pending{candidate};
    }
  }
}

std::optional<Problem> SchemaRegistrar::cancel(const std::string& event_type, Position candidate,
                                               const SchemaAuthor& author) {
  for (int round = 0; round < kRounds; ++round) {
    const auto all = registry_.now();
    const EventTypeSchemas& known = schemas_of(*all, event_type);
    if (!known.candidate || known.candidate->position != candidate) {
      return candidate_ended("It is registered, or was cancelled or refused before.");
    }
    const auto stored = store({event_type,
                               kSchemaCandidateDropped,
                               dropped_data(event_type, known.candidate->version, CandidateCheck::kCancelled, nullptr),
                               {}},
                              all->change, author);
    if (const auto* const problem = std::get_if<Problem>(&stored)) return *problem;
    if (std::get<Stored>(stored) == Stored::Yes) return std::nullopt;
  }
  return overtaken();
}

std::optional<Problem> SchemaRegistrar::activate(const std::string& event_type, std::uint64_t version,
                                                 const SchemaAuthor& author) {
  for (int round = 0; round < kRounds; ++round) {
    const auto all = registry_.now();
    const SchemaVersion* const found = schemas_of(*all, event_type).find(version);
    if (found == nullptr) return no_such_schema();
    if (found->state == SchemaVersion::State::Active) return std::nullopt;
    const auto stored =
        store({event_type, kSchemaActivated, version_data(event_type, found->version), {}}, all->change, author);
    if (const auto* const problem = std::get_if<Problem>(&stored)) return *problem;
    if (std::get<Stored>(stored) == Stored::Yes) return std::nullopt;
  }
  return overtaken();
}

std::optional<Problem> SchemaRegistrar::withdraw(const std::string& event_type, std::uint64_t version,
                                                 const SchemaAuthor& author) {
  std::optional<SchemaHistory> history;
  for (int round = 0; round < kRounds; ++round) {
    const auto all = registry_.now();
    const EventTypeSchemas& known = schemas_of(*all, event_type);
    const SchemaVersion* const found = known.find(version);
    if (found == nullptr) return no_such_schema();
    if (known.candidate) return candidate_pending(event_type, *known.candidate);
    if (!history) {
      // A version that nobody used before there were schemas can only be that of events behind its registration.
      const bool may_be_earlier = found->version <= known.unchecked_version_max;
      history.emplace(event_type, nullptr,
                      SchemaHistory::Wanted{.version = found->version,
                                            .after = may_be_earlier ? std::nullopt : std::optional(found->position)});
    }
    auto beyond = look_through(*history, store_, "The version cannot be withdrawn", author);
    if (history->checked() > 0) {
      return Problem("schema-in-use", "There are events that have this version.")
          .member("position", std::to_string(history->first()->value()));
    }
    if (beyond) return beyond;
    const auto stored = store({event_type, kSchemaWithdrawn, version_data(event_type, found->version), history->last()},
                              all->change, author);
    if (const auto* const problem = std::get_if<Problem>(&stored)) return *problem;
    if (std::get<Stored>(stored) == Stored::Yes) return std::nullopt;
  }
  return overtaken();
}

std::variant<SchemaSettings, Problem> SchemaRegistrar::configure(const std::string& event_type,
                                                                 std::optional<SchemaCompatibility> compatibility,
                                                                 std::optional<SchemaPolicy> policy,
                                                                 const SchemaAuthor& author) {
  for (int round = 0; round < kRounds; ++round) {
    const auto all = registry_.now();
    const SchemaSettings before = schemas_of(*all, event_type).settings;
    const SchemaSettings wanted{compatibility.value_or(before.compatibility), policy.value_or(before.policy)};
    if (wanted == before) return wanted;
    if (!all->types.contains(event_type) && all->types.size() >= SchemaRegistry::kTypesMax) {
      return Problem("too-many-schemas",
                     "At most " + std::to_string(SchemaRegistry::kTypesMax) + " event types have schemas.");
    }
    const auto stored =
        store({event_type, kSchemaConfigured, configured_data(event_type, wanted), {}}, all->change, author);
    if (const auto* const problem = std::get_if<Problem>(&stored)) return *problem;
    if (std::get<Stored>(stored) == Stored::Yes) return wanted;
  }
  return overtaken();
}

std::variant<bool, Problem> SchemaRegistrar::alias(const std::string& event_type, const std::optional<std::string>& to,
                                                   const SchemaAuthor& author) {
  for (int round = 0; round < kRounds; ++round) {
    const auto all = registry_.now();
    const AliasTable& known = *all->aliases;
    const std::string* const before = known.shown_name(event_type);
    if (!to && before == nullptr) return no_such_alias();
    if (to && before != nullptr && *before == *to) return false;
    const bool is_new = to && before == nullptr;
    if (to) {
      if (auto problem = alias_objection(known, event_type, *to)) return *std::move(problem);
    }
    const auto own_type = to ? kEventTypeAliased : kEventTypeUnaliased;
    const auto stored = store({event_type, own_type, alias_data(event_type, to), {}}, all->change, author);
    if (const auto* const problem = std::get_if<Problem>(&stored)) return *problem;
    if (std::get<Stored>(stored) == Stored::Yes) return is_new;
  }
  return overtaken();
}

}  // namespace stele::api

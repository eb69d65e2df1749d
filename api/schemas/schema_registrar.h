#pragma once
// Changes what schemas there are. No lock is held meanwhile: a change is stored only if the log has no other one by
// then, nor events that were not looked at; else it is made again on top of those.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/access/principal.h"
#include "api/http/problem.h"
#include "api/schemas/candidate_check.h"
#include "api/schemas/registered_schemas.h"
#include "api/schemas/schema_candidates.h"
#include "api/schemas/schema_registry.h"
#include "engine/base/clock.h"

namespace stele::api {

/// Who changes it.
struct SchemaAuthor {
  const Caller& caller;
  const std::string& correlation;
  std::function<bool()> abandoned;  ///< nobody waits for the answer any more
};

/// Thread-safe. Every call may take seconds and wait for the disk; what it says was done is durable, and holds for
/// every event that is stored behind it.
class SchemaRegistrar {
 public:
  /// All of them must outlive it. `comparison_work`: what comparing a schema with those before may cost, in units of
  /// WorkBudget.
  SchemaRegistrar(Store& store, SchemaRegistry& registry, SchemaCandidates& candidates, const Clock& clock,
                  std::uint64_t comparison_work)
      : store_(store), registry_(registry), candidates_(candidates), clock_(clock), comparison_work_(comparison_work) {}

  struct Registration {
    std::string_view schema;                           ///< valid JSON
    std::optional<SchemaCompatibility> compatibility;  ///< none = as the type has it
    std::optional<SchemaPolicy> policy;                ///< the same
    std::shared_ptr<const Upcaster> upcaster;          ///< null = data of the version before is data of this one
    bool active = true;
  };
  struct Registered {
    std::uint32_t version = 1;
    bool is_new = false;  ///< false: that version has this very schema (and upcaster, if there is one), and is active
                          ///< now if that was asked for
    std::vector<std::string> ignored_keywords;
  };
  /// It is held against more than is looked through in a request: `candidates` go on with it.
  struct Pending {
    SchemaVersion candidate;
  };
  /// A version that what is stored must satisfy is a candidate first, if there is any such event: from there on what is
  /// stored satisfies it, and what was stored before is held against it.
  [[nodiscard]] std::variant<Registered, Pending, Problem> register_schema(const std::string& event_type,
                                                                           const Registration& registration,
                                                                           const SchemaAuthor& author);
  /// Drops the candidate whose event has that position; `candidate-ended` if there is no such candidate any more.
  [[nodiscard]] std::optional<Problem> cancel(const std::string& event_type, Position candidate,
                                              const SchemaAuthor& author);
  /// Makes it one that events may have which are sent without a version.
  [[nodiscard]] std::optional<Problem> activate(const std::string& event_type, std::uint64_t version,
                                                const SchemaAuthor& author);
  /// Of a version that no event has.
  [[nodiscard]] std::optional<Problem> withdraw(const std::string& event_type, std::uint64_t version,
                                                const SchemaAuthor& author);
  /// None = as it is. The settings as they are then.
  [[nodiscard]] std::variant<SchemaSettings, Problem> configure(const std::string& event_type,
                                                                std::optional<SchemaCompatibility> compatibility,
                                                                std::optional<SchemaPolicy> policy,
                                                                const SchemaAuthor& author);

  /// Has events of the type shown under the name `to`, or under their own. Whether that has made an alias where there
  /// was none.
  [[nodiscard]] std::variant<bool, Problem> alias(const std::string& event_type, const std::optional<std::string>& to,
                                                  const SchemaAuthor& author);

 private:
  struct Change {
    std::string event_type;
    std::string_view own_event_type;
    std::string data;
    std::optional<Position> no_events_behind;  ///< of the type
  };
  enum class Stored : std::uint8_t {
    Yes,
    Overtaken,  ///< by another change, or by events; the registry knows of the change now
  };
  /// Why a schema does not go together with those that are there, if it does not.
  [[nodiscard]] std::optional<Problem> compare(const EventTypeSchemas& known, std::string_view schema,
                                               const SchemaSettings& settings, const SchemaAuthor& author) const;
  /// Does as much as can be done while the client waits.
  [[nodiscard]] std::variant<Registered, Pending, Problem> check_candidate(const std::string& event_type,
                                                                           const SchemaVersion& candidate,
                                                                           const SchemaAuthor& author);
  /// `check` is handed over if it takes longer.
  [[nodiscard]] std::variant<Registered, Pending, Problem> follow(std::unique_ptr<CandidateCheck>& check,
                                                                  const SchemaVersion& candidate,
                                                                  const SchemaAuthor& author);
  /// `stored_at` (may be null) is set as soon as it is stored, whatever comes after that.
  [[nodiscard]] std::variant<Stored, Problem> store(Change change, Position schema_change, const SchemaAuthor& author,
                                                    std::optional<Position>* stored_at = nullptr);
  /// A candidate is stored that nobody works on: it is dropped in the background.
  void give_up(const std::string& event_type, Position candidate);

  Store& store_;
  SchemaRegistry& registry_;
  SchemaCandidates& candidates_;
  const Clock& clock_;
  const std::uint64_t comparison_work_;
};

/// 404: the event type is shown under its own name.
[[nodiscard]] Problem no_such_alias();

/// `/v1/schemas/{eventType}/candidates/{position}`
[[nodiscard]] std::string candidate_path(std::string_view event_type, Position position);

/// 404: there is no such version of a schema for the event type.
[[nodiscard]] Problem no_such_schema();

}  // namespace stele::api

#include "api/schemas/append_validator.h"

#include <simdjson.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/http/bounded_read.h"
#include "api/records/event_upcasts.h"
#include "api/schemas/registered_upcasts.h"
#include "api/schemas/schema_counts.h"
#include "api/schemas/schema_validation.h"
#include "api/schemas/work_budget.h"

namespace stele::api {

namespace {

/// What is validated on an I/O thread: some hundred microseconds.
constexpr std::size_t kInlineEventsMax = 32;
constexpr std::size_t kInlineDataBytesMax = 32U << 10;
constexpr std::uint64_t kInlineWork = 20'000;

/// A list of 10,000 events each of which takes as much as it may would take hours. One event alone is bounded by its
/// work, however slow the machine is.
constexpr std::chrono::seconds kRequestTimeMax{5};
constexpr std::size_t kSchemaErrorsMax = 100;
// What is upcast at once.
constexpr std::ptrdiff_t kUpcastEventsMax = 128;
constexpr std::size_t kUpcastBytesMax = 4U << 20;
constexpr std::size_t kKeptDataBytesMax = 256U << 10;

/// Validates the events of one proposal, one after the other.
class ProposalValidation {
 public:
  ProposalValidation(SchemaRegistry& registry, const RegisteredSchemas& schemas, const EventPlaces& places,
                     DiskWait wait)
      : registry_(registry), schemas_(schemas), places_(places), wait_(wait) {}

  EventSchemas::Verdict run(Proposal& proposal) {
    for (std::size_t i = 0; i < proposal.events.size(); ++i) {
      RecordDraft& draft = proposal.events[i];
      if (!draft.given.schema_version) draft.schema_version = 1;
      if (i == 0 || draft.event_type != proposal.events[i - 1].event_type) {
        type_ = schemas_.find(draft.event_type);
        if (type_ != nullptr && !type_->in_force() && !type_->candidate) type_ = nullptr;
      }
      if (type_ != nullptr && !check(i, draft, i + 1 == proposal.events.size())) break;
    }
    if (!would_wait_ && !problem_) check_upcasts(proposal);
    if (would_wait_) return {.would_wait = true};
    // What is refused without waiting is looked at again.
    if (wait_ == DiskWait::Allowed || (!problem_ && slug_.empty())) tell_counts();
    if (!problem_ && slug_.empty()) return {};
    if (problem_) return {.problem = std::move(problem_)};
    std::string detail = errors_.front().where + ": " + errors_.front().detail;
    if (count_ > 1) detail += " (" + std::to_string(count_) + " errors in all)";
    Problem problem(slug_, std::move(detail));
    problem.errors(std::move(errors_));
    return {.problem = std::move(problem)};
  }

 private:
  void tell_counts() {
    ValidationCounts& all = registry_.validations();
    add_to(all.valid, valid_);
    add_to(all.invalid, invalid_);
    add_to(all.unknown_version, unknown_);
    add_to(all.too_much_work, too_much_work_);
  }

  /// False: nothing more needs to be looked at.
  bool check(std::size_t index, RecordDraft& draft, bool is_last) {
    const std::string_view data = draft.data ? std::string_view(*draft.data) : std::string_view();
    ++validated_;
    bytes_ += data.size();
    if (wait_ == DiskWait::Never && (validated_ > kInlineEventsMax || bytes_ > kInlineDataBytesMax)) return wait();
    // Where none is in force yet the candidate concerns every event, as it is.
    const SchemaVersion* const candidate = type_->in_force() ? nullptr : &*type_->candidate;
    if (!draft.given.schema_version) {
      if (const SchemaVersion* const newest = type_->newest_active()) draft.schema_version = newest->version;
    }
    const SchemaVersion* version = type_->find(draft.schema_version);
    if (candidate != nullptr && draft.schema_version <= candidate->version) version = candidate;
    if (version == nullptr) {
      ++unknown_;
      add("unknown-schema-version", index, "/version",
          "There is no version " + std::to_string(draft.schema_version) + " of the schema of " + draft.event_type +
              ".");
      return true;
    }
    auto schema = registry_.find_compiled(*version);
    if (schema == nullptr) {
      if (wait_ == DiskWait::Never) return wait();
      auto compiled = registry_.compiled(*version);
      if (!compiled) return refuse(read_failed());
      schema = std::move(*compiled);
    }
    const bool done = data.size() > kKeptDataBytesMax
                          ? validate_data(index, data, *schema, candidate, *std::make_unique<Parser>())
                          : validate_data(index, data, *schema, candidate, kept_parser());
    if (!done) return false;
    if (candidate == nullptr && type_->candidate && type_->candidate->upcaster != nullptr) {
      if (wait_ == DiskWait::Never) return wait();
      upcasts_.push_back({index, type_});
    }
    const bool is_over = wait_ == DiskWait::Allowed && validated_ > 1 && !is_last;
    return is_over && std::chrono::steady_clock::now() > end_ ? refuse_for_work(index) : true;
  }

  using Parser = simdjson::dom::parser;

  /// Whether those whose data is upcast to a version that is being registered satisfy it then.
  void check_upcasts(const Proposal& proposal) {
    for (auto from = upcasts_.begin(); from != upcasts_.end();) {
      auto to = from;
      std::size_t bytes = 0;
      while (to != upcasts_.end() && to->type == from->type && to - from < kUpcastEventsMax &&
             bytes < kUpcastBytesMax) {
        bytes += proposal.events[to->index].data->size();
        ++to;
      }
      if (!check_upcasts(proposal, {from, to})) return;
      if (to != upcasts_.end() && std::chrono::steady_clock::now() > end_) {
        (void)refuse_for_work(to->index);
        return;
      }
      from = to;
    }
  }

  struct WaitingUpcast {
    std::size_t index;  ///< of the event
    const EventTypeSchemas* type;
  };

  /// Of one type. False: nothing more needs to be looked at.
  bool check_upcasts(const Proposal& proposal, std::span<const WaitingUpcast> some) {
    const SchemaVersion& candidate = *some.front().type->candidate;
    const auto schema = registry_.compiled(candidate);
    if (!schema) return refuse(read_failed());
    const std::string& event_type = proposal.events[some.front().index].event_type;
    const auto chains = chains_with(event_type, *some.front().type, candidate.upcaster, registry_.runtime());
    std::vector<Record> records(some.size());
    std::vector<const Record*> pointers;
    for (std::size_t i = 0; i < some.size(); ++i) {
      RecordDraft draft = proposal.events[some[i].index];
      draft.seal();
      std::string bytes;
      append_record(bytes, draft.header(), draft.seed, draft.body());
      std::memcpy(records[i].prepare(bytes.size()).data(), bytes.data(), bytes.size());
      if (!records[i].decode()) return refuse(read_failed());
      pointers.push_back(&records[i]);
    }
    std::vector<Upcast> upcasts(some.size());
    chains->upcast(pointers, {SchemaVersionChoice::Kind::Exact, candidate.version}, {{}, end_}, upcasts);
    const auto parser = std::make_unique<Parser>();
    for (std::size_t i = 0; i < some.size(); ++i) {
      const std::size_t index = some[i].index;
      const auto& failure = upcasts[i].failure;
      if (failure && failure->passes) {
        if (!slug_.empty()) return false;  // which is known for sure
        return refuse(Problem("busy", "Upcasters cannot be run now, and a version of the schema is being registered.")
                          .header("Retry-After", "1"));
      }
      if (failure) {
        add("schema-violation", index, "/data" + failure->pointer, of_candidate(candidate) + failure->detail);
        continue;
      }
      const std::string& data = upcasts[i].data ? *upcasts[i].data : *proposal.events[index].data;
      if (!validate_data(index, data, **schema, &candidate, *parser)) return false;
    }
    return true;
  }

  static std::string of_candidate(const SchemaVersion& candidate) {
    return "Version " + std::to_string(candidate.version) + ", which is being registered: ";
  }

  static Parser& kept_parser() {
    thread_local Parser parser;
    return parser;
  }

  bool validate_data(std::size_t index, std::string_view data, const CompiledSchema& schema,
                     const SchemaVersion* candidate, Parser& parser) {
    simdjson::dom::element element;
    if (parser.parse(data.data(), data.size()).get(element) != simdjson::SUCCESS) {
      return refuse(Problem("busy", "There is no memory for the data of an event now.").header("Retry-After", "1"));
    }
    ValidationLimits limits;
    if (wait_ == DiskWait::Never) limits.work = inline_work_.left();
    SchemaVerdict verdict = validate(schema, element, limits);
    (void)inline_work_.spend(verdict.work);
    if (verdict.outcome == SchemaVerdict::Outcome::LimitReached) {
      if (wait_ == DiskWait::Never) return wait();
      ++too_much_work_;
      return refuse_for_work(index);
    }
    ++(verdict.violations.empty() ? valid_ : invalid_);
    const std::string whose = candidate == nullptr ? "" : of_candidate(*candidate);
    for (SchemaViolation& violation : verdict.violations) {
      add("schema-violation", index, "/data" + violation.pointer, whose + violation.detail);
    }
    return true;
  }

  bool refuse_for_work(std::size_t index) {
    constexpr const char* kDetail = "It takes too much work to validate. Nothing was stored.";
    FieldError error = places_.error(index, "/data", kDetail);
    std::string detail = error.where + ": " + kDetail;
    return refuse(Problem("schema-limit", std::move(detail)).error(std::move(error)));
  }
  void add(std::string_view slug, std::size_t index, const std::string& pointer, std::string detail) {
    if (slug_.empty()) slug_ = slug;
    if (++count_ <= kSchemaErrorsMax) errors_.push_back(places_.error(index, pointer, std::move(detail)));
  }
  bool wait() {
    would_wait_ = true;
    return false;
  }
  bool refuse(Problem problem) {
    problem_.emplace(std::move(problem));
    return false;
  }

  SchemaRegistry& registry_;
  const RegisteredSchemas& schemas_;
  const EventPlaces& places_;
  const DiskWait wait_;
  const std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + kRequestTimeMax;
  const EventTypeSchemas* type_ = nullptr;  ///< of the event that was looked at last; null: it needs no schema
  std::vector<WaitingUpcast> upcasts_;
  std::size_t validated_ = 0;
  std::size_t bytes_ = 0;
  WorkBudget inline_work_{kInlineWork};  ///< means nothing off the I/O threads
  bool would_wait_ = false;
  std::optional<Problem> problem_;
  std::string_view slug_;
  std::vector<FieldError> errors_;
  std::size_t count_ = 0;
  std::uint64_t valid_ = 0, invalid_ = 0, unknown_ = 0, too_much_work_ = 0;
};

}  // namespace

EventSchemas::Verdict AppendValidator::check(Proposal& proposal, const EventPlaces& places, DiskWait wait) {
  const auto schemas = registry_.now();
  proposal.schema_change = schemas->change;
  // Whoever has decided by a type has seen what is stored under its other names.
  for (EventMatch& match : proposal.condition.fail_if_events_match) schemas->aliases->widen(match.event_types);
  if (schemas->types.empty()) return {};
  Verdict verdict = ProposalValidation(registry_, *schemas, places, wait).run(proposal);
  if (!verdict.problem) return verdict;
  // Before it is refused: a retry of what is stored already is a success, whatever schemas say now.
  if (wait == DiskWait::Never) return {.would_wait = true};
  const auto view = store_.view();
  for (const RecordDraft& draft : proposal.events) {
    const auto stored = view->find_event(draft.event_id);
    if (!stored) return {.problem = read_failed()};
    if (*stored) return {};
  }
  return verdict;
}

std::optional<Problem> AppendValidator::catch_up(Position change) {
  return registry_.catch_up(change) ? std::nullopt : std::optional(read_failed());
}

}  // namespace stele::api

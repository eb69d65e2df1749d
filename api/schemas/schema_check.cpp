#include "api/schemas/schema_check.h"

#include <utility>

#include "api/endpoint/store_refusal.h"
#include "api/http/bounded_read.h"
#include "api/json/json_writer.h"
#include "api/schemas/registered_upcasts.h"
#include "api/schemas/schema_history.h"
#include "api/schemas/upcaster_trial.h"

namespace stele::api {

namespace {

constexpr int kTimesBusyMax = 20;

/// One of so many at once.
class CheckPlace {
 public:
  explicit CheckPlace(std::atomic<std::size_t>& running) : running_(running), number_(++running) {}
  ~CheckPlace() { --running_; }
  CheckPlace(const CheckPlace&) = delete;

  [[nodiscard]] bool is_free() const { return number_ <= SchemaChecks::kChecksMax; }

 private:
  std::atomic<std::size_t>& running_;
  const std::size_t number_;
};

class CheckBody : public BodySource {
 public:
  CheckBody(const Store& store, std::unique_ptr<CheckPlace> place, SchemaChecks::Proposed proposed, bool as_lines,
            const Request& asker)
      : store_(store),
        end_(store.durable_end()),
        place_(std::move(place)),
        history_(std::move(proposed.event_type), std::move(proposed.schema)),
        as_lines_(as_lines),
        asker_(asker) {
    history_.upcast_to(proposed.version, std::move(proposed.chains));
  }

  Result<bool> next(std::string& to) override {
    if (is_done_) return false;
    const std::uint64_t before = history_.checked();
    STELE_ASSIGN(const SchemaHistory::Outcome looked,
                 history_.look(*store_.view_until(end_), [this] { return asker_.abandoned(); }));
    is_done_ = looked == SchemaHistory::Outcome::Whole;
    times_busy_ = looked == SchemaHistory::Outcome::Busy ? times_busy_ + 1 : 0;
    if (times_busy_ > kTimesBusyMax) {
      return Error{.kind = ErrorKind::Busy, .message = "upcasters cannot be run now"};
    }
    if (is_done_) {
      JsonWriter json(to);
      json.begin_object();
      append_result(json, history_);
      json.end_object();
      if (as_lines_) to += '\n';
      place_ = nullptr;  // a client that has its answer may ask again at once
      return true;
    }
    if (asker_.abandoned()) return stream_abandoned();
    if (as_lines_ && history_.checked() != before) {
      JsonWriter(to).begin_object().key("checked").number(history_.checked()).end_object();
      to += '\n';
    }
    return true;
  }

 private:
  const Store& store_;
  const Position end_;
  std::unique_ptr<CheckPlace> place_;
  SchemaHistory history_;
  const bool as_lines_;
  const Request& asker_;
  int times_busy_ = 0;  ///< without going any further
  bool is_done_ = false;
};

}  // namespace

std::variant<Response, Problem> SchemaChecks::begin(Proposed proposed, const AcceptedForm& form, const Request& asker) {
  auto place = std::make_unique<CheckPlace>(running_);
  if (!place->is_free()) {
    return Problem("busy-checks", "So many checks are under way: " + std::to_string(kChecksMax) + ".")
        .header("Retry-After", std::string(kRetrySoon));
  }
  Response response;
  response.content_type = form.type;
  response.source = std::make_unique<CheckBody>(store_, std::move(place), std::move(proposed),
                                                form.format == BodyFormat::Ndjson, asker);
  return response;
}

std::variant<SchemaChecks::Proposed, Problem> read_proposed(const std::string& event_type, std::string_view body,
                                                            const RegisteredSchemas& registered,
                                                            const UpcastRuntime& runtime,
                                                            const std::function<bool()>& abandoned) {
  auto parsed = BodyMembers::parse(body, {"schema", "upcaster"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  auto& members = std::get<BodyMembers>(parsed);
  auto upcaster = take_upcaster(members);
  std::optional<Problem> too_large;
  const auto text = take_schema(members, too_large);
  if (too_large) return std::move(*too_large);
  if (auto problem = members.problem()) return std::move(*problem);
  auto compiled = compile_member(text.value_or(""));
  if (auto* const problem = std::get_if<Problem>(&compiled)) return std::move(*problem);
  const EventTypeSchemas* const found = registered.find(event_type);
  const EventTypeSchemas known = found == nullptr ? EventTypeSchemas() : *found;
  if (upcaster != nullptr) {
    if (auto problem = broken_step(known, *upcaster)) return std::move(*problem);
    if (auto problem = unusable_script(*upcaster, runtime, abandoned)) return std::move(*problem);
  }
  SchemaChecks::Proposed proposed;
  proposed.event_type = event_type;
  proposed.schema = std::get<std::shared_ptr<const CompiledSchema>>(std::move(compiled));
  proposed.version = static_cast<std::uint32_t>(known.versions.size() + 1);
  // As long as no version is in force, events are as they are, whatever version they name.
  if (known.in_force()) proposed.chains = chains_with(event_type, known, std::move(upcaster), runtime);
  return proposed;
}

std::optional<std::string_view> take_schema(BodyMembers& members, std::optional<Problem>& problem) {
  const auto text = members.value("schema");
  if (!text) {
    members.refuse("schema", "The member is required.");
    return std::nullopt;
  }
  if (text->text.size() > kSchemaBytesMax) {
    problem = Problem("payload-too-large", "A schema has at most " + std::to_string(kSchemaBytesMax) + " bytes.");
    return std::nullopt;
  }
  return text->text;
}

std::optional<Problem> broken_step(const EventTypeSchemas& known, const Upcaster& upcaster) {
  const SchemaVersion* const before = known.newest();
  if (before != nullptr && before->version == upcaster.from) return std::nullopt;
  std::string detail = before == nullptr ? "There is no version of the schema before this one to upcast from."
                                         : "Must be " + std::to_string(before->version) +
                                               ", the version before the one that is registered.";
  return Problem("broken-upcaster-chain", "/upcaster/from: " + detail).error({"pointer", "/upcaster/from", detail, {}});
}

std::variant<std::shared_ptr<const CompiledSchema>, Problem> compile_member(std::string_view schema) {
  auto compilation = compile_schema(schema);
  if (const auto* const error = std::get_if<SchemaError>(&compilation)) {
    return Problem("invalid-schema", "/schema" + error->pointer + ": " + error->detail)
        .error({"pointer", "/schema" + error->pointer, error->detail, {}});
  }
  return std::get<std::shared_ptr<const CompiledSchema>>(std::move(compilation));
}

}  // namespace stele::api

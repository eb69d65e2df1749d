#pragma once
// A schema held against every stored event of its type, without registering it.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/http/body_members.h"
#include "api/http/http.h"
#include "api/http/negotiation.h"
#include "api/http/problem.h"
#include "api/records/event_upcasts.h"
#include "api/schemas/compiled_schema.h"
#include "api/schemas/registered_schemas.h"
#include "api/schemas/registered_upcasts.h"
#include "api/schemas/upcaster.h"
#include "engine/store/store.h"

namespace stele::api {

/// Thread-safe. Must outlive its answers.
class SchemaChecks {
 public:
  static constexpr std::size_t kChecksMax = 2;  ///< at once: they go on for as long as there are events

  /// The store must outlive it.
  explicit SchemaChecks(const Store& store) : store_(store) {}

  /// What is to be checked: what a registration would make the next version of the type.
  struct Proposed {
    std::string event_type;
    std::shared_ptr<const CompiledSchema> schema;
    std::uint32_t version = 1;
    std::shared_ptr<const UpcastChains> chains;  ///< with that version
  };
  /// The answer: how many of the events up to the head of now do not satisfy the schema, as they would be read in that
  /// version, and which; as lines with the progress before it. It is found piece by piece, as the body is pulled, until
  /// `asker` is abandoned, which must outlive it. 429 if there are too many.
  [[nodiscard]] std::variant<Response, Problem> begin(Proposed proposed, const AcceptedForm& form,
                                                      const Request& asker);

 private:
  const Store& store_;
  std::atomic<std::size_t> running_{0};
};

/// Reads the body of a check, `{"schema","upcaster"}`, with SIMDJSON_PADDING readable bytes behind it.
[[nodiscard]] std::variant<SchemaChecks::Proposed, Problem> read_proposed(const std::string& event_type,
                                                                          std::string_view body,
                                                                          const RegisteredSchemas& registered,
                                                                          const UpcastRuntime& runtime,
                                                                          const std::function<bool()>& abandoned);

/// The text of the member `schema`; none with a problem, or one of `members`.
[[nodiscard]] std::optional<std::string_view> take_schema(BodyMembers& members, std::optional<Problem>& problem);
/// Why an upcaster does not continue what there is.
[[nodiscard]] std::optional<Problem> broken_step(const EventTypeSchemas& known, const Upcaster& upcaster);

/// Compiles the member `schema` of a body. The refusal is `invalid-schema`.
[[nodiscard]] std::variant<std::shared_ptr<const CompiledSchema>, Problem> compile_member(std::string_view schema);

}  // namespace stele::api

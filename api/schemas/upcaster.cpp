#include "api/schemas/upcaster.h"

#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "engine/base/digest.h"

namespace stele::api {

std::shared_ptr<const Upcaster> take_upcaster(BodyMembers& members) {
  constexpr std::string_view kMember = "upcaster";
  if (!members.has(kMember)) return nullptr;
  auto inner = members.object(kMember, {"from", "operations", "source"});
  if (!inner) return nullptr;
  if (!inner->has("from")) inner->refuse("from", "The member is required.");
  const auto from = inner->integer("from", 1, std::numeric_limits<std::uint32_t>::max() - 1);
  if (inner->has("operations") == inner->has("source")) {
    inner->refuse("operations", "One of operations and source is required.");
    return nullptr;
  }
  auto upcaster = std::make_shared<Upcaster>();
  JsonWriter json(upcaster->text);
  json.begin_object().key("from").number(from.value_or(0));
  if (inner->has("source")) {
    auto source = inner->long_text("source", Upcaster::kTextBytesMax);
    if (!source) return nullptr;
    upcaster->source = *std::move(source);
    json.key("source").string(upcaster->source).end_object();
  } else {
    const auto operations = inner->value("operations");
    if (operations->text.size() > Upcaster::kTextBytesMax) {
      inner->refuse("operations", "Must have at most " + std::to_string(Upcaster::kTextBytesMax) + " bytes.");
      return nullptr;
    }
    auto parsed = UpcastOperations::parse(operations->text);
    if (const auto* const error = std::get_if<OperationError>(&parsed)) {
      inner->refuse_at("operations", error->pointer, printable(error->detail));
      return nullptr;
    }
    upcaster->operations = std::get<UpcastOperations>(std::move(parsed));
    std::string minified;
    append_minified(minified, operations->text);
    json.key("operations").raw(minified).end_object();
  }
  if (!from) return nullptr;
  upcaster->from = static_cast<std::uint32_t>(*from);
  upcaster->identity = sha256({"stele/upcaster", upcaster->text});
  return upcaster;
}

}  // namespace stele::api

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
  auto inner = members.object(kMember, {"from", "operations"});
  if (!inner) return nullptr;
  if (!inner->has("from")) inner->refuse("from", "The member is required.");
  const auto from = inner->integer("from", 1, std::numeric_limits<std::uint32_t>::max() - 1);
  const auto operations = inner->value("operations");
  if (!operations) {
    inner->refuse("operations", "The member is required.");
    return nullptr;
  }
  if (operations->text.size() > Upcaster::kTextBytesMax) {
    inner->refuse("operations", "Must have at most " + std::to_string(Upcaster::kTextBytesMax) + " bytes.");
    return nullptr;
  }
  auto parsed = UpcastOperations::parse(operations->text);
  if (const auto* const fault = std::get_if<OperationFault>(&parsed)) {
    inner->refuse_at("operations", fault->pointer, printable(fault->detail));
    return nullptr;
  }
  if (!from) return nullptr;
  std::string minified;
  append_minified(minified, operations->text);
  std::string text;
  JsonWriter(text).begin_object().key("from").number(*from).key("operations").raw(minified).end_object();
  const Digest identity = sha256({"stele/upcaster", text});
  return std::make_shared<const Upcaster>(Upcaster{
      static_cast<std::uint32_t>(*from), std::get<UpcastOperations>(std::move(parsed)), std::move(text), identity});
}

}  // namespace stele::api

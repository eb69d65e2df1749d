#include "api/audit/reason.h"

#include <algorithm>
#include <string_view>

namespace stele::api {

namespace {

constexpr std::size_t kReasonCharactersMax = 1'000;
constexpr std::size_t kCharacterBytesMax = 4;

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

std::string required_reason(BodyMembers& members) {
  if (!members.has("reason")) members.refuse("reason", "The member is required.");
  std::string reason = members.text("reason", kReasonCharactersMax * kCharacterBytesMax).value_or("");
  if (characters_in(reason) > kReasonCharactersMax) members.refuse("reason", "Must have at most 1,000 characters.");
  return reason;
}

}  // namespace stele::api

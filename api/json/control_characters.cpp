#include "api/json/control_characters.h"

#include "api/json/plain_text.h"

namespace stele::api {

bool has_control_characters(std::string_view utf8) {
  const char* const end = utf8.data() + utf8.size();
  for (const char* at = utf8.data(); (at = end_of_plain(at, end)) < end; ++at) {
    const auto c = static_cast<unsigned char>(*at);
    if (c < 0x20 || c == 0x7F) return true;
    if (c == 0xC2 && end - at > 1 && static_cast<unsigned char>(at[1]) < 0xA0) return true;
  }
  return false;
}

}  // namespace stele::api

#include "engine/log/tag_list.h"

#include <algorithm>

#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace stele {

std::optional<TagList> TagList::decode(std::string_view value) {
  if (value.empty()) return std::nullopt;
  std::string_view rest = value, before;
  for (std::size_t count = 0; !rest.empty(); ++count) {
    const std::size_t length = static_cast<std::uint8_t>(rest.front());
    if (count == kTagsMax || length == 0 || length > kTagBytesMax || length >= rest.size()) return std::nullopt;
    const std::string_view tag = rest.substr(1, length);
    if (tag <= before) return std::nullopt;
    before = tag;
    rest.remove_prefix(1 + length);
  }
  return TagList(value);
}

bool TagList::contains(std::string_view tag) const { return std::find(begin(), end(), tag) != end(); }

std::string encode_tags(std::span<const std::string> tags) {
  std::string value;
  for (const std::string& tag : tags) {
    STELE_CHECK(tag.size() <= kTagBytesMax);
    put<std::uint8_t>(value, static_cast<std::uint8_t>(tag.size()));
    value += tag;
  }
  STELE_CHECK(TagList::decode(value).has_value());
  return value;
}

}  // namespace stele

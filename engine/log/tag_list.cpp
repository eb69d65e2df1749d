#include "engine/log/tag_list.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/log/extensions.h"

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

std::optional<TagList> find_tags(std::string_view extensions) {
  TagList tags;
  bool sound = true;
  const auto take = [&](ExtensionTag tag, std::string_view value) {
    if (tag != ExtensionTag::Tags) return;
    const std::optional<TagList> found = TagList::decode(value);
    sound = sound && found;
    tags = found.value_or(TagList());
  };
  if (!each_extension(extensions, take) || !sound) return std::nullopt;
  return tags;
}

std::string encode_tags(std::span<const std::string> tags) {
  std::string area;
  if (tags.empty()) return area;
  std::string value;
  for (const std::string& tag : tags) {
    STELE_CHECK(tag.size() <= kTagBytesMax);
    put<std::uint8_t>(value, static_cast<std::uint8_t>(tag.size()));
    value += tag;
  }
  STELE_CHECK(TagList::decode(value).has_value());
  put_extension(area, ExtensionTag::Tags, value);
  return area;
}

}  // namespace stele

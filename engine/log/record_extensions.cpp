#include "engine/log/record_extensions.h"

#include "engine/base/check.h"
#include "engine/log/extensions.h"

namespace stele {

std::string encode_extensions(std::span<const std::string> tags, const std::optional<std::string>& resource) {
  std::string area;
  if (!tags.empty()) put_extension(area, ExtensionTag::Tags, encode_tags(tags));
  if (resource) {
    STELE_CHECK(!resource->empty() && resource->size() <= kResourceBytesMax);
    put_extension(area, ExtensionTag::Resource, *resource);
  }
  return area;
}

bool read_extensions(RecordHeader& header) {
  header.tags = TagList();
  header.resource.reset();
  if (header.extensions.empty()) return true;
  bool sound = true;
  const auto take = [&](ExtensionTag tag, std::string_view value) {
    if (tag == ExtensionTag::Tags) {
      const std::optional<TagList> found = TagList::decode(value);
      sound = sound && found;
      header.tags = found.value_or(TagList());
    } else if (tag == ExtensionTag::Resource) {
      sound = sound && !value.empty() && value.size() <= kResourceBytesMax;
      header.resource = value;
    }
  };
  return each_extension(header.extensions, take) && sound;
}

}  // namespace stele

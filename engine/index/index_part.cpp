#include "engine/index/index_part.h"

#include <cstring>

#include "engine/base/bytes.h"
#include "engine/base/uuid.h"

namespace stele {

IndexKey system_key(SystemKey which, std::string_view text) {
  IndexKey key{KeyKind::System, std::string(1, static_cast<char>(which))};
  key.text += text;
  return key;
}

IndexKey occurred_day_key(std::int64_t day) {
  IndexKey key{KeyKind::OccurredDay, {}};
  put<std::int64_t>(key.text, day);
  return key;
}

std::int64_t day_of_key(std::string_view text) { return get_at<std::int64_t>(text.data()); }

std::int64_t day_of(Timestamp time) {
  constexpr std::int64_t kDay = 86'400'000'000;
  return time.micros / kDay - (time.micros % kDay < 0 ? 1 : 0);
}

std::string typed_aggregate_key(std::string_view type, std::string_view id) {
  std::string key(1, static_cast<char>(type.size()));
  key += type;
  key += id;
  return key;
}

std::string_view stored_key(KeyKind kind, std::string_view text, char* buffer) {
  if (kind != KeyKind::User && kind != KeyKind::Correlation) return text;
  return stored_id_key(text, parse_canonical_uuid(text), buffer);
}

std::string_view stored_id_key(std::string_view text, const std::optional<Uuid>& uuid, char* buffer) {
  if (uuid) {
    buffer[0] = 1;
    std::memcpy(buffer + 1, uuid->bytes.data(), uuid->bytes.size());
    return {buffer, 1 + uuid->bytes.size()};
  }
  STELE_CHECK(text.size() < kIndexKeyBytesMax);
  buffer[0] = 0;
  std::memcpy(buffer + 1, text.data(), text.size());
  return {buffer, 1 + text.size()};
}

}  // namespace stele

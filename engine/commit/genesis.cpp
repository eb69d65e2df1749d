#include "engine/commit/genesis.h"

#include "engine/base/bytes.h"

namespace stele {
namespace {

// Tags of the extension area (format-spec.md).
constexpr std::uint16_t kTagStoreId = 1;
constexpr std::uint16_t kTagOrigin = 2;

void put_extension(std::string& to, std::uint16_t tag, std::string_view value) {
  put<std::uint16_t>(to, tag);
  put<std::uint16_t>(to, static_cast<std::uint16_t>(value.size()));
  to.append(value);
}

}  // namespace

std::string encode_genesis(const Genesis& genesis) {
  std::string bytes;
  put_extension(bytes, kTagStoreId, as_bytes(genesis.store_id));
  put_extension(bytes, kTagOrigin, genesis.origin);
  return bytes;
}

Result<Genesis> decode_genesis(const RecordHeader& header) {
  const Error corrupt{.kind = ErrorKind::Corrupt, .message = "the first record is not a genesis record"};
  if (header.kind != RecordKind::Genesis || header.position != Position{0}) return corrupt;
  Genesis genesis;
  bool has_store_id = false;
  ByteReader in(header.extensions);
  while (in.ok() && in.left() > 0) {
    const auto tag = in.take<std::uint16_t>();
    const std::string_view value = in.take_bytes(in.take<std::uint16_t>());
    if (tag == kTagStoreId && value.size() == genesis.store_id.bytes.size()) {
      std::memcpy(genesis.store_id.bytes.data(), value.data(), value.size());
      has_store_id = true;
    } else if (tag == kTagOrigin) {
      genesis.origin = std::string(value);
    }
  }
  if (!in.ok() || !has_store_id || genesis.origin.empty()) return corrupt;
  return genesis;
}

}  // namespace stele

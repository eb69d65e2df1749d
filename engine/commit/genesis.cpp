#include "engine/commit/genesis.h"

#include "engine/base/bytes.h"
#include "engine/log/extensions.h"

namespace stele {

std::string encode_genesis(const Genesis& genesis) {
  std::string bytes;
  put_extension(bytes, ExtensionTag::StoreId, as_bytes(genesis.store_id));
  put_extension(bytes, ExtensionTag::Origin, genesis.origin);
  return bytes;
}

Result<Genesis> decode_genesis(const RecordHeader& header) {
  const Error corrupt{.kind = ErrorKind::Corrupt, .message = "the first record is not a genesis record"};
  if (header.kind != RecordKind::Genesis || header.position != Position{0}) return corrupt;
  Genesis genesis;
  bool has_store_id = false;
  const auto take = [&](ExtensionTag tag, std::string_view value) {
    if (tag == ExtensionTag::StoreId && value.size() == genesis.store_id.bytes.size()) {
      std::memcpy(genesis.store_id.bytes.data(), value.data(), value.size());
      has_store_id = true;
    } else if (tag == ExtensionTag::Origin) {
      genesis.origin = std::string(value);
    }
  };
  if (!each_extension(header.extensions, take) || !has_store_id || genesis.origin.empty()) return corrupt;
  return genesis;
}

}  // namespace stele

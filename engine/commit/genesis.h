#pragma once
// The record at position 0: who this log is.

#include <string>
#include <string_view>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "engine/log/record.h"

namespace stele {

inline constexpr std::string_view kGenesisAggregate = "$store";
inline constexpr std::string_view kGenesisEventType = "$genesis";

struct Genesis {
  Uuid store_id;
  std::string origin;  ///< name of the log, 1..255 bytes; key name of its checkpoints
};

/// The extension area of the genesis record's header, so that the leaf commits to it and no redaction reaches it.
[[nodiscard]] std::string encode_genesis(const Genesis& genesis);
/// Corrupt if `header` is not a genesis record.
[[nodiscard]] Result<Genesis> decode_genesis(const RecordHeader& header);

}  // namespace stele

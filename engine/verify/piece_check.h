#pragma once
// Decodes the records of a piece of the log and hashes their leaves: the part of verifying a log that takes the time.
// No I/O; any thread, each with its own objects.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/log/record.h"
#include "engine/verify/log_walk.h"

namespace stele {

/// What the others need to know of a record.
struct CheckedRecord {
  Digest leaf{};  ///< recomputed from the bytes of header and body
  Position position;
  SequenceNumber sequence;
  Timestamp time;
  std::uint64_t aggregate = 0;  ///< keyed_hash() of its id
  std::uint32_t offset = 0;     ///< in the file
  bool is_whole = false;        ///< otherwise only its position counts, which follows from its place
  std::uint8_t redacted = 0;    ///< members that are gone: bit 0 data, 1 metadata, 2 private fields
};

struct CheckedPiece {
  /// One for each record that the groups of the piece have, in order.
  std::vector<CheckedRecord> records;
  /// Bytes of the records that tell what others may do: the genesis record, and those of the aggregates
  /// `$key/…` and `$redaction/…`.
  std::vector<std::string> notices;
  std::vector<Finding> findings;
};

/// Empties `to` first.
void check_piece(const LogPiece& piece, CheckedPiece& to);

}  // namespace stele

#include "engine/index/run_directory.h"

#include <algorithm>
#include <bit>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/table/varint.h"

namespace stele {
std::string RunDirectory::encode() const {
  std::string to;
  put<std::uint64_t>(to, first.value());
  put<std::uint64_t>(to, end.value());
  put<std::uint64_t>(to, filter_seed);
  put<std::uint64_t>(to, times_offset);
  put<std::uint64_t>(to, times_count);
  put<std::uint64_t>(to, tail_first.value());
  put<std::uint64_t>(to, tail_offset);
  for (const TableRoot& table : tables) table.encode(to);
  put<std::uint8_t>(to, replay ? 1 : 0);
  if (!replay) return to;
  const LogPoint& log = replay->log;
  put<std::uint64_t>(to, log.segment.value());
  put<std::uint64_t>(to, log.last_group.value());
  put<std::uint64_t>(to, log.offset.value());
  put<std::uint64_t>(to, log.end.last_group.value());
  put<std::uint64_t>(to, log.end.last_link);
  put<std::int64_t>(to, log.end.last_time.micros);
  put<std::uint8_t>(to, static_cast<std::uint8_t>(replay->subtrees.size()));
  for (const Digest& subtree : replay->subtrees) to.append(as_bytes(subtree));
  return to;
}

Result<RunDirectory> RunDirectory::decode(std::string_view bytes) {
  const Error malformed{.kind = ErrorKind::Corrupt, .message = "the directory of an index run makes no sense"};
  constexpr std::size_t kFixedBytes = 7 * sizeof(std::uint64_t);
  ByteReader in(bytes.substr(0, kFixedBytes));
  RunDirectory made;
  made.first = Position{in.take<std::uint64_t>()};
  made.end = Position{in.take<std::uint64_t>()};
  made.filter_seed = in.take<std::uint64_t>();
  made.times_offset = in.take<std::uint64_t>();
  made.times_count = in.take<std::uint64_t>();
  made.tail_first = Position{in.take<std::uint64_t>()};
  made.tail_offset = in.take<std::uint64_t>();
  const bool sane = in.at_end() && made.first < made.end && made.end.since(made.first) <= UINT32_MAX &&
                    made.first <= made.tail_first && made.tail_first <= made.end && made.times_count > 0 &&
                    made.times_count <= made.end.since(made.first);
  if (!sane) return malformed;
  bytes.remove_prefix(kFixedBytes);
  for (TableRoot& table : made.tables) {
    if (!TableRoot::decode(bytes, table)) return malformed;
  }
  ByteReader rest(bytes);
  if (rest.take<std::uint8_t>() == 1) {
    ReplayPoint replay;
    LogPoint& log = replay.log;
    log.segment = SegmentId{rest.take<std::uint64_t>()};
    log.last_group = ByteOffset{rest.take<std::uint64_t>()};
    log.offset = ByteOffset{rest.take<std::uint64_t>()};
    log.end.next = made.end;
    log.end.last_group = GroupNumber{rest.take<std::uint64_t>()};
    log.end.last_link = rest.take<std::uint64_t>();
    log.end.last_time = Timestamp{rest.take<std::int64_t>()};
    const int subtrees = rest.take<std::uint8_t>();
    if (subtrees != std::popcount(made.end.value())) return malformed;
    for (int i = 0; i < subtrees; ++i) {
      Digest digest{};
      const std::string_view from = rest.take_bytes(digest.size());
      if (from.size() == digest.size()) std::copy(from.begin(), from.end(), reinterpret_cast<char*>(digest.data()));
      replay.subtrees.push_back(digest);
    }
    made.replay = std::move(replay);
  }
  if (!rest.at_end()) return malformed;
  return made;
}

void StoredAggregate::encode(std::string& to) const {
  put_varint(to, first_sequence.value());
  put_varint(to, last_sequence.since(first_sequence));
  put<std::int64_t>(to, first_time.micros);
  put_varint(to, static_cast<std::uint64_t>(last_time.micros - first_time.micros));
  put_varint(to, last_ordinal);
  put_varint(to, type ? type->size() + 1 : 0);
  if (type) to.append(*type);
}

bool StoredAggregate::decode(std::string_view& from, StoredAggregate& to) {
  std::uint64_t first = 0, more = 0, lasting = 0, last_ordinal = 0, type = 0;
  if (!take_varint(from, first) || !take_varint(from, more) || from.size() < sizeof(std::int64_t)) return false;
  to.first_time = Timestamp{get_at<std::int64_t>(from.data())};
  from.remove_prefix(sizeof(std::int64_t));
  if (!take_varint(from, lasting) || !take_varint(from, last_ordinal) || !take_varint(from, type)) return false;
  if (type > 256 || (type > 0 && type - 1 > from.size()) || last_ordinal > UINT32_MAX || more > UINT32_MAX)
    return false;
  to.first_sequence = SequenceNumber{first};
  to.last_sequence = SequenceNumber{first + more};
  to.last_time = Timestamp{static_cast<std::int64_t>(static_cast<std::uint64_t>(to.first_time.micros) + lasting)};
  to.last_ordinal = static_cast<std::uint32_t>(last_ordinal);
  to.type.reset();
  if (type > 0) {
    to.type = from.substr(0, type - 1);
    from.remove_prefix(type - 1);
  }
  return true;
}

}  // namespace stele

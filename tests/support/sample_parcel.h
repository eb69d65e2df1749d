#pragma once
// Events that are delivered, without a store that they come from.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "api/subscriptions/delivery_sink.h"
#include "engine/base/check.h"
#include "engine/log/record.h"

namespace stele::test {

/// The event id is made of the position.
inline api::Parcel sample_parcel(std::uint64_t position, const std::string& data = "{}", bool is_replay = false) {
  RecordHeader header;
  header.position = Position{position};
  header.sequence = SequenceNumber{position};
  for (std::size_t i = 0; i < 8; ++i) {
    header.event_id.bytes[15 - i] = static_cast<std::uint8_t>(position >> (8 * i));
  }
  const std::string aggregate = "m/" + std::to_string(position % 3);
  header.aggregate_id = aggregate;
  header.event_type = "Moved";
  header.data_length = static_cast<std::uint32_t>(data.size());
  std::string bytes;
  append_record(bytes, header, Seed{}, RecordBody{.data = data});
  const auto record = std::make_shared<Record>();
  std::ranges::copy(bytes, record->prepare(bytes.size()).begin());
  STELE_CHECK(record->decode());
  return {record, is_replay};
}

inline api::DeliveryBatchToSend sample_batch(const std::vector<std::uint64_t>& positions) {
  api::DeliveryBatchToSend batch{"sub_1_" + std::to_string(positions.front()), {}};
  for (const std::uint64_t position : positions) batch.parcels.push_back(sample_parcel(position));
  return batch;
}

}  // namespace stele::test

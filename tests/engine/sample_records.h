#pragma once
// Random record headers for tests of the index, with the strings they borrow.

#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/base/check.h"
#include "engine/log/record_extensions.h"

namespace stele::test {

class SampleRecords {
 public:
  explicit SampleRecords(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  [[nodiscard]] std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  /// The next record of the log; few distinct keys, so that lists are long and short.
  const RecordHeader& add() {
    RecordHeader header;
    header.position = Position{headers_.size()};
    header.aggregate_id = keep("aggregate-" + std::to_string(below(1 + below(40))));
    header.sequence = SequenceNumber{++counts_[std::string(header.aggregate_id)]};
    if (header.aggregate_id.back() % 3 != 0)
      header.aggregate_type = keep("type-" + std::string(1, header.aggregate_id.back()));
    header.event_type = keep("event-" + std::to_string(below(1 + below(12))));
    if (below(3) != 0) header.user_id = keep("user-" + std::to_string(below(5)));
    if (below(4) != 0) header.correlation_id = keep("correlation-" + std::to_string(below(200)));
    if (below(3) == 0) header.principal = keep("principal-" + std::to_string(below(4)));
    if (below(2) == 0) {
      std::set<std::string> tags;
      for (std::uint64_t count = below(5); count > 0; --count)
        tags.insert("tag-" + std::to_string(below(1 + below(9))));
      header.extensions = keep(encode_extensions(std::vector<std::string>(tags.begin(), tags.end())));
      STELE_CHECK(read_extensions(header));
    }
    time_ += static_cast<std::int64_t>(below(3));
    header.time = Timestamp{time_};
    if (below(2) == 0) {
      constexpr std::int64_t kDay = 86'400'000'000;
      header.occurred_at =
          Timestamp{static_cast<std::int64_t>(below(6)) * kDay - 3 * kDay + static_cast<std::int64_t>(below(5)) - 2};
    }
    for (auto& byte : header.event_id.bytes) byte = static_cast<std::uint8_t>(random_());
    headers_.push_back(header);
    return headers_.back();
  }

  [[nodiscard]] const std::vector<RecordHeader>& headers() const { return headers_; }

 private:
  std::mt19937_64 random_;
  std::deque<std::string> texts_;
  std::vector<RecordHeader> headers_;
  std::map<std::string, std::uint64_t> counts_;
  std::int64_t time_ = 0;
};

}  // namespace stele::test

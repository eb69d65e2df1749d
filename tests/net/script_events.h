#pragma once
// For tests of handlers: records with data as a test writes it, and folds of them.

#include <simdjson.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/replay/script_host.h"
#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"
#include "engine/log/record.h"
#include "net/worker/worker_pool.h"
#include "tests/support/build_paths.h"

namespace stele::tests {

/// As one that was read from a log.
inline std::unique_ptr<Record> script_record(std::string_view type, std::optional<std::string_view> data,
                                             std::uint64_t number = 0) {
  RecordHeader header;
  header.position = Position{number + 1};
  header.sequence = SequenceNumber{number + 1};
  header.time = Timestamp{1'767'323'045'000'000 + static_cast<std::int64_t>(number)};
  header.event_id = *parse_uuid("0192f0c4-9000-7000-8000-000000000011");
  header.aggregate_id = "mission-7";
  header.aggregate_type = "Mission";
  header.event_type = type;
  header.user_id = "ada";
  if (data) header.data_length = static_cast<std::uint32_t>(data->size());
  RecordBody body;
  body.data = data;
  std::string bytes;
  const EncodedRecord place = append_record(bytes, header, Seed{1, 2, 3}, body);
  auto record = std::make_unique<Record>();
  const std::string_view encoded = std::string_view(bytes).substr(place.record_offset);
  const std::span<char> room = record->prepare(encoded.size());
  std::memcpy(room.data(), encoded.data(), encoded.size());
  if (!record->decode()) throw std::runtime_error("a record does not decode");
  return record;
}

/// The same after its data was redacted (format-spec.md, "Redaction").
inline std::unique_ptr<Record> redacted_script_record(std::string_view type, std::uint64_t number = 0) {
  const std::string_view data = "1";
  const auto plain = script_record(type, data, number);
  const auto salt = member_salt(plain->seed(), BodyMember::Data);
  std::string content(plain->header_bytes());
  content += as_bytes(sha256({{reinterpret_cast<const char*>(salt.data()), salt.size()}, data}));
  std::string bytes;
  put<std::uint32_t>(bytes, static_cast<std::uint32_t>(kRecordFrameBytes + content.size()));
  put<std::uint32_t>(bytes, 1);
  put<std::uint64_t>(bytes, xxh3(bytes + content));
  bytes += content;
  auto record = std::make_unique<Record>();
  std::memcpy(record->prepare(bytes.size()).data(), bytes.data(), bytes.size());
  if (!record->decode()) throw std::runtime_error("a redacted record does not decode");
  return record;
}

struct ScriptEvent {
  std::string type;
  std::optional<std::string> data;
};

/// What a test of a fold comes to: a state, or why there is none.
struct Folded {
  std::optional<api::FoldState> state;
  std::optional<api::FoldFailure> failure;

  /// The state, or what failed in words, so that a check shows it.
  [[nodiscard]] std::string text() const {
    if (state) return state->json;
    std::string words = failure->limit.empty() ? std::to_string(static_cast<int>(failure->kind)) : failure->limit;
    if (!failure->pointer.empty()) words += " at " + failure->pointer;
    return words + ": " + failure->message;
  }
};

/// For one call of a script that is to end by itself: no busy machine makes it late.
constexpr std::chrono::seconds kPatience(30);
/// For one that ends no other way.
constexpr std::chrono::milliseconds kBriefly(100);

inline api::ScriptStart script_start(std::string_view source, std::chrono::milliseconds call_time = kPatience) {
  api::ScriptStart start;
  start.source = source;
  start.call_time = call_time;
  start.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  return start;
}

inline Folded fold_records(api::ScriptHost& host, const api::ScriptStart& start,
                           const std::vector<std::unique_ptr<Record>>& records) {
  Folded folded;
  auto begun = host.begin(start);
  if (auto* const failure = std::get_if<api::FoldFailure>(&begun); failure != nullptr) {
    folded.failure = std::move(*failure);
    return folded;
  }
  api::Fold& fold = **std::get_if<std::unique_ptr<api::Fold>>(&begun);
  for (const auto& record : records) {
    if (auto failure = fold.apply(*record); failure) {
      folded.failure = std::move(failure);
      return folded;
    }
  }
  auto state = fold.state();
  if (auto* const failure = std::get_if<api::FoldFailure>(&state); failure != nullptr) {
    folded.failure = std::move(*failure);
  } else {
    folded.state = std::move(*std::get_if<api::FoldState>(&state));
  }
  return folded;
}

inline Folded fold_script(api::ScriptHost& host, const api::ScriptStart& start,
                          const std::vector<ScriptEvent>& events) {
  std::vector<std::unique_ptr<Record>> records;
  for (const ScriptEvent& event : events) {
    records.push_back(script_record(
        event.type, event.data ? std::optional<std::string_view>(*event.data) : std::nullopt, records.size()));
  }
  return fold_records(host, start, records);
}

inline Folded fold_script(api::ScriptHost& host, std::string_view source, const std::vector<ScriptEvent>& events = {}) {
  return fold_script(host, script_start(source), events);
}

inline net::WorkerOptions script_options() {
  // Pools of tests are static, and the thread of one may be in here until it ends: what it uses has to be made before
  // it.
  [[maybe_unused]] const bool first = simdjson::validate_utf8("", 0);
  net::WorkerOptions options;
  options.program = stele_binary();
  options.workers_max = 2;
  options.busy_wait = std::chrono::seconds(30);
  return options;
}

}  // namespace stele::tests

#include "api/records/event_json.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "engine/log/record_extensions.h"

using namespace stele;
using namespace stele::api;

TEST_CASE("EventJson.TheLongestStringsHaveRoomWhenEachByteIsEscaped") {
  const std::string text(kStringBytesMax, '\x1f');
  RecordHeader header;
  header.position = Position{~0ULL};
  header.sequence = SequenceNumber{~0ULL};
  header.schema_version = ~0U;
  header.time = Timestamp{std::numeric_limits<std::int64_t>::max()};
  header.occurred_at = Timestamp{std::numeric_limits<std::int64_t>::min()};
  header.aggregate_id = header.event_type = text;
  header.aggregate_type = header.user_id = header.correlation_id = header.causation_id = text;
  header.data_length = 2;
  std::string bytes;
  append_record(bytes, header, Seed{}, RecordBody{.data = "{}"});
  Record record;
  std::ranges::copy(bytes, record.prepare(bytes.size()).begin());
  REQUIRE(record.decode());
  std::string json;
  append_event_json(json, record, DataForm::AsSent);
  std::string escaped = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) escaped += "\\u001f";
  escaped += '"';
  CHECK(json == "{\"eventId\":\"00000000-0000-0000-0000-000000000000\",\"eventType\":" + escaped +
                    ",\"aggregateId\":" + escaped + ",\"aggregateType\":" + escaped +
                    ",\"sequenceNumber\":18446744073709551615,\"position\":18446744073709551615"
                    ",\"timestamp\":\"9999-12-31T23:59:59.999999Z\",\"occurredAt\":\"0000-01-01T00:00:00.000000Z\""
                    ",\"version\":4294967295,\"userId\":" +
                    escaped + ",\"correlationId\":" + escaped + ",\"causationId\":" + escaped + ",\"data\":{}}");
}

TEST_CASE("EventJson.AnActionShowsWhatItWasAboutAndWhatBecameOfIt") {
  const std::string resource(kResourceBytesMax, '\x1f');
  const std::string extensions = encode_extensions({}, resource);
  RecordHeader header;
  header.kind = RecordKind::Action;
  header.outcome = ActionOutcome::Refused;
  header.sequence = SequenceNumber{3};
  header.aggregate_id = "$audit/read";
  header.event_type = "events.query";
  header.extensions = extensions;
  std::string bytes;
  append_record(bytes, header, Seed{}, {});
  Record record;
  std::ranges::copy(bytes, record.prepare(bytes.size()).begin());
  REQUIRE(record.decode());
  std::string json;
  append_event_json(json, record, DataForm::AsSent);
  std::string escaped;
  for (std::size_t i = 0; i < resource.size(); ++i) escaped += "\\u001f";
  CHECK(json == R"({"kind":"action","eventId":"00000000-0000-0000-0000-000000000000","eventType":"events.query",)"
                R"("aggregateId":"$audit/read","position":0,"timestamp":"1970-01-01T00:00:00.000000Z","resource":")" +
                    escaped + R"(","outcome":"refused"})");
}

#include "api/events/event_json.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

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
  header.aggregate_type = header.user_id = header.correlation_id = header.causation_id = header.action = text;
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
                    escaped + ",\"correlationId\":" + escaped + ",\"causationId\":" + escaped +
                    ",\"action\":" + escaped + ",\"data\":{}}");
}

// The body of POST /v1/events.
//
// Input: one byte (bit 0: NDJSON, bit 1: with an Idempotency-Key), then the body.

#include <simdjson.h>

#include "api/events/append_parser.h"
#include "engine/base/clock.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

std::vector<std::string> seeds() {
  const std::string full =
      R"({"eventId":"0192f0c4-9000-7000-8000-000000000011","eventType":"MissionCreated","aggregateId":"mission/1",)"
      R"("aggregateType":"Mission","sequenceNumber":1,"version":2,"userId":"ada","correlationId":"c","causationId":"d",)"
      R"("occurredAt":"2026-01-02T03:04:05.678901+02:00","tags":["vip","course:\u00e9"],"metadata":{"k":[1,2.5e3,null,true]},"data":{"name":"Apollo \u00e9"}})";
  const std::string plain = R"({"eventType":"T","aggregateId":"a","data":[]})";
  return {std::string(1, '\0') + full, std::string(1, '\0') + "[" + plain + "," + full + "]",
          std::string(1, '\2') + R"({"events":[)" + plain + R"(],"condition":{"aggregates":[{"aggregateId":"a",)" +
              R"("lastSequenceNumber":3}],"failIfEventsMatch":[{"eventTypes":["T"],"aggregateTypes":["M"],)" +
              R"("aggregateIds":["a"],"userIds":["u"],"tags":["a","b"]}],"after":17}})",
          std::string(1, '\1') + plain + "\n\n" + full + "\r\n" + plain};
}

}  // namespace

FUZZ_TARGET(append_body, seeds) {
  if (input.empty()) return;
  const unsigned options = static_cast<unsigned char>(input[0]);
  const std::string_view body = input.substr(1);
  // Exactly the bytes that may be read; what they are must not matter.
  const fuzz::Exact padded(std::string(body) + std::string(simdjson::SIMDJSON_PADDING, '"'));
  Limits limits;
  limits.events_max = 20;
  limits.data_bytes_max = 2000;
  limits.metadata_bytes_max = 500;
  AppendContext context;
  context.correlation_id = "from-request";
  if ((options & 2) != 0) context.idempotency_key = "key";
  Proposal proposal;
  const auto problem =
      parse_append(padded.view().substr(0, body.size()), (options & 1) != 0 ? BodyFormat::Ndjson : BodyFormat::Json,
                   limits, context, system_clock(), proposal);
  if (problem) {
    STELE_CHECK(problem->kind().status >= 400 && problem->kind().status < 500);
    STELE_CHECK(simdjson::validate_utf8(problem->response("/v1/events").body));
    simdjson::dom::parser parser;
    STELE_CHECK(parser.parse(problem->response("/v1/events").body).error() == simdjson::SUCCESS);
    return;
  }
  STELE_CHECK(!proposal.events.empty() && proposal.events.size() <= limits.events_max);
  for (const RecordDraft& event : proposal.events) {
    STELE_CHECK(!event.aggregate_id.empty() && event.aggregate_id.size() <= kStringBytesMax);
    STELE_CHECK(event.aggregate_id != "." && event.aggregate_id != "..");
    STELE_CHECK(!event.event_type.empty() && event.event_type.size() <= kStringBytesMax);
    STELE_CHECK(simdjson::validate_utf8(event.aggregate_id) && simdjson::validate_utf8(event.event_type));
    STELE_CHECK(event.tags.empty() ||
                TagList::decode(encode_tags(event.tags)).has_value());  // sorted, distinct, not too many
    for (const std::string& tag : event.tags) STELE_CHECK(simdjson::validate_utf8(tag) && tag.front() != '$');
    STELE_CHECK(event.data && event.data->size() <= limits.data_bytes_max);
    STELE_CHECK(body.find(*event.data) != std::string_view::npos);  // byte for byte as sent
    simdjson::dom::parser parser;
    STELE_CHECK(parser.parse(*event.data).error() == simdjson::SUCCESS);
  }
}

}  // namespace stele::api

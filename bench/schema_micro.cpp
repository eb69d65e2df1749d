// Part of stele_micro: an event of about 2 KiB against a schema of 50 keywords, and beside it what it takes to parse
// it.

#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "api/schemas/compiled_schema.h"
#include "api/schemas/schema_validation.h"

namespace {

using namespace stele::api;

/// More than 50 keywords besides `properties`, `items` and `definitions`; times, a pattern, references, alternatives.
constexpr std::string_view kSchema = R"json({
  "type": "object",
  "required": ["missionId", "name", "plannedAt", "crew", "waypoints", "status"],
  "additionalProperties": false,
  "properties": {
    "missionId": {"type": "string", "pattern": "^mission-[0-9]{1,12}$"},
    "name": {"type": "string", "minLength": 1, "maxLength": 200},
    "plannedAt": {"type": "string", "format": "date-time"},
    "launchedAt": {"type": "string", "format": "date-time"},
    "status": {"enum": ["planned", "launched", "landed", "aborted"]},
    "priority": {"type": "integer", "minimum": 1, "maximum": 5},
    "operator": {"type": "string", "format": "uuid"},
    "crew": {
      "type": "array", "minItems": 1, "maxItems": 20, "uniqueItems": true,
      "items": {"type": "string", "minLength": 1, "maxLength": 100}
    },
    "waypoints": {"type": "array", "maxItems": 100, "items": {"$ref": "#/definitions/waypoint"}},
    "budget": {"type": "number", "minimum": 0, "multipleOf": 0.01},
    "payload": {
      "oneOf": [
        {"type": "object", "required": ["kind", "mass"], "properties": {"kind": {"const": "cargo"}, "mass": {"type": "number"}}},
        {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "none"}}}
      ]
    },
    "notes": {"type": ["string", "null"], "maxLength": 2000}
  },
  "definitions": {
    "waypoint": {
      "type": "object",
      "required": ["step", "latitude", "longitude"],
      "additionalProperties": false,
      "properties": {
        "step": {"type": "integer", "minimum": 0},
        "latitude": {"type": "number", "minimum": -90, "maximum": 90},
        "longitude": {"type": "number", "minimum": -180, "maximum": 180},
        "reachedAt": {"type": "string", "format": "date-time"},
        "confirmed": {"type": "boolean"},
        "note": {"type": "string", "maxLength": 500}
      }
    }
  }
})json";

std::string event_data() {
  std::string waypoints;
  for (int step = 0; step < 9; ++step) {
    waypoints += (step == 0 ? "" : ",") + std::string(R"({"step":)") + std::to_string(step) +
                 R"(,"latitude":47.36667,"longitude":8.55000,"confirmed":true,)"
                 R"("note":"second attempt within limits before leaving the sector of the first one"})";
  }
  return R"({"missionId":"mission-1000123","name":"Apollo 11","plannedAt":"2026-01-01T00:00:00.000000Z",)"
         R"("launchedAt":"2026-01-02T03:04:05.678901+02:00","status":"launched","priority":3,)"
         R"("operator":"5c1e0d5a-7b3f-4000-8000-000000000017","crew":["ada","grace","linus","barbara"],"waypoints":[)" +
         waypoints + R"(],"budget":1250000.75,"payload":{"kind":"cargo","mass":412.5},"notes":")" +
         std::string(300, 'n') + R"("})";
}

void validate_event(benchmark::State& state) {
  const auto compiled = compile_schema(kSchema);
  const std::string data = event_data();
  simdjson::dom::parser parser;
  simdjson::dom::element event;
  if (!std::holds_alternative<std::shared_ptr<const CompiledSchema>>(compiled) ||
      parser.parse(data).get(event) != simdjson::SUCCESS) {
    std::cerr << "stele_micro: no schema or no event\n";
    std::exit(2);
  }
  const CompiledSchema& schema = *std::get<std::shared_ptr<const CompiledSchema>>(compiled);
  for (auto _ : state) {
    if (validate(schema, event).outcome != SchemaVerdict::Outcome::Valid) std::exit(2);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(validate_event);

void parse_event(benchmark::State& state) {
  const simdjson::padded_string data(event_data());
  simdjson::dom::parser parser;
  for (auto _ : state) {
    simdjson::dom::element event;
    if (parser.parse(data).get(event) != simdjson::SUCCESS) std::exit(2);
    benchmark::DoNotOptimize(event);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(parse_event);

}  // namespace

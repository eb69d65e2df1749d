"""Row 17: events validated against a schema."""

import json

from harness.process import fail
from harness.table import Row
from rows.append import CONNECTIONS_BUSY, cpu_note, rates

VALIDATIONS_LEAST = 200_000
APPENDS_GOAL = 0.9

_DATE = {"type": "string", "format": "date-time", "minLength": 20, "maxLength": 40}
_DEGREES = {"type": "number", "not": {"const": 1000}}

# What `stele_load --dates 1` sends satisfies it: 50 keywords besides `properties`, two dates.
LOAD_SCHEMA = {
    "type": "object", "required": ["step", "latitude", "longitude", "note", "plannedAt", "reachedAt"],
    "additionalProperties": False, "minProperties": 6, "maxProperties": 6,
    "propertyNames": {"type": "string", "minLength": 4, "maxLength": 9, "pattern": "^[a-zA-Z]+$"},
    "dependencies": {"reachedAt": ["plannedAt"]},
    "properties": {
        "step": {"type": "integer", "minimum": 0, "maximum": 99, "exclusiveMaximum": 100, "multipleOf": 1, "not": {"const": -1}},
        "latitude": {**_DEGREES, "minimum": -90, "maximum": 90, "exclusiveMinimum": -91, "exclusiveMaximum": 91},
        "longitude": {**_DEGREES, "minimum": -180, "maximum": 180, "exclusiveMinimum": -181, "exclusiveMaximum": 181},
        "note": {"type": "string", "minLength": 3, "maxLength": 400, "pattern": "^[a-z ]+$", "not": {"const": "none"}},
        "plannedAt": {**_DATE, "pattern": "^20"},
        "reachedAt": {**_DATE, "pattern": "^20"},
    },
    "anyOf": [{"properties": {"step": {"minimum": 50}}}, {"properties": {"step": {"maximum": 50}}}],
}
KEYWORDS = 50


def keywords(schema):
    """How many there are that say something of an instance by themselves."""
    count = 0
    for name, value in schema.items():
        count += name != "properties"
        if name == "properties":
            count += sum(keywords(each) for each in value.values())
        elif name in ("propertyNames", "not"):
            count += keywords(value)
        elif name == "anyOf":
            count += sum(keywords(each) for each in value)
    return count


def validation(bench):
    """An event of 2 KiB against 50 keywords, on one core; beside it what it takes to parse it, which is done in any case."""
    ours, peer = [], []
    for round_number in bench.rounds():
        peer.append(bench.micro("parse_event"))
        ours.append(bench.micro("validate_event"))
        bench.progress(17, round_number, validations=f"{ours[-1]:,.0f}/s", parsing=f"{peer[-1]:,.0f}/s")
    return [Row(17, "validation of an event of 2 KiB, 50 keywords, one core", "parsing it, simdjson", "/s", ours, peer,
                ">=", 0, least=VALIDATIONS_LEAST, runs={"ours": ours, "peer": peer})]


def appending(bench):
    """Row 1 with a schema on every event type, against the same without."""
    if keywords(LOAD_SCHEMA) < KEYWORDS:
        fail(f"the schema has {keywords(LOAD_SCHEMA)} keywords, fewer than {KEYWORDS}")
    runs = {"with a schema": [], "without": []}
    for round_number in bench.rounds():
        for name, made in runs.items():
            with bench.stele() as server:
                # Both sides begin with events, whose types are those that the schemas are for.
                bench.load(server, CONNECTIONS_BUSY, dates=1, duration=0.5, warmup=0)
                if name == "with a schema":
                    events = json.loads(bench.get(server, "/v1/events?limit=1000"))["events"]
                    for event_type in sorted({event["eventType"] for event in events}):
                        bench.post(server, f"/v1/schemas/{event_type}", {"schema": LOAD_SCHEMA}, 201)
                made.append(bench.load(server, CONNECTIONS_BUSY, dates=1))
        bench.progress(17, round_number, **{name: f"{made[-1]['requests_per_second']:,.0f}/s" for name, made in runs.items()})
    ours, peer = runs["with a schema"], runs["without"]
    return [Row(17, f"POST, one event, {CONNECTIONS_BUSY} connections, {keywords(LOAD_SCHEMA)} keywords, two dates",
                "the same without a schema", "/s", rates(ours), rates(peer), ">=", APPENDS_GOAL,
                cpu_note(ours, peer, "without"), runs={"ours": ours, "peer": peer})]

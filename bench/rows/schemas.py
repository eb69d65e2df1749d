"""Row 17: events validated against a schema."""

from harness.table import Row

VALIDATIONS_LEAST = 200_000


def validation(bench):
    """An event of 2 KiB against 50 keywords, on one core; beside it what it takes to parse it, which is done in any case."""
    ours, peer = [], []
    for round_number in bench.rounds():
        peer.append(bench.micro("parse_event"))
        ours.append(bench.micro("validate_event"))
        bench.progress(17, round_number, validations=f"{ours[-1]:,.0f}/s", parsing=f"{peer[-1]:,.0f}/s")
    return [Row(17, "validation of an event of 2 KiB, 50 keywords, one core", "parsing it, simdjson", "/s", ours, peer,
                ">=", 0, least=VALIDATIONS_LEAST, runs={"ours": ours, "peer": peer})]

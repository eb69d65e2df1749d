"""Row 5: reading pages of one aggregate."""

import contextlib
import json
import shutil

from harness.process import fail
from harness.table import Row
from peers.nginx import Files
from rows.append import cpu_note, rates

AGGREGATES = 200
EVENTS_EACH = 200
PAGE_EVENTS = 100
CONNECTIONS = 64


def stored_pages(bench):
    """A folder with aggregates that have more than a page, and a file with the query of a page of each."""
    data = bench.folder / "pages.data"
    keys = bench.folder / "pages.json"
    code, _ = bench.tool("stele_fill", "--folder", data, "--events", AGGREGATES * EVENTS_EACH, "--aggregates", AGGREGATES,
                         "--even", "--json", keys)
    if code != 0:
        fail("stele_fill failed")
    targets = bench.folder / "pages.ours"
    targets.write_text("".join(f"/v1/events?aggregateId={name}&limit={PAGE_EVENTS}\n"
                               for name in json.loads(keys.read_text())["busy_aggregates"]))
    return data, targets


def pages(bench):
    data, ours_targets = stored_pages(bench)
    queries = ours_targets.read_text().splitlines()
    peer_targets = bench.folder / "pages.peer"
    peer_targets.write_text("".join(f"/pages/{i}\n" for i in range(len(queries))))

    ours, peer = [], []
    with bench.stele(data) as server:
        content = {str(i): bench.get(server, query) for i, query in enumerate(queries)}
    if any(len(json.loads(body)["events"]) != PAGE_EVENTS for body in content.values()):
        fail("a page is not full")
    for round_number in bench.rounds():
        with contextlib.closing(Files(bench.folder, content)) as server:
            peer.append(bench.load(server, CONNECTIONS, kind="http-get", targets=peer_targets))
        with bench.stele(data) as server:
            ours.append(bench.load(server, CONNECTIONS, kind="http-get", targets=ours_targets))
        bench.progress(5, round_number, stele=f"{ours[-1]['requests_per_second']:,.0f} pages/s",
                       nginx=f"{peer[-1]['requests_per_second']:,.0f} pages/s")
    shutil.rmtree(data)
    size = sum(map(len, content.values())) / len(content)
    return [Row(5, f"page of {PAGE_EVENTS} events of one aggregate", "nginx, the same bytes from files", "pages/s",
                rates(ours), rates(peer), ">=", 0.6,
                f"{len(queries)} pages of {size:,.0f} bytes, {CONNECTIONS} connections; "
                + cpu_note(ours, peer, "nginx", per="page"), runs={"ours": ours, "peer": peer})]

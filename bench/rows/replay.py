"""Rows 7, 8 and 21: events folded into states."""

import contextlib
import http.client
import json
import shutil
import statistics
import time

from harness.process import SteleServer, fail
from harness.table import Row
from rows import read

EVENTS = 1_000_000
BEHIND = 100  # events after the snapshot
SHORT_REPLAYS = 200

# Looks at the data of each event and keeps a little: what a handler does at least.
SCRIPT = "({ $init: () => ({ n: 0 }), $any: (s, e) => { s.n++; s.step = e.data.step; } })"


class Client:
    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)

    def send(self, method, path, body=None, kind="application/json"):
        """Seconds, and the answer, which must be a good one."""
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        began = time.monotonic()
        self.connection.request(method, path, text, {"Content-Type": kind})
        response = self.connection.getresponse()
        answer = response.read()
        took = time.monotonic() - began
        if response.status >= 300:
            fail(f"{method} {path} is answered {response.status}: {answer[:500]!r}")
        return took, answer

    def replay(self, aggregate, **body):
        took, answer = self.send("POST", f"/v1/events/replay/{aggregate}", body)
        return took, json.loads(answer)


class OneAggregate:
    """A folder with one aggregate of very many events."""

    def __init__(self, bench):
        self.events = EVENTS // 10 if bench.quick else EVENTS
        self.data = bench.folder / "replay.data"
        keys = bench.folder / "replay.json"
        code, _ = bench.tool("stele_fill", "--folder", self.data, "--events", self.events, "--aggregates", 1, "--json", keys)
        if code != 0:
            fail("stele_fill failed")
        filled = json.loads(keys.read_text())
        self.aggregate = filled["busy_aggregates"][0]
        self.event_bytes = filled["json_bytes"] / self.events

    def read_rate(self, bench):
        code, text = bench.tool("stele_scan", "--folder", self.data, "--aggregate", self.aggregate, "--rounds", 1)
        if code != 0:
            fail("stele_scan failed")
        return json.loads(text)["events_per_second"]


@contextlib.contextmanager
def server_without_cache(bench, data):
    arguments = ("--state-cache-size", "0", "--snapshot-every", "0")
    with contextlib.closing(SteleServer(bench.binaries / "stele", bench.folder, data, arguments)) as server:
        yield server


def full_replay(bench):
    store = OneAggregate(bench)
    merged, scripted, scanned = [], [], []
    with server_without_cache(bench, store.data) as server:
        client = Client(server)
        _, first = client.replay(store.aggregate)
        if first["eventsApplied"] != store.events:
            fail(f"{first['eventsApplied']} of {store.events} events were folded")
        for round_number in bench.rounds():
            merged.append(store.events / client.replay(store.aggregate, useSnapshot=False)[0])
            took, answer = client.replay(store.aggregate, handler={"source": SCRIPT})
            if answer["state"]["n"] != store.events:
                fail("the script has not seen all events")
            scripted.append(store.events / took)
            scanned.append(store.read_rate(bench))
            bench.progress(7, round_number, merge=f"{merged[-1]:,.0f}/s", script=f"{scripted[-1]:,.0f}/s",
                           reading=f"{scanned[-1]:,.0f}/s")
    shutil.rmtree(store.data)
    peer, note = "reading the same events", f"{store.events:,} events of {store.event_bytes:,.0f} bytes"
    absolute = statistics.median(scripted)
    return [Row(7, "full replay, merge", peer, "events/s", merged, scanned, ">=", 0.3, note),
            Row(7, "full replay, a script in a worker", peer, "events/s", scripted, scanned, ">=", 0.15,
                note + f"; at least 350,000/s are the goal: {'met' if absolute >= 350_000 else 'missed'}")]


def from_snapshot(bench):
    store = OneAggregate(bench)
    full, short = [], []
    with server_without_cache(bench, store.data) as server:
        client = Client(server)
        client.send("POST", f"/v1/events/snapshot/{store.aggregate}")
        client.send("POST", "/v1/events", [{"eventType": "MissionStatusChanged", "aggregateId": store.aggregate,
                                            "data": {"step": i}} for i in range(BEHIND)])
        for round_number in bench.rounds():
            full.append(client.replay(store.aggregate, useSnapshot=False)[0] * 1e6)
            times = []
            for _ in range(SHORT_REPLAYS):
                took, answer = client.replay(store.aggregate)
                if answer["eventsApplied"] != BEHIND:
                    fail("the snapshot was not used")
                times.append(took * 1e6)
            short.append(statistics.median(times))
            bench.progress(8, round_number, full=f"{full[-1]:,.0f} us", from_snapshot=f"{short[-1]:,.0f} us")
    shutil.rmtree(store.data)
    return [Row(8, f"full replay of {store.events:,} events", f"from a snapshot {BEHIND} events behind", "us", full, short,
                ">=", 100 if bench.quick else 1000, "p50 over HTTP, one client in Python")]


def newest_state(bench):
    data, pages = read.stored_pages(bench)
    aggregates = [line.split("aggregateId=")[1].split("&")[0] for line in pages.read_text().splitlines()]
    states = bench.folder / "states.targets"
    states.write_text("".join(f"/v1/aggregates/{name}/state\n" for name in aggregates))
    ours, theirs = [], []
    for round_number in bench.rounds():
        with bench.stele(data) as server:
            ours.append(bench.load(server, read.CONNECTIONS, kind="http-get", targets=states)["requests_per_second"])
            theirs.append(bench.load(server, read.CONNECTIONS, kind="http-get", targets=pages)["requests_per_second"])
        bench.progress(21, round_number, state=f"{ours[-1]:,.0f}/s", page=f"{theirs[-1]:,.0f}/s")
    shutil.rmtree(data)
    return [Row(21, "newest state of an aggregate", f"a page of {read.PAGE_EVENTS} of its events", "/s", ours, theirs, ">=",
                1, f"{len(aggregates)} aggregates of {read.EVENTS_EACH} events, by merge, {read.CONNECTIONS} connections")]

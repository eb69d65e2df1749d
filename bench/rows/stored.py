"""Rows 6, 9 to 13 and 20: what many stored events change. stele_fill makes the stores, and each run works on a copy."""

import datetime
import json
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import time
import urllib.parse

from harness.process import fail, progress
from harness.table import Row
from rows.append import CONNECTIONS_BUSY, cpu_note, latency_note, rates

EVENTS = 10_000_000
EVENTS_QUICK = 300_000
EVENTS_SMALL = 100_000
EVENTS_EACH_AGGREGATE = 10
# With 10 million events these are 5,000 users, and one event in 10,000 is of each rare type. With fewer there are fewer
# users and the types are less rare, so that all pages are full.
EVENTS_EACH_USER = 2000
EVENTS_EACH_RARE_TYPE = 1000
# With more than one tail's worth there is an index file, as there are in a large store; a full tail comes on top.
EVENTS_INDEXED_SMALL = 70_000
# The engine keeps the index of its newest records, the tail, in memory until they are 65,536 and then writes it to a file.
TAIL_RECORDS = 65_536 - 256
PAGE_ITEMS = 100
PAGE_FILTERS = "aggregate", "rare event type", "user", "time window"
TAIL_RECORDS_NEW = 4000
# An opening takes a tenth of a second, and now and then twice that: the median of a few says more.
OPENINGS_EACH_ROUND = 3
# One of a hundred aggregates is of the rare type, so that with 10 million events there are 100 pages of them.
AGGREGATES_EACH_RARE = 100
TARGETS = 2000
CHECKED_TARGETS = 20


class Stored:
    """The stores of this run, each made when it is first asked for."""

    def __init__(self, bench, events=None, rare_aggregates=True):
        """Without rare aggregates there is no row 20; a build from before it cannot make them."""
        self.bench = bench
        self.rare_aggregates = rare_aggregates
        self.events = events or (EVENTS_QUICK if bench.quick else EVENTS)
        self.copies = 0
        self.keys = {}
        self.killed_with = {}

    def fill(self, folder, events, *flags):
        keys = folder.with_suffix(".json")
        progress(f"storing {events:,} events")
        rare = ["--rare-aggregates", events // EVENTS_EACH_AGGREGATE // AGGREGATES_EACH_RARE] if self.rare_aggregates else []
        code, _ = self.bench.tool(
            "stele_fill", "--folder", folder, "--events", events, "--aggregates", max(1, events // EVENTS_EACH_AGGREGATE),
            *rare, "--users", max(1, events // EVENTS_EACH_USER), "--rare-every", max(1, events // EVENTS_EACH_RARE_TYPE), "--json",
            keys, *flags)
        if code != (-signal.SIGKILL if "--die" in flags else 0):
            fail("stele_fill failed")
        return json.loads(keys.read_text())

    def base(self, events):
        """A folder with so many events, closed in good order. Not to be opened: use copy()."""
        folder = self.bench.folder / f"stored-{events}"
        if not folder.exists():
            self.keys[events] = self.fill(folder, events)
            self.settle(folder)
        return folder

    def settle(self, folder):
        """Waits for the merges that so fast a filling leaves behind; a store that grew over days has none."""
        progress("waiting for merges of the index")
        with self.bench.stele(folder) as server:
            while self.merge_due(server):
                time.sleep(0.1)

    def merge_due(self, server):
        """Builds from before a merge was called a compaction have the older name. One that told nothing would be measured with its
        merges beside it."""
        due = re.search(rb"^stele_index_(?:compaction|merge)_due ([01])$", self.bench.get(server, "/metrics"), re.MULTILINE)
        if not due:
            fail("the server does not tell whether its index has merges due")
        return due[1] == b"1"

    def killed(self, events, redacted=False):
        """The same and a tail at its fullest, left behind by a process that was killed: the folder, its events, its tail.
        If wanted, the first segment was written anew because an event in it was redacted."""
        folder = self.bench.folder / f"killed-{events}{'-redacted' if redacted else ''}"
        if not folder.exists():
            os.rename(self.copy(self.base(events)), folder)
            if redacted:
                self.redact_first(folder)
            # All of the tail is made here, so that it is alike whatever is before it.
            records, tail = self.extend_and_die(folder, 1000, seed=2)
            while tail > TAIL_RECORDS_NEW:
                records, tail = self.extend_and_die(folder, max(1000, TAIL_RECORDS + 1000 - tail), seed=records)
            records, tail = self.extend_and_die(folder, TAIL_RECORDS - tail, seed=3)
            self.killed_with[folder] = records - 1, tail
        return folder, *self.killed_with[folder]

    def redact_first(self, folder):
        with self.bench.stele(folder) as server:
            event = json.loads(self.bench.get(server, "/v1/events?limit=1"))["events"][0]["eventId"]
            asked = json.loads(self.bench.post(server, f"/v1/events/{event}/redact", {"reason": "for a benchmark"}, 202))
            while json.loads(self.bench.get(server, f"/v1/audit/redactions/{asked['redactionId']}"))["state"] != "completed":
                time.sleep(0.05)

    def extend_and_die(self, folder, events, seed):
        """Records of the log and of its tail then."""
        records = self.fill(folder, events, "--days", 0, "--die", "--seed", seed)["log_records"]
        return records, records - indexed_records(folder)

    def copy(self, source):
        """Sealed segments and index files never change, so that a link is as good as a copy; a segment made ahead is made
        again on opening."""
        self.copies += 1
        target = self.bench.folder / f"copy-{self.copies}"
        last = segments(source)[-1]
        for path in sorted(source.rglob("*")):
            to = target / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix in (".seg", ".run") and path != last:
                os.link(path, to)
            elif path.is_file() and path.suffix != ".prepared":
                shutil.copy2(path, to)
        # Writing back the copy is no part of what comes next.
        os.sync()
        return target


def segments(folder):
    return sorted((folder / "log").glob("*.seg"))


def indexed_records(folder):
    """How many records of the log the index files cover; 0 if there are none."""
    ends = [re.fullmatch(r"\d+-(\d+)\.run", path.name) for path in (folder / "index").glob("*.run")]
    return max((int(end[1]) for end in ends if end), default=0)


def timestamp(micros):
    return datetime.datetime.fromtimestamp(micros / 1e6, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def page_targets(stored, events):
    """{one of PAGE_FILTERS: [query]}: pages that begin anywhere in the first third of the log, so that few are asked for twice."""
    keys = stored.keys[events]
    dice = random.Random(1)

    def by(name, values):
        return [f"{name}={urllib.parse.quote(dice.choice(values))}&afterPosition={dice.randrange(events // 3)}"
                for _ in range(TARGETS)]

    # stele_fill has up to 4,000 events under way, which may get one time: a window wider than that is never empty.
    window = (keys["last_micros"] - keys["first_micros"]) * 5000 // events
    windows = [dice.randrange(keys["first_micros"], keys["last_micros"] - window) for _ in range(TARGETS)]
    made = {
        "aggregate": by("aggregateId", keys["busy_aggregates"]),
        "rare event type": by("eventType", sorted(keys["rare_event_types"])),
        "user": by("userId", keys["users"]),
        "time window": [f"from={timestamp(begin)}&to={timestamp(begin + window)}" for begin in windows],
    }
    return {what: [f"/v1/events?{query}&limit={PAGE_ITEMS}" for query in queries] for what, queries in made.items()}


def write_targets(bench, targets):
    files = {}
    for what, queries in targets.items():
        files[what] = bench.folder / f"targets.{what.replace(' ', '-')}"
        files[what].write_text("\n".join(queries) + "\n")
    return files


def pages(bench, stored, row, targets, member):
    """{what: runs} of pages, each of which must be full."""
    data = stored.copy(stored.base(stored.events))
    files = write_targets(bench, targets)
    runs = {what: [] for what in targets}
    with bench.stele(data) as server:
        for what, queries in targets.items():
            for query in queries[:CHECKED_TARGETS]:
                found = len(json.loads(bench.get(server, query))[member])
                if found != PAGE_ITEMS:
                    fail(f"a page by {what} has {found} {member}: {query}")
        for round_number in bench.rounds():
            for what, file in files.items():
                runs[what].append(bench.load(server, 1, kind="http-get", targets=file))
            bench.progress(row, round_number, **{f"by_{what}": f"{made[-1]['latency_us']['p50']:,.0f} us"
                                                 for what, made in runs.items()})
    shutil.rmtree(data)
    return runs


def p50(runs):
    return [run["latency_us"]["p50"] for run in runs]


def filtered_pages(bench, stored):
    """Row 6."""
    stored.base(stored.events)
    runs = pages(bench, stored, 6, page_targets(stored, stored.events), "events")
    peer = runs.pop("aggregate")
    return [Row(6, f"page of {PAGE_ITEMS} by {what}, {stored.events:,} events, p50", "the same page by aggregate", "us",
                p50(ours), p50(peer), "<=", 2, f"{latency_note(ours)}, by aggregate {latency_note(peer)}",
                runs={"ours": ours, "peer": peer}) for what, ours in runs.items()]


def audit_targets(stored, events):
    """The same of the audit trail, by whoever has done it, by time and by what it is about."""
    keys = stored.keys[events]
    dice = random.Random(3)
    window = (keys["last_micros"] - keys["first_micros"]) * 5000 // events
    third = (keys["last_micros"] - keys["first_micros"]) // 3

    def begin():
        return keys["first_micros"] + dice.randrange(third)

    def by(name, values, kind=""):
        return [f"{name}={urllib.parse.quote(kind + dice.choice(values))}&from={timestamp(begin())}" for _ in range(TARGETS)]

    windows = [begin() for _ in range(TARGETS)]
    made = {
        "user": by("userId", keys["users"]),
        "time window": [f"from={timestamp(at)}&to={timestamp(at + window)}" for at in windows],
        "resource": by("resource", keys["busy_aggregates"], "aggregate:"),
    }
    return {what: [f"/v1/events/audit?{query}&limit={PAGE_ITEMS}" for query in queries] for what, queries in made.items()}


def audit_pages(bench, stored):
    """Row 6, of the audit trail: a record there shows its leaf, which is hashed for it, in place of data."""
    stored.base(stored.events)
    runs = pages(bench, stored, 6, audit_targets(stored, stored.events), "records")
    peer = pages(bench, stored, 6, {"aggregate": page_targets(stored, stored.events)["aggregate"]}, "events")["aggregate"]
    return [Row(6, f"page of {PAGE_ITEMS} of the audit trail by {what}, {stored.events:,} events, p50",
                "a page of events by aggregate", "us", p50(ours), p50(peer), "<=", 2,
                f"{latency_note(ours)}, events {latency_note(peer)}", runs={"ours": ours, "peer": peer})
            for what, ours in runs.items()]


def aggregate_targets(stored, events):
    """{one of PAGE_FILTERS: [query]}: pages of a hundred aggregates that begin at any id."""
    rare = events // EVENTS_EACH_AGGREGATE // AGGREGATES_EACH_RARE
    dice = random.Random(2)
    # All mission-0012xxx are more than a page; so are all rare-00012xx.
    missions = max(1, events // EVENTS_EACH_AGGREGATE // 4 // 1000)
    prefixes = {"id": [f"prefix=mission-{dice.randrange(missions):04}" for _ in range(TARGETS)],
                "rare type": [f"aggregateType=Rare&prefix=rare-{dice.randrange(rare // 100):05}" for _ in range(TARGETS)]}
    return {what: [f"/v1/aggregates?{query}&limit={PAGE_ITEMS}" for query in queries]
            for what, queries in prefixes.items()}


def aggregate_pages(bench, stored):
    """Row 20."""
    runs = pages(bench, stored, 20, aggregate_targets(stored, stored.events), "aggregates")
    rare, every = runs["rare type"], runs["id"]
    return [Row(20, f"page of {PAGE_ITEMS} aggregates of a rare type, {stored.keys[stored.events]['aggregates']:,} aggregates, p50",
                "a page of all aggregates", "us", p50(rare), p50(every), "<=", 2,
                f"{latency_note(rare)}, all {latency_note(every)}", runs={"ours": rare, "peer": every})]


def start_seconds(bench, folder_of):
    """From before exec until the line that says it listens; the median of a few copies."""
    seconds = []
    # What it reads is in the page cache behind the first, which is not counted.
    for _ in range(1 + OPENINGS_EACH_ROUND):
        data = folder_of()
        with bench.stele(data) as server:
            seconds.append(server.start_seconds)
            server.kill()
        shutil.rmtree(data)
    return statistics.median(seconds[1:])


def opening(bench, stored):
    """Row 9. The files are in the page cache on both sides."""
    sizes = {"large": stored.events, "small": EVENTS_INDEXED_SMALL}
    seconds = {name: [] for name in sizes}
    events, note = {}, {}
    for round_number in bench.rounds():
        for name, size in sizes.items():
            killed, events[name], tail = stored.killed(size)
            filled = used_bytes(segments(killed)[-1]) / 2**20
            note[name] = f"tail of {tail:,} records, active segment filled to {filled:.0f} MiB"
            seconds[name].append(start_seconds(bench, lambda killed=killed: stored.copy(killed)))
        bench.progress(9, round_number, **{name: f"{made[-1]:.3f} s" for name, made in seconds.items()})
    for size in sizes.values():
        shutil.rmtree(stored.killed(size)[0])
    return [Row(9, f"open after kill -9, {events['large']:,} events", f"the same with {events['small']:,} events", "s",
                seconds["large"], seconds["small"], "<=", 1.2, most=0.5,
                note=f"from exec to the line that says it listens, files cached; {note['large']}; small: {note['small']}",
                runs={"seconds": seconds})]


def opening_changed(bench, stored, what, folder_of):
    """Row 9, of a large store that something has happened to; `folder_of(changed)` gives a copy to open."""
    seconds = {"changed": [], "as it was": []}
    for round_number in bench.rounds():
        for name, made in seconds.items():
            made.append(start_seconds(bench, lambda name=name: folder_of(name == "changed")))
        bench.progress(9, round_number, **{name.replace(" ", "_"): f"{made[-1]:.3f} s" for name, made in seconds.items()})
    return [Row(9, f"open after kill -9, {stored.events:,} events, {what}", "the same as it was", "s", seconds["changed"],
                seconds["as it was"], "<=", 1.2, most=0.5,
                note="from exec to the line that says it listens, files cached", runs={"seconds": seconds})]


def opening_without_tiles(bench, stored):
    """Row 9: the hashes of the tree are made again, behind the back of whoever asks."""
    def folder_of(changed):
        data = stored.copy(stored.killed(stored.events)[0])
        if changed:
            shutil.rmtree(data / "tiles")
        return data

    rows = opening_changed(bench, stored, "tiles deleted", folder_of)
    shutil.rmtree(stored.killed(stored.events)[0])
    return rows


def opening_redacted(bench, stored):
    """Row 9: the first segment was written anew, and its groups do not have the checksums that they had."""
    rows = opening_changed(bench, stored, "first segment redacted",
                           lambda changed: stored.copy(stored.killed(stored.events, redacted=changed)[0]))
    for redacted in (False, True):
        shutil.rmtree(stored.killed(stored.events, redacted)[0])
    return rows


def anonymous_mib(server):
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s*(\d+) kB", status)[1]) / 1024


def memory(bench, stored):
    """Row 10."""
    sizes = {"large": stored.events, "small": EVENTS_SMALL}
    opened = {name: [] for name in sizes}
    used = {name: [] for name in sizes}
    for round_number in bench.rounds():
        for name, events in sizes.items():
            base = stored.base(events)
            files = write_targets(bench, page_targets(stored, events))
            data = stored.copy(base)
            with bench.stele(data) as server:
                opened[name].append(anonymous_mib(server))
                brief = {"duration": 0.5, "warmup": 0}
                bench.load(server, CONNECTIONS_BUSY, aggregates=events // EVENTS_EACH_AGGREGATE, **brief)
                for file in files.values():
                    bench.load(server, 8, kind="http-get", targets=file, **brief)
                used[name].append(anonymous_mib(server))
            shutil.rmtree(data)
        bench.progress(10, round_number, **{name: f"{made[-1]:.0f} MiB" for name, made in used.items()})

    def shown(values):
        return f"{sorted(values)[len(values) // 2]:.0f}"

    return [Row(10, f"anonymous memory, {stored.events:,} events in {stored.keys[stored.events]['aggregates']:,} aggregates",
                f"the same with {sizes['small']:,} events", "MiB", used["large"], used["small"], "<=", 1.5, most=256,
                note=f"RssAnon after half a second of appends and of each query of row 6; directly after opening "
                     f"{shown(opened['large'])} MiB, small {shown(opened['small'])} MiB",
                runs={"opened": opened, "used": used}, timed=False)]


def appending(bench, stored):
    """Row 11."""
    ours, peer = [], []
    base = stored.base(stored.events)
    aggregates = stored.keys[stored.events]["aggregates"]
    for round_number in bench.rounds():
        with bench.stele() as server:
            peer.append(bench.load(server, CONNECTIONS_BUSY, aggregates=aggregates))
        data = stored.copy(base)
        with bench.stele(data) as server:
            ours.append(bench.load(server, CONNECTIONS_BUSY, aggregates=aggregates))
        shutil.rmtree(data)
        bench.progress(11, round_number, large=f"{ours[-1]['requests_per_second']:,.0f}/s",
                       empty=f"{peer[-1]['requests_per_second']:,.0f}/s")
    return [Row(11, f"POST, one event, {CONNECTIONS_BUSY} connections, {stored.events:,} events stored",
                "with an empty store", "/s", rates(ours), rates(peer), ">=", 0.9, f"{cpu_note(ours, peer, 'empty')}; {latency_note(ours)}, "
                f"empty {latency_note(peer)}", runs={"ours": ours, "peer": peer})]


def used_bytes(segment):
    """Of a segment that is being written to: up to its last byte that is not zero, in whole blocks of 4 KiB."""
    block = 1 << 20
    with segment.open("rb") as file:
        end = segment.stat().st_size
        while end > 0:
            begin = max(0, end - block)
            file.seek(begin)
            if left := file.read(end - begin).rstrip(b"\0"):
                return -(-(begin + len(left)) // 4096) * 4096
            end = begin
    return 0


def disk_space(bench, stored):
    """Row 12."""
    base = stored.base(stored.events)
    keys = stored.keys[stored.events]
    last = segments(base)[-1]
    parts = {}
    for path in base.rglob("*"):
        if path.is_file() and path.suffix != ".prepared":
            size = used_bytes(last) if path == last else path.stat().st_blocks * 512
            kind = path.suffix.lstrip(".") or path.name
            parts[kind] = parts.get(kind, 0) + size
    shown = ", ".join(f"{kind} {size / keys['events']:.1f}" for kind, size in sorted(parts.items()) if size > 4096)
    return [Row(12, f"bytes on disk an event, {stored.events:,} events", "its JSON", "bytes",
                [sum(parts.values()) / keys["events"]], [keys["json_bytes"] / keys["events"]], "<=", 1.35,
                note=f"allocated blocks of all files of a closed store, without the zeros behind the last group and the "
                     f"segment made ahead: {shown}", runs={"parts": parts}, timed=False)]


def verifying(bench, stored):
    """Row 13. The files are in the page cache; of the hashes alone the records are in memory."""
    data = stored.base(stored.events)
    ours, peer, runs = [], [], []
    for round_number in range(0, bench.repeats + 1):
        began = time.monotonic()
        result = subprocess.run([bench.binaries / "stele", "verify", data, "--quiet", "--json"], text=True, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - began
        if result.returncode != 0:
            fail(f"stele verify does not hold: {result.stdout}")
        if round_number == 0:
            continue  # now they are in the page cache
        seen = json.loads(result.stdout)
        ours.append(seen["size"] / seconds)
        code, text = bench.tool("stele_hash", "--folder", data, "--rounds", 1 if bench.quick else 3)
        if code != 0:
            fail("stele_hash failed")
        runs.append({"verify_seconds": seconds, "bytes": seen["bytes"], "hash": json.loads(text)})
        peer.append(runs[-1]["hash"]["records_per_second"])
        bench.progress(13, round_number, verify=f"{ours[-1]:,.0f}/s", hashes=f"{peer[-1]:,.0f}/s")
    return [Row(13, f"stele verify, {stored.events:,} events", f"its SHA-256 calls alone, {runs[0]['hash']['threads']} threads",
                "records/s", ours, peer, ">=", 0.7, note=f"the whole command; files cached, "
                f"{runs[0]['bytes'] / 2**20:,.0f} MiB", runs={"runs": runs})]

"""Rows 1 to 4: appending."""

import contextlib
import statistics

from harness.table import Row
from peers import rocksdb
from peers.nats import Nats
from peers.nginx import ConstantAnswer
from peers.postgres import Cluster, Postgres
from peers.redis import Redis

CONNECTIONS_BUSY = 64
BATCH = 1000
BATCH_CONNECTIONS = 4


def rates(runs, what="requests_per_second"):
    return [run[what] for run in runs]


def middle(runs, *path):
    values = []
    for run in runs:
        for step in path:
            run = run[step]
        values.append(run)
    return statistics.median(values)


def cpu_note(ours, peer, name, per="event", events=1):
    """CPU time that both servers took for one event (or what else a request is about)."""
    def one(runs):
        told = [run["server_cpu_us_per_request"] for run in runs if run["server_cpu_us_per_request"] is not None]
        return f"{statistics.median(told) / events:.1f} us" if told else "not known"
    return f"server CPU {'an' if per == 'event' else 'a'} {per} {one(ours)}, {name} {one(peer)}"


def latency_note(runs):
    return f"p50 {middle(runs, 'latency_us', 'p50'):,.0f} us, p99 {middle(runs, 'latency_us', 'p99'):,.0f} us"


def one_event(bench, connections):
    """Row 1. Every side gets the same events from the same generator, one in flight a connection. NATS is asked so in its
    own text protocol, and once more by its C library as from one client that does not wait for each answer."""
    answer = bench.receipt()
    runs = {}
    with contextlib.closing(Cluster(bench.folder)) as cluster:
        sides = {
            "nginx": (lambda: contextlib.closing(ConstantAnswer(bench.folder, answer)), "http"),
            "redis": (lambda: contextlib.closing(Redis(bench.folder)), "redis"),
            "stele": (bench.stele, "http"),
            "postgres": (lambda: contextlib.closing(Postgres(bench.folder, cluster)), "postgres"),
            "nats": (lambda: contextlib.closing(Nats(bench.folder)), "nats"),
            "nats library": (lambda: contextlib.closing(Nats(bench.folder)), "nats-library"),
        }
        for round_number in bench.rounds():
            for name, (start, kind) in sides.items():
                with start() as server:
                    runs.setdefault(name, []).append(bench.load(server, connections, kind=kind))
            bench.progress(1, round_number, **{name: f"{made[-1]['requests_per_second']:,.0f}/s"
                                               for name, made in runs.items()})
    ours = runs["stele"]
    what = f"POST, one event, {connections} connections"

    def row(peer, name, relation, goal, note=""):
        return Row(1, what, peer, "/s", rates(ours), rates(runs[name]), relation, goal,
                   "; ".join(part for part in (cpu_note(ours, runs[name], name), note) if part),
                   runs={"ours": ours, "peer": runs[name]})

    return [
        row("nginx, constant answer", "nginx", ">=", 0.85, latency_note(ours)),
        row("Redis XADD, appendfsync always", "redis", ">=", 1.7, latency_note(runs["redis"])),
        row("PostgreSQL, one INSERT a message", "postgres", ">=", 8, latency_note(runs["postgres"])),
        row("NATS JetStream, answers not synced", "nats", ">=", 2, latency_note(runs["nats"])),
        row(f"the same by cnats, one connection, {connections} in flight", "nats library", "", 0,
            "what one pipelining client gets out of it, answers not synced"),
    ]


def one_connection(bench):
    """Row 2."""
    ours, peer = [], []
    for round_number in bench.rounds():
        peer.append(bench.raw_disk())
        with bench.stele() as server:
            ours.append(bench.load(server, 1))
        bench.progress(2, round_number, p50=f"{ours[-1]['latency_us']['p50']:.0f} us",
                       raw=f"{peer[-1]['p50_us']:.0f} us")
    return [Row(2, "POST, one connection, p50", "raw 4 KiB write + fdatasync", "us",
                [run["latency_us"]["p50"] for run in ours], rates(peer, "p50_us"), "<=", 1.4,
                f"p99 {middle(ours, 'latency_us', 'p99'):,.0f} us, raw {middle(peer, 'p99_us'):,.0f} us",
                runs={"ours": ours, "peer": peer}, cannot_beat_peer=True)]


def batches(bench):
    """Row 3."""
    runs = {}
    with contextlib.closing(Cluster(bench.folder)) as cluster:
        sides = {
            "postgres": (lambda: contextlib.closing(Postgres(bench.folder, cluster)), "postgres"),
            "redis": (lambda: contextlib.closing(Redis(bench.folder)), "redis"),
            "stele": (bench.stele, "http"),
        }
        for round_number in bench.rounds():
            for name, (start, kind) in sides.items():
                with start() as server:
                    runs.setdefault(name, []).append(
                        bench.load(server, BATCH_CONNECTIONS, kind=kind, batch=BATCH))
            bench.progress(3, round_number, **{name: f"{made[-1]['events_per_second']:,.0f} events/s"
                                               for name, made in runs.items()})
    ours = runs["stele"]

    def row(peer, name, goal):
        return Row(3, f"lists of {BATCH:,} over HTTP, {BATCH_CONNECTIONS} connections", peer, "events/s",
                   rates(ours, "events_per_second"), rates(runs[name], "events_per_second"), ">=", goal,
                   cpu_note(ours, runs[name], name, events=BATCH), runs={"ours": ours, "peer": runs[name]})

    return [row(f"PostgreSQL, COPY of {BATCH:,} a transaction", "postgres", 3),
            row(f"Redis, pipeline of {BATCH:,} XADD, appendfsync always", "redis", 1.5)]


def engine_alone(bench):
    """Row 4, and beside it what RocksDB makes of its own benchmark."""
    ours, peer, other = [], [], []
    for round_number in bench.rounds():
        peer.append(bench.micro("hash_100_records"))
        ours.append(bench.micro("commit_100_events"))
        other.append(rocksdb.synced_writes_per_second(bench.folder, 20_000 if bench.quick else 200_000))
        bench.progress(4, round_number, engine=f"{ours[-1]:,.0f}/s", hashes=f"{peer[-1]:,.0f}/s",
                       rocksdb=f"{other[-1]:,.0f}/s")
    return [Row(4, "engine alone, commits of 100", "its SHA-256 calls, one core", "events/s", ours, peer, ">=", 0.5,
                runs={"ours": ours, "peer": peer}),
            Row(4, "synced single writes in-process", f"RocksDB, db_bench fillseq, {rocksdb.THREADS} threads", "/s", [],
                other, note="for orientation: writes of one key each, grouped by the library", runs={"peer": other})]

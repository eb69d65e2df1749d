"""Rows 14 and 19: what is told as it happens, and what that costs those who append."""

import contextlib
import http.client
import json
import re
import selectors
import socket
import threading
import time

from harness.process import SteleServer, fail
from harness.table import Row

SUBSCRIBERS = 1000
EVENTS_A_SECOND = 5  # to each subscriber
GOAL_MS = 50
IDLE_STREAMS = 100
CONNECTIONS = 64

STAMP = re.compile(rb'"timestamp":"[^"]*"')


class Streams:
    """Readers of GET /v1/events/stream, all in one thread. Notes when each event reaches each of them."""

    def __init__(self, server, count, query):
        self.selector = selectors.DefaultSelector()
        self.arrivals = {}  # by event: seconds of each arrival
        self.live = 0
        self.sockets = []
        for _ in range(count):
            stream = socket.create_connection(("127.0.0.1", server.port))
            stream.sendall(f"GET /v1/events/stream?start=now&{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            stream.setblocking(False)
            self.sockets.append(stream)
            self.selector.register(stream, selectors.EVENT_READ, bytearray())
        deadline = time.monotonic() + 30
        while self.live < count:
            if time.monotonic() > deadline:
                fail(f"{self.live} of {count} streams have caught up")
            self.read(0.1)

    def read(self, seconds):
        for key, _ in self.selector.select(seconds):
            try:
                got = key.fileobj.recv(1 << 16)
            except BlockingIOError:
                continue
            now = time.time()
            if not got:
                fail("a live stream has ended")
            kept = key.data
            kept += got
            end = kept.rfind(b"\n\n")
            if end < 0:
                continue
            whole = bytes(kept[:end])
            del kept[:end]
            self.live += whole.count(b"event: caught-up")
            for stamp in STAMP.findall(whole):
                self.arrivals.setdefault(stamp, []).append(now)

    def close(self):
        for stream in self.sockets:
            stream.close()


def seconds_of(stamp):
    text = stamp.decode().split('"')[3]
    whole, fraction = text[:-1].split(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone + int(fraction) / 1e6


def latencies(bench, subscribers, seconds):
    """Milliseconds from the time that an event was given to its arrival at each subscriber, sorted."""
    arguments = ("--live-streams-max", str(SUBSCRIBERS + 10))
    with contextlib.closing(SteleServer(bench.binaries / "stele", bench.folder, None, arguments)) as server:
        with contextlib.closing(Streams(server, subscribers, "eventType=MissionMoved")) as streams:
            events = int(seconds * EVENTS_A_SECOND)

            def append():
                client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                for number in range(events):
                    body = json.dumps({"eventType": "MissionMoved", "aggregateId": f"mission-{number % 10}",
                                       "data": {"step": number, "note": "x" * 200}})
                    client.request("POST", "/v1/events", body, {"Content-Type": "application/json"})
                    response = client.getresponse()
                    response.read()
                    if response.status != 201:
                        fail(f"an append is answered {response.status}")
                    time.sleep(1 / EVENTS_A_SECOND)

            appender = threading.Thread(target=append)
            appender.start()
            deadline = time.monotonic() + seconds * 2 + 30
            while sum(map(len, streams.arrivals.values())) < events * subscribers:
                if time.monotonic() > deadline:
                    fail("not every event has reached every subscriber")
                streams.read(0.1)
            appender.join()
            return sorted(1000 * (arrival - seconds_of(stamp))
                          for stamp, arrivals in streams.arrivals.items() for arrival in arrivals)


def subscribers(bench):
    """Row 14."""
    many, one = [], []
    for round_number in bench.rounds():
        for count, to in ((SUBSCRIBERS, many), (1, one)):
            sorted_ms = latencies(bench, count, 4 if bench.quick else 20)
            to.append(sorted_ms[int(len(sorted_ms) * 0.99)])
        bench.progress(14, round_number, many=f"{many[-1]:,.1f} ms", one=f"{one[-1]:,.1f} ms")
    return [Row(14, f"{SUBSCRIBERS:,} subscribers, {SUBSCRIBERS * EVENTS_A_SECOND:,} deliveries/s, p99", "one subscriber",
                "ms", many, one, "<=", float("inf"), "from an event's time to its receipt, by server-sent events; one reader in Python",
                most=GOAL_MS)]


def idle_streams(bench):
    """Row 19, for live streams."""
    beside, without = [], []
    for round_number in bench.rounds():
        for count, to in ((IDLE_STREAMS, beside), (0, without)):
            with bench.stele() as server:
                with contextlib.closing(Streams(server, count, "eventType=NobodyHasThis")):
                    to.append(bench.load(server, CONNECTIONS)["requests_per_second"])
        bench.progress(19, round_number, beside=f"{beside[-1]:,.0f}/s", without=f"{without[-1]:,.0f}/s")
    return [Row(19, f"POST beside {IDLE_STREAMS} live streams that match nothing", "without", "/s", beside, without, ">=",
                0.95, f"{CONNECTIONS} connections")]

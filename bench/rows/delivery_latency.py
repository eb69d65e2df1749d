"""Rows 15 and 19: how long a delivery takes, and what the trouble or the number of other subscriptions changes in that."""

import contextlib
import http.client
import re
import selectors
import socket
import threading
import time

from harness.process import SteleServer, fail
from harness.table import Row
from peers.nginx import ConstantAnswer, Refusal
from rows.deliveries import ALLOW, IN_FLIGHT, PARKED, Client
from rows.live import STAMP, seconds_of

EVENTS_A_SECOND = 100
SUBSCRIPTIONS = 1000
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver:
    """Takes webhooks, all in one thread, and notes how long after its event each has come."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.milliseconds = []
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.ended = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended:
            for key, _ in self.selector.select(0.1):
                if key.fileobj is self.listener:
                    self.selector.register(self.listener.accept()[0], selectors.EVENT_READ, bytearray())
                else:
                    self.read(key.fileobj, key.data)

    def read(self, connection, kept):
        got = connection.recv(1 << 16)
        now = time.time()
        if not got:
            self.selector.unregister(connection)
            connection.close()
            return
        kept += got
        while (head := kept.find(b"\r\n\r\n")) >= 0:
            end = head + 4 + int(LENGTH.search(kept)[1])
            if len(kept) < end:
                return
            self.milliseconds += [1000 * (now - seconds_of(stamp)) for stamp in STAMP.findall(bytes(kept[head:end]))]
            del kept[:end]
            connection.sendall(TAKEN)

    def close(self):
        self.ended = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()


@contextlib.contextmanager
def hanging(client):
    """A subscription to the same events whose receiver takes connections and says nothing."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=128)) as listener:
        subscription = client.subscribe({"type": "webhook", "url": f"http://127.0.0.1:{listener.getsockname()[1]}/",
                                         "maxInFlight": IN_FLIGHT, "timeoutMs": 60_000})
        yield
        status = client.call("GET", f"/v1/subscriptions/{subscription}")
        if status["inFlight"] == 0 or status["delivered"] != 0:
            fail(f"the receiver that is to hang does not: {status}")


@contextlib.contextmanager
def parked(client, bench):
    """Another subscription that has as many parked aggregates as there may be."""
    client.append(PARKED, PARKED, "MissionFailed", "failed")
    with contextlib.closing(Refusal(bench.folder)) as receiver:
        subscription = client.subscribe({"type": "webhook", "url": receiver.url, "maxInFlight": IN_FLIGHT},
                                        eventTypes=["MissionFailed"], onDeadLetter="park", retry={"maxAttempts": 1},
                                        **{"from": "beginning"})
        client.wait(subscription, "deadLetters", PARKED)
        yield


def latencies(bench, beside):
    """Sorted milliseconds from the time that an event was given to its arrival, while `beside(client)` is there."""
    events = int((3 if bench.quick else 20) * EVENTS_A_SECOND)
    with contextlib.closing(SteleServer(bench.binaries / "stele", bench.folder, None, ALLOW)) as server, \
            contextlib.closing(Receiver()) as receiver:
        client = Client(server)
        with beside(client):
            subscription = client.subscribe({"type": "webhook", "url": receiver.url}, eventTypes=["MissionMoved"])
            began = time.monotonic()
            for number in range(events):
                client.call("POST", "/v1/events", {"eventType": "MissionMoved", "aggregateId": f"mission-{number % 100}",
                                                   "data": {"step": number, "note": "x" * 200}})
                time.sleep(max(0, began + number / EVENTS_A_SECOND - time.monotonic()))
            status = client.wait(subscription, "delivered", events)
        if status["failures"] != 0 or len(receiver.milliseconds) != events:
            fail(f"deliveries have failed or come twice: {status}")
        return sorted(receiver.milliseconds)


def beside_trouble(bench):
    """Row 19, for one subscription beside another that is in trouble."""
    sides = {"without": contextlib.nullcontext, "beside a receiver that hangs": hanging,
             f"beside {PARKED:,} parked aggregates": lambda client: parked(client, bench)}
    runs = {name: ([], []) for name in sides}
    for round_number in bench.rounds():
        for name, beside in sides.items():
            found = latencies(bench, beside)
            for part, to in zip((0.5, 0.99), runs[name]):
                to.append(found[int(len(found) * part)])
        bench.progress(19, round_number, **{name.replace(" ", "_"): f"p50 {p50[-1]:.2f} ms, p99 {p99[-1]:.2f} ms"
                                            for name, (p50, p99) in runs.items()})
    return [Row(19, f"a webhook {name}, {label}", "without", "ms", runs[name][at], runs["without"][at], "<=", goal,
                f"from an event's time to its receipt, {EVENTS_A_SECOND} events/s; one receiver in Python")
            for name in list(sides)[1:] for at, (label, goal) in enumerate((("p50", 1.2), ("p99", 1.5)))]


def delivered_in_all(server):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", "/metrics")
        return int(re.search(rb"\nstele_delivered_events_total (\d+)", connection.getresponse().read())[1])


def many_rate(bench, subscriptions, count):
    """Events a second from the first append until all are delivered, each to one of so many subscriptions."""
    with contextlib.closing(SteleServer(bench.binaries / "stele", bench.folder, None, ALLOW)) as server, \
            contextlib.closing(ConstantAnswer(bench.folder, "")) as receiver:
        client = Client(server)
        for number in range(subscriptions):
            client.subscribe({"type": "webhook", "url": receiver.url, "maxInFlight": IN_FLIGHT}, eventTypes=[f"Of{number}"])
        began = time.monotonic()
        for begin in range(0, count, 1000):
            client.call("POST", "/v1/events", [
                {"eventType": f"Of{number % subscriptions}", "aggregateId": f"mission-{number % 5000}",
                 "data": {"step": number, "note": "x" * 200}} for number in range(begin, begin + 1000)])
        while delivered_in_all(server) < count:
            if time.monotonic() > began + 300:
                fail("not everything is delivered")
            time.sleep(0.01)
        return count / (time.monotonic() - began)


def many_subscriptions(bench):
    """Row 15, as many subscriptions as there may be."""
    many, one = [], []
    count = 10_000 if bench.quick else 100_000
    for round_number in bench.rounds():
        for subscriptions, to in ((SUBSCRIPTIONS, many), (1, one)):
            to.append(many_rate(bench, subscriptions, count))
        bench.progress(15, round_number, many=f"{many[-1]:,.0f}/s", one=f"{one[-1]:,.0f}/s")
    return [Row(15, f"webhooks of {SUBSCRIPTIONS:,} subscriptions, each of its own events", "the same events to one", "/s",
                many, one, note="appends included; one nginx worker takes all")]

"""Rows 15 and 19: how fast subscriptions deliver, and what they cost those who append when they have nothing to do."""

import contextlib
import http.client
import json
import re
import subprocess
import tempfile
import time

from harness.process import SteleServer, fail
from harness.table import Row
from peers.nginx import ConstantAnswer, Refusal
from peers.redis import Redis

LIST = 1000  # events in one append
AGGREGATES = 5000
IN_FLIGHT = 256
STREAM_BATCH = 500
IDLE_SUBSCRIPTIONS = 100
PARKED = 10_000
CONNECTIONS = 64

ALLOW = ("--allow-callback-net", "127.0.0.1/32")
PIPELINE = 64  # of redis-benchmark


class Client:
    """One connection to a server of ours; JSON both ways."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def call(self, method, target, body=None):
        self.connection.request(method, target, None if body is None else json.dumps(body),
                                {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        if response.status not in (200, 201):
            fail(f"{method} {target} is answered {response.status}: {text[:500]!r}")
        return json.loads(text)

    def append(self, count, aggregates=AGGREGATES, event_type="MissionMoved", name="delivered"):
        for begin in range(0, count, LIST):
            self.call("POST", "/v1/events", [
                {"eventType": event_type, "aggregateId": f"{name}-{number % aggregates:07}",
                 "data": {"step": number, "note": "x" * 200}} for number in range(begin, begin + LIST)])

    def subscribe(self, delivery, **members):
        return self.call("POST", "/v1/events/subscribe", {"delivery": delivery, **members})["subscriptionId"]

    def wait(self, subscription, member, count):
        deadline = time.monotonic() + 300
        while (status := self.call("GET", f"/v1/subscriptions/{subscription}"))[member] < count:
            if time.monotonic() > deadline or status["state"] != "active":
                fail(f"not everything is delivered: {status}")
            time.sleep(0.005)
        return status


def rate_of(bench, count, delivery, arguments):
    """Events a second from the making of the subscription until all are delivered."""
    with contextlib.closing(SteleServer(bench.binaries / "stele", bench.folder, None, arguments)) as server:
        client = Client(server)
        client.append(count)
        began = time.monotonic()
        subscription = client.subscribe(delivery, **{"from": "beginning"})
        status = client.wait(subscription, "delivered", count)
        seconds = time.monotonic() - began
        if status["failures"] != 0 or status["delivered"] != count:
            fail(f"deliveries have failed or come twice: {status}")
        return count / seconds


def wrk(receiver, seconds):
    """Requests a second that the receiver answers when they are like ours."""
    body = json.dumps({"subscriptionId": "sub_" + 32 * "0", "events": [
        {"eventType": "MissionMoved", "aggregateId": "mission-0000000", "data": {"step": 1, "note": "x" * 500}}]})
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                     f"wrk.body = [=[{body}]=]\n")
        script.flush()
        text = subprocess.run(["wrk", "-t1", f"-c{IN_FLIGHT}", f"-d{max(1, int(seconds))}s", "-s", script.name,
                               receiver.url], text=True, check=True, stdout=subprocess.PIPE).stdout
    if "Non-2xx" in text:
        fail(f"the receiver refuses requests: {text}")
    return float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1])


def webhooks(bench):
    """Row 15, webhooks: one event each."""
    ours, theirs = [], []
    count = 20_000 if bench.quick else 200_000
    for round_number in bench.rounds():
        with contextlib.closing(ConstantAnswer(bench.folder, "")) as receiver:
            theirs.append(wrk(receiver, bench.seconds))
            ours.append(rate_of(bench, count, {"type": "webhook", "url": receiver.url, "maxInFlight": IN_FLIGHT}, ALLOW))
        bench.progress(15, round_number, webhooks=f"{ours[-1]:,.0f}/s", wrk=f"{theirs[-1]:,.0f}/s")
    return [Row(15, "webhooks of one event, decided durably and signed", "wrk to the same nginx", "/s", ours, theirs, ">=", 0.5,
                f"{IN_FLIGHT} at once, one nginx worker")]


def redis_stream(bench):
    """Row 15, the stream of a Redis."""
    ours, theirs = [], []
    count = 20_000 if bench.quick else 200_000
    entry = ["eventId", "0" * 36, "eventType", "MissionMoved", "aggregateId", "mission-0000000", "event", "x" * 500]
    for round_number in bench.rounds():
        with contextlib.closing(Redis(bench.folder)) as redis:
            text = subprocess.run(["redis-benchmark", "-p", str(redis.port), "-n", str(count), "-c", "1", "-P", str(PIPELINE),
                                   "-q", "--csv", "XADD", "peer", "*", *entry], text=True, check=True,
                                  stdout=subprocess.PIPE).stdout
            theirs.append(float(re.findall(r'"([\d.]+)"', text)[0]))
            redis.ask("DEL", "peer")
            ours.append(rate_of(bench, count, {"type": "redis-stream", "key": "events", "batchSize": STREAM_BATCH},
                                ("--redis", redis.url)))
            redis.check(count)
        bench.progress(15, round_number, stream=f"{ours[-1]:,.0f}/s", xadd=f"{theirs[-1]:,.0f}/s")
    return [Row(15, "stream of a Redis, each event once", "redis-benchmark XADD, pipelined", "/s", ours, theirs, ">=", 0.5,
                f"batches of {STREAM_BATCH}; a Redis that syncs each command")]


def idle_subscriptions(bench):
    """Row 19, for subscriptions that match nothing."""
    beside, without = [], []
    for round_number in bench.rounds():
        for count, to in ((IDLE_SUBSCRIPTIONS, beside), (0, without)):
            with bench.stele() as server:
                client = Client(server)
                for _ in range(count):
                    client.subscribe({"type": "pull"}, eventTypes=["NobodyHasThis"])
                to.append(bench.load(server, CONNECTIONS)["requests_per_second"])
        bench.progress(19, round_number, beside=f"{beside[-1]:,.0f}/s", without=f"{without[-1]:,.0f}/s")
    return [Row(19, f"POST beside {IDLE_SUBSCRIPTIONS} subscriptions that match nothing", "without", "/s", beside, without,
                ">=", 0.95, f"{CONNECTIONS} connections")]


def parked(bench):
    """Row 19, beside a subscription with as many parked aggregates as there may be."""
    beside, without = [], []
    for round_number in bench.rounds():
        for count, to in ((PARKED, beside), (0, without)):
            with contextlib.closing(SteleServer(bench.binaries / "stele", bench.folder, None, ALLOW)) as server:
                client = Client(server)
                if count:
                    client.append(count, count, "MissionFailed", "failed")
                    with contextlib.closing(Refusal(bench.folder)) as receiver:
                        # Each event is given up at once, and its aggregate parked.
                        subscription = client.subscribe(
                            {"type": "webhook", "url": receiver.url, "maxInFlight": IN_FLIGHT},
                            eventTypes=["MissionFailed"], onDeadLetter="park", retry={"maxAttempts": 1},
                            **{"from": "beginning"})
                        client.wait(subscription, "deadLetters", count)
                to.append(bench.load(server, CONNECTIONS)["requests_per_second"])
        bench.progress(19, round_number, parked=f"{beside[-1]:,.0f}/s", without=f"{without[-1]:,.0f}/s")
    return [Row(19, f"POST beside {PARKED:,} parked aggregates", "without", "/s", beside, without, ">=", 0.95,
                f"{CONNECTIONS} connections")]

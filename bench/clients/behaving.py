"""Clients as they should be: each request is expected to have one certain outcome."""

import http.client
import json
import random
import threading
import time
import urllib.parse

from clients.ledger import event, event_id


class Client(threading.Thread):
    """One keep-alive connection that makes `per_second` requests a second until `ending` is set."""

    per_second = 20
    idle_seconds_max = 2  # well below the server's limit: what is idle for longer may be closed just when it is used
    name_prefix = ""

    def __init__(self, port, ledger, tally, ending, number):
        super().__init__(name=f"{self.name_prefix}{number}", daemon=True)
        self.port, self.ledger, self.tally, self.ending, self.number = port, ledger, tally, ending, number
        self.random = random.Random(number)
        self.connection = None
        self.answered = 0

    def run(self):
        due = time.monotonic()
        while not self.ending.is_set():
            try:
                self.step()
            except Exception as trouble:  # a broken connection is as unexpected as a wrong status
                self.tally.surprise(f"{self.name}: {trouble!r}")
                self.close()
            due = max(due + 1 / self.per_second, time.monotonic() - 1)
            self.ending.wait(max(0, due - time.monotonic()))
        self.close()

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def ask(self, what, method, target, body=None, expected=(200,), headers=None):
        """The answer's body and headers; None if the status is not an expected one."""
        if time.monotonic() - self.answered > self.idle_seconds_max:
            self.close()
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        started = time.monotonic()
        self.connection.request(method, target, None if body is None else json.dumps(body), {**sent, **(headers or {})})
        answer = self.connection.getresponse()
        content = answer.read()
        self.answered = time.monotonic()
        self.tally.request(what, time.monotonic() - started)
        if answer.status not in expected:
            self.tally.surprise(f"{self.name}: {what}: {answer.status}, not {expected}: {content[:300]!r}")
            return None
        return content, answer

    def step(self):
        raise NotImplementedError


class Writer(Client):
    name_prefix = "writer "

    def events(self, count):
        first = self.ledger.next_number(self.number)
        numbers = range(first, first + count)
        return numbers, [event(self.number, number) for number in numbers]


class SingleWriter(Writer):
    per_second = 30

    def step(self):
        numbers, events = self.events(1)
        if self.ask("append", "POST", "/v1/events", events[0], (201,)):
            self.ledger.acknowledge(self.number, numbers)


class ListWriter(Writer):
    per_second = 2

    def step(self):
        numbers, events = self.events(self.random.choice((2, 10, 50, 200)))
        if self.ask("append list", "POST", "/v1/events", events, (201,)):
            self.ledger.acknowledge(self.number, numbers)


class Quarreller(Writer):
    """Repeats what is stored, and asks for what cannot be."""

    per_second = 10

    def step(self):
        numbers, (fresh,) = self.events(1)
        known = event(self.number, self.random.randrange(numbers[0])) if numbers[0] > 0 else None
        choice = self.random.randrange(5)
        if known is None or choice == 0:
            if self.ask("append", "POST", "/v1/events", fresh, (201,)):
                self.ledger.acknowledge(self.number, numbers)
        elif choice == 1:
            answer = self.ask("repeat", "POST", "/v1/events", known, (200,))
            if answer and answer[1].getheader("Idempotent-Replayed") != "true":
                self.tally.surprise(f"{self.name}: a repeat is not marked as one")
        elif choice == 2:
            self.ask("id conflict", "POST", "/v1/events", {**known, "data": "another"}, (409,))
        elif choice == 3:
            self.ask("sequence conflict", "POST", "/v1/events",
                     {"eventType": "Never", "aggregateId": known["aggregateId"], "data": 1, "sequenceNumber": 2**40}, (409,))
        else:
            condition = {"aggregates": [{"aggregateId": known["aggregateId"], "lastSequenceNumber": 0}]}
            self.ask("condition conflict", "POST", "/v1/events",
                     {"events": [{"eventType": "Never", "aggregateId": "never", "data": 1}], "condition": condition}, (409,))


class Reader(Client):
    name_prefix = "reader "
    per_second = 15

    def known_event(self):
        writer = self.random.randrange(len(self.ledger.rows))
        row = self.ledger.rows[writer]
        if not row:
            return None
        number = self.random.randrange(len(row))
        return event(writer, number) if row[number] else None

    def step(self):
        known = self.known_event()
        if known is None:
            self.ask("head", "GET", "/v1/head")
            return
        aggregate = urllib.parse.quote(known["aggregateId"], safe="")
        choice = self.random.randrange(6)
        if choice == 0:
            answer = self.ask("event", "GET", "/v1/events/" + known["eventId"])
            if answer and json.loads(answer[0])["data"] != known["data"]:
                self.tally.surprise(f"{self.name}: {known['eventId']} has other data than was sent")
        elif choice == 1:
            self.pages(aggregate)
        elif choice == 2:
            self.lines(f"/v1/events?aggregateId={aggregate}")
        elif choice == 3:
            head = json.loads(self.ask("head", "GET", "/v1/head")[0])
            self.lines(f"/v1/events?afterPosition={max(0, head['size'] - 3000)}")
        elif choice == 4:
            self.ask("aggregates", "GET", f"/v1/aggregates?prefix={aggregate[:6].split('%')[0]}&limit=50")
            self.ask("aggregate", "GET", f"/v1/aggregates/{aggregate}")
        else:
            self.ask("unknown event", "GET", "/v1/events/" + event_id(0xFFFF, 0), expected=(404,))

    def pages(self, aggregate):
        target, last = f"/v1/events?aggregateId={aggregate}&limit=50", 0
        for _ in range(4):
            answer = self.ask("page", "GET", target)
            if not answer:
                return
            page = json.loads(answer[0])
            for found in page["events"]:
                if found["sequenceNumber"] != last + 1:
                    self.tally.surprise(f"{self.name}: number {found['sequenceNumber']} after {last} in {aggregate}")
                last = found["sequenceNumber"]
            if page["nextCursor"] is None:
                return
            target = f"/v1/events?aggregateId={aggregate}&limit=50&cursor={urllib.parse.quote(page['nextCursor'])}"

    def lines(self, target):
        answer = self.ask("lines", "GET", target, headers={"Accept": "application/x-ndjson"})
        if answer:
            for line in answer[0].splitlines():
                json.loads(line)

"""Clients whose searches examine the whole log and find nothing, and one beside them that wants pages."""

import contextlib
import http.client
import json
import random
import threading
import time

# No aggregate has so many events, and nothing but the events themselves tells.
NOTHING = "/v1/events?fromSequence=1000000000"
TIMEOUT_SECONDS = 120


class Search(threading.Thread):
    """Begins again at the end. As lines, or page by page; both until the server ends."""

    def __init__(self, port, lines, ending):
        super().__init__(name="search", daemon=True)
        self.port, self.lines, self.ending = port, lines, ending
        self.answers = 0  # pages, or whole streams of lines
        self.trouble = None

    def run(self):
        try:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)) as connection:
                target = NOTHING
                while True:
                    connection.request("GET", target, headers={"Accept": "application/x-ndjson"} if self.lines else {})
                    answer = connection.getresponse()
                    body = answer.read()
                    if answer.status != 200:
                        raise RuntimeError(f"a search is answered {answer.status}")
                    cursor = None if self.lines else json.loads(body)["nextCursor"]
                    self.answers += 1
                    target = NOTHING + (f"&cursor={cursor}" if cursor else "")
        except Exception as trouble:
            if not self.ending.is_set():
                self.trouble = repr(trouble)


def pages_beside(port, log_size, seconds):
    """How long each page of another reader took, one after the other, sorted."""
    chance = random.Random(1)
    taken = []
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)) as connection:
        ends = time.monotonic() + seconds
        while (began := time.monotonic()) < ends:
            connection.request("GET", f"/v1/events?limit=100&afterPosition={chance.randrange(log_size - 101)}")
            answer = connection.getresponse()
            events = json.loads(answer.read())["events"]
            if answer.status != 200 or len(events) != 100:
                raise RuntimeError(f"a page is answered {answer.status} with {len(events)} events")
            taken.append(time.monotonic() - began)
    return sorted(taken)

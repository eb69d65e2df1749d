"""Row 18: what the audit trail costs those who append. The tree and the signatures of its checkpoints are part of every
server; what they cost beside a build of before them is for `compare`."""

import contextlib
import http.client
import threading
import time

from harness.process import SteleServer, fail
from harness.table import Row
from rows.append import CONNECTIONS_BUSY, cpu_note, rates

READS_A_SECOND = 200  # twice as many as are recorded one by one
GOAL = 0.95


class Reader:
    """Reads another aggregate each time, so that no two reads are recorded as one."""

    def __init__(self, server):
        self.server = server
        self.reads = 0
        self.trouble = None
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        begun = time.monotonic()
        try:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)) as connection:
                while not self.stopped.wait(max(0, begun + self.reads / READS_A_SECOND - time.monotonic())):
                    connection.request("GET", f"/v1/events?aggregateId=read-{self.reads}")
                    response = connection.getresponse()
                    response.read()
                    if response.status != 200:
                        raise RuntimeError(f"a read is answered {response.status}")
                    self.reads += 1
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            self.trouble = error

    def close(self):
        self.stopped.set()
        self.thread.join()
        if self.trouble or self.reads == 0:
            fail(f"the reader beside the load generator: {self.trouble or 'nothing was read'}")


def appending(bench):
    """Row 1 beside a reader, with everything recorded and with no read recorded."""
    runs = {"everything": [], "no reads": []}
    for round_number in bench.rounds():
        for name, made in runs.items():
            arguments = ("--audit-reads", "all" if name == "everything" else "none")
            with contextlib.closing(SteleServer(bench.binaries / "stele", bench.folder, None, arguments)) as server:
                with contextlib.closing(Reader(server)):
                    made.append(bench.load(server, CONNECTIONS_BUSY))
        bench.progress(18, round_number, **{name.replace(" ", "_"): f"{made[-1]['requests_per_second']:,.0f}/s"
                                            for name, made in runs.items()})
    ours, peer = runs.values()
    return [Row(18, f"POST beside {READS_A_SECOND} reads/s, all recorded, checkpoints signed", "no read recorded", "/s",
                rates(ours), rates(peer), ">=", GOAL, f"{CONNECTIONS_BUSY} connections; {cpu_note(ours, peer, 'unrecorded')}",
                runs={"ours": ours, "peer": peer})]

"""The measuring programs, and how long and how often they run."""

import contextlib
import http.client
import json
import os
import subprocess
import time

from harness.process import SteleServer, cpu_seconds, fail, progress

SAMPLE_EVENT = {
    "eventId": "01900000-0000-7000-8000-000000000001", "eventType": "MissionWaypointReached",
    "aggregateId": "mission-0001234", "aggregateType": "Mission",
    "userId": "5c1e0d5a-7b3f-4000-8000-000000000001", "correlationId": "01900000-0000-7000-8000-000000000002",
    "version": 1, "occurredAt": "2026-01-01T00:00:00.000000Z", "data": {"step": 1},
}


class Bench:
    def __init__(self, build, folder, quick, repeats):
        self.binaries = build
        self.folder = folder
        self.quick = quick
        self.repeats = repeats
        self.seconds = 0.8 if quick else 10
        self.warmup = 0.2 if quick else 2
        self.raw = []
        self.cpu_waits = []

    def tool(self, name, *arguments, **environment):
        """Exit code and output; what the program says on stderr is shown."""
        result = subprocess.run([self.binaries / "bench" / name, *map(str, arguments)], text=True, check=False,
                                stdout=subprocess.PIPE, timeout=3600, env={**os.environ, **environment})
        return result.returncode, result.stdout

    def load(self, server, connections, *, kind="http", **options):
        """One run of the load generator; anything but success ends the benchmark."""
        out = self.folder / "load.json"
        options = {"kind": kind, "url": server.url, "connections": connections, "duration": self.seconds,
                   "warmup": self.warmup, "pid": server.pid, "json": out, **options}
        # What earlier runs left to be written or discarded is no part of this one.
        os.sync()
        code, text = self.tool("stele_load", *(part for name, value in options.items() for part in (f"--{name}", value)))
        if code != 0:
            fail(f"the load generator reports trouble with {server.name}:\n{text}")
        run = json.loads(out.read_text())
        run["server_says"] = server.check(run["requests"] * int(run["events_per_request"]))
        return run

    def stele(self, data=None):
        return contextlib.closing(SteleServer(self.binaries / "stele", self.folder, data))

    @staticmethod
    def wait_until_idle(server):
        """Until what a server does after its start, such as to make a segment ahead, takes less than 5 % of a processor for a second."""
        used = cpu_seconds(server.pid)
        while True:
            time.sleep(1)
            before, used = used, cpu_seconds(server.pid)
            if used - before < 0.05:
                return

    def get(self, server, target):
        """The body of one answer, which must be 200."""
        return self.ask(server, "GET", target, None, 200)

    def post(self, server, target, value, status):
        """The same of a JSON value that is sent, with this status."""
        return self.ask(server, "POST", target, json.dumps(value), status)

    @staticmethod
    def ask(server, method, target, body, status):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            answer = response.read()
        if response.status != status:
            fail(f"{method} {target} is answered {response.status}: {answer[:500]!r}")
        return answer

    def receipt(self):
        """A real receipt, so that a peer can answer with as many bytes."""
        with self.stele() as server, contextlib.closing(
                http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
            connection.request("POST", "/v1/events", json.dumps(SAMPLE_EVENT), {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read().decode().strip()
        if response.status != 201 or "'" in body or "$" in body or "\\" in body:
            fail(f"unexpected receipt: {response.status} {body}")
        return body

    def disk(self, seconds=None, file_mib=64):
        code, text = self.tool("stele_disk", "--folder", self.folder, "--seconds", seconds or self.seconds,
                               "--file-mib", file_mib, "--json")
        if code != 0:
            fail("the disk probe failed")
        return json.loads(text)

    def raw_disk(self):
        self.raw.append(self.disk())
        self.cpu_waits.append(self.raw[-1]["cpu_wait_share"])
        return self.raw[-1]

    def watch_cpu(self):
        """How busy the machine is with other things right now: called while nothing of ours has work to do."""
        self.cpu_waits.append(self.disk(0.1 if self.quick else 0.3, 4)["cpu_wait_share"])

    def guarded(self, measure, *arguments):
        """Rows that tell whether other processes took CPU before, between or after their runs."""
        self.cpu_waits = []
        self.watch_cpu()
        rows = measure(self, *arguments)
        self.watch_cpu()
        for row in rows:
            row.cpu_wait_share = max(self.cpu_waits)
        return rows

    def micro(self, name):
        code, text = self.tool("stele_micro", f"--benchmark_filter=^{name}(/|$)", "--benchmark_format=json",
                               *(["--benchmark_min_time=0.3"] if self.quick else []),
                               STELE_BENCH_FOLDER=str(self.folder))
        if code != 0:
            fail(f"the micro-benchmark {name} failed:\n{text}")
        return json.loads(text)["benchmarks"][0]["items_per_second"]

    def rounds(self):
        """1, 2 … for the repeats of each side."""
        return range(1, self.repeats + 1)

    def progress(self, row, round_number, **sides):
        """At the end of each round."""
        self.watch_cpu()
        shown = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sides.items())
        progress(f"row {row}, {round_number}/{self.repeats}: {shown}")

"""Processes that the benchmark starts, and stops however it ends."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

START_SECONDS_MAX = 60
OPEN_SECONDS_MAX = 600  # of a large store
END_SECONDS_MAX = 20


def fail(message):
    sys.exit(f"bench/{pathlib.Path(sys.argv[0]).name}: {message}")


def progress(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    """Processor time of all threads so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end_process(process, first=signal.SIGTERM):
    """`first`, then SIGKILL; of this one process only."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Server:
    """A server with a folder of its own, which is removed with it. A subclass starts self.process on self.port."""

    name = ""
    end_signal = signal.SIGTERM

    def __init__(self, folder):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}.", dir=folder))
        self.port = free_port()
        self.process = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        raise NotImplementedError

    def spawn(self, *command, **more):
        """Starts the server with its output in a file that is shown if it does not come up."""
        self.output = self.folder / "output"
        with self.output.open("wb") as out:
            self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, **more)

    def wait_for_port(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                fail(f"{self.name} does not start:\n{self.output.read_text(errors='replace')[-2000:]}")
            time.sleep(0.01)

    @property
    def pid(self):
        return self.process.pid

    def check(self, acknowledged):
        """What the server says about its durability and what it holds. Ends the benchmark if that is not what its row says
        or less than it has acknowledged."""
        return {}

    def close(self):
        if self.process is not None:
            end_process(self.process, self.end_signal)
        shutil.rmtree(self.folder, ignore_errors=True)


class SteleServer:
    """`stele serve` on a data folder; without one, on a fresh folder that is removed with it."""

    name = "stele"

    def __init__(self, binary, folder, data=None, arguments=()):
        self.scratch = None if data else pathlib.Path(tempfile.mkdtemp(prefix="stele.", dir=folder))
        self.data = data or self.scratch / "data"
        self.lines = []
        self.port = None
        self.listening = threading.Event()
        started = time.monotonic()
        self.process = subprocess.Popen(
            [binary, "serve", "--data", self.data, "--listen", "127.0.0.1:0", *arguments], text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("STELE_")},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            self.reader = threading.Thread(target=self.read_output, daemon=True)
            self.reader.start()
            if not self.listening.wait(OPEN_SECONDS_MAX) or self.port is None:
                fail("the server does not start:\n" + "".join(self.lines[-20:]))
        except BaseException:
            self.close()
            raise
        self.start_seconds = self.listening_at - started
        self.url = f"http://127.0.0.1:{self.port}/v1/events"

    def read_output(self):
        for line in self.process.stdout:
            if self.port is None:
                self.lines.append(line)
                if match := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
                    self.listening_at = time.monotonic()
                    self.port = int(match[1])
                    self.listening.set()
        self.listening.set()

    @property
    def pid(self):
        return self.process.pid

    def check(self, acknowledged):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", "/v1/head")
            head = json.loads(connection.getresponse().read())
        if head["size"] < acknowledged:
            fail(f"stele holds {head['size']} records after {acknowledged} acknowledged events")
        return {"records": head["size"]}

    def kill(self):
        """SIGKILL: the store is not closed."""
        self.process.kill()
        self.process.wait()

    def close(self):
        end_process(self.process)
        self.reader.join()
        self.process.stdout.close()
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)

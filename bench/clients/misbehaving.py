"""Clients as they should not be. What is wrong with each request decides what its answer must be, if there is one."""

import contextlib
import json
import random
import socket
import struct
import threading

START = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
STREAM = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n"
# Request: the status it must get.
MALFORMED = [
    (b"\x16\x03\x01\x02\x00\x01", 400),
    (b"nonsense\r\n\r\n", 400),
    (b"GET /v1/head HTTP/1.1\r\n\r\n", 400),
    (b"GET /v1/head HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /" + b"a" * 30_000, 414),
    (b"GET /v1/head HTTP/1.1\r\nHost: a\r\nX: " + b"b" * 30_000, 431),
    (b"GET /v1/head HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
    (START + b"Content-Length: 100000000000\r\n\r\n", 413),
    (START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    (START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (START + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    (START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (START + b"Connection: close\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000, 400),
    (START + b"Connection: close\r\nContent-Length: 11\r\n\r\n{\"a\":1e999}", 422),
    (b"BREW /v1/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405),
    (b"GET /v1/events?limit=x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
    (b"GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
]


class Rogue(threading.Thread):
    """Connects, misbehaves for a while, goes, and comes again until `ending` is set."""

    pause_seconds = 0.2

    def __init__(self, port, tally, ending, number):
        super().__init__(name=f"{type(self).__name__} {number}", daemon=True)
        self.port, self.tally, self.ending = port, tally, ending
        self.random = random.Random(1000 + number)

    def run(self):
        while not self.ending.is_set():
            try:
                with socket.socket() as connection:
                    connection.settimeout(60)
                    self.prepare(connection)
                    connection.connect(("127.0.0.1", self.port))
                    self.misbehave(connection)
                self.tally.count(type(self).__name__)
            except (ConnectionError, BrokenPipeError):
                self.tally.count(type(self).__name__)  # the server has had enough
            except Exception as trouble:
                self.tally.surprise(f"{self.name}: {trouble!r}")
            self.ending.wait(self.pause_seconds)

    def prepare(self, connection):
        pass

    def misbehave(self, connection):
        raise NotImplementedError

    def leave(self, connection):
        """In one of three ways."""
        way = self.random.randrange(3)
        if way == 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way == 1:
            connection.shutdown(socket.SHUT_WR)

    def read_to_end(self, connection):
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                received += piece
        return received


class Malformed(Rogue):
    def misbehave(self, connection):
        request, status = self.random.choice(MALFORMED)
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        answer = self.read_to_end(connection)
        if not answer.startswith(f"HTTP/1.1 {status} ".encode()):
            self.tally.surprise(f"{self.name}: not {status} for {request[:80]!r}: {answer[:300]!r}")


class Leaver(Rogue):
    """Gone in the middle of a request or of its answer."""

    def misbehave(self, connection):
        body = json.dumps({"eventType": "Left", "aggregateId": "left", "data": "x" * self.random.randrange(100_000)}).encode()
        request = self.random.choice([
            START + b"Content-Length: %d\r\n\r\n" % len(body) + body,
            START + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body,
            STREAM, b"GET /v1/events?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /v1/events?minPosition=4000000000 HTTP/1.1\r\nHost: localhost\r\n\r\n"])
        connection.sendall(request[:self.random.randrange(1, len(request) + 1)])
        if self.random.randrange(2):
            connection.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                connection.recv(1000)
        self.leave(connection)


class SlowReader(Rogue):
    def prepare(self, connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def misbehave(self, connection):
        connection.sendall(self.random.choice(
            [STREAM, b"GET /v1/events?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n"]))
        for _ in range(self.random.randrange(20)):
            if not connection.recv(100) or self.ending.wait(0.3):
                return


class SlowSender(Rogue):
    """Half a header or half a body, then a byte now and then until the server ends it."""

    def misbehave(self, connection):
        connection.sendall(self.random.choice(
            [b"GET /v1/he", START, START + b"Content-Length: 100\r\n\r\n[", START + b"Transfer-Encoding: chunked\r\n\r\nfff\r\n"]))
        connection.settimeout(0.3)
        while not self.ending.is_set():
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(4096)
                if answer and not answer.startswith(b"HTTP/1.1 408 "):
                    self.tally.surprise(f"{self.name}: not 408: {answer[:300]!r}")
                return
            connection.sendall(b"1")


class HalfOpen(Rogue):
    """Says nothing at all, or asks and then says nothing, until the server ends it."""

    def misbehave(self, connection):
        if self.random.randrange(2):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.settimeout(0.5)
        while not self.ending.is_set():
            with contextlib.suppress(TimeoutError):
                if not connection.recv(4096):
                    return


class Flood(Rogue):
    """Thousands of requests at once, few of whose answers are read."""

    pause_seconds = 3

    def misbehave(self, connection):
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            connection.send(b"GET /v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5000)
        connection.settimeout(60)
        if not connection.recv(1000).startswith(b"HTTP/1.1 200 "):
            self.tally.surprise(f"{self.name}: the first answer is not 200")
        self.ending.wait(1)
        self.leave(connection)


ALL = [Malformed, Malformed, Leaver, Leaver, Leaver, SlowReader, SlowReader, SlowReader, SlowSender, SlowSender, SlowSender,
       HalfOpen, HalfOpen, HalfOpen, Flood]

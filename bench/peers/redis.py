"""Redis with an append-only file that is synced before each answer. All events go to one stream, without aggregates: less
work than an event store's."""

import socket

from harness.process import Server, fail


class Redis(Server):
    name = "redis"

    def start(self):
        self.spawn("redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder,
                   "--appendonly", "yes", "--appendfsync", "always",
                   # No snapshots and no rewrites of the file while it is measured.
                   "--save", "", "--auto-aof-rewrite-percentage", 0, "--maxclients", 5000)
        self.wait_for_port()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def ask(self, *words):
        """The reply's lines that are no lengths."""
        command = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(command.encode() + b"*1\r\n$4\r\nQUIT\r\n")
            reply = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        return [line for line in reply.split("\r\n") if line and line[0] not in "$*"][:-1]

    def check(self, acknowledged):
        policy = self.ask("CONFIG", "GET", "appendfsync")[-1]
        info = dict(line.split(":", 1) for line in self.ask("INFO", "persistence") if ":" in line)
        stored = int(self.ask("XLEN", "events")[0].lstrip(":"))
        if policy != "always" or info["aof_enabled"] != "1" or info["aof_last_write_status"] != "ok":
            fail(f"redis does not sync each append: appendfsync {policy}, {info}")
        if stored < acknowledged:
            fail(f"redis holds {stored} of {acknowledged} acknowledged events")
        return {"appendfsync": policy, "entries": stored}

"""NATS JetStream, one server, a stream in files. It answers before anything is synced (sync_interval is two minutes)."""

import json
import socket
import time

from harness.process import START_SECONDS_MAX, Server, fail

CONFIG = """\
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{folder}/jetstream" }}
"""
STREAM = {"name": "events", "subjects": ["events"], "storage": "file", "retention": "limits", "discard": "old",
          "num_replicas": 1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_consumers": -1}


class Nats(Server):
    name = "nats"

    def start(self):
        config = self.folder / "nats.conf"
        config.write_text(CONFIG.format(port=self.port, folder=self.folder))
        self.spawn("nats-server", "-c", config)
        self.wait_for_port()
        deadline = time.monotonic() + START_SECONDS_MAX
        while (made := self.ask("$JS.API.STREAM.CREATE.events", STREAM)) is None or "error" in made:
            if time.monotonic() > deadline:
                fail(f"nats makes no stream: {made}")
            time.sleep(0.02)

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def ask(self, subject, request):
        """A request of the JetStream API; None while nobody answers there."""
        body = json.dumps(request).encode() if request else b""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection, connection.makefile("rb") as lines:
            connection.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n'
                               b"SUB _INBOX.bench 1\r\nPUB %s _INBOX.bench %d\r\n%s\r\n"
                               % (subject.encode(), len(body), body))
            for line in lines:
                if line.startswith(b"MSG "):
                    return json.loads(lines.read(int(line.split()[-1])))
                if line.startswith((b"HMSG ", b"-ERR")):
                    return None
        return None

    def check(self, acknowledged):
        stream = self.ask("$JS.API.STREAM.INFO.events", None)
        if stream["config"]["storage"] != "file" or stream["state"]["messages"] < acknowledged:
            fail(f"nats holds {stream['state']['messages']} of {acknowledged} acknowledged events "
                 f"({stream['config']['storage']})")
        return {"storage": "file", "messages": stream["state"]["messages"], "bytes": stream["state"]["bytes"]}

"""PostgreSQL 15 with a table in the shape of message-db's (messages.sql), every commit synced."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from harness.machine import POSTGRES_FOLDER
from harness.process import Server, fail

SCHEMA = pathlib.Path(__file__).with_name("messages.sql")
# Durable as delivered; sized so that neither memory nor checkpoints hold it back while it is measured.
SETTINGS = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "wal_sync_method": "fdatasync",
    "max_connections": 300, "shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min",
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
}


def account():
    """What a process must be started with so that PostgreSQL runs: it refuses to be root."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return fail("PostgreSQL does not run as root, and there is no user postgres or nobody")


class Cluster:
    """An initialised data folder that servers start from as a copy."""

    def __init__(self, folder):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postgres-template.", dir=folder))
        who = account()
        if who:
            os.chown(self.folder, who["user"], who["group"])
            # The folder above is closed to others, and initdb's user must come through.
            folder.chmod(0o711)
        self.data = self.folder / "data"
        made = subprocess.run([POSTGRES_FOLDER / "initdb", "-D", self.data, "-U", "bench", "-A", "trust", "-E", "UTF8",
                               "--locale", "C.UTF-8", "--no-sync", "--no-instructions"], check=False, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", **who)
        if made.returncode != 0:
            fail(f"initdb fails; its user must be able to reach {folder} (`--folder` puts it elsewhere):\n{made.stdout}")
        with (self.data / "postgresql.conf").open("a") as config:
            config.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    name = "postgres"
    end_signal = signal.SIGINT  # ends sessions instead of waiting for them

    def __init__(self, folder, cluster):
        self.cluster = cluster
        super().__init__(folder)

    def start(self):
        who = account()
        # cp keeps owner and mode.
        subprocess.run(["cp", "-a", self.cluster.data, self.folder / "data"], check=True)
        if who:
            os.chown(self.folder, who["user"], who["group"])
        self.spawn(POSTGRES_FOLDER / "postgres", "-D", self.folder / "data", "-p", self.port, cwd="/", **who)
        self.wait_for_port()
        self.query("-f", SCHEMA)

    @property
    def url(self):
        return f"host=127.0.0.1 port={self.port} user=bench dbname=postgres sslmode=disable"

    def query(self, *arguments):
        command = [POSTGRES_FOLDER / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.url]
        while True:
            done = subprocess.run([*command, *map(str, arguments)], check=False, text=True, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if "starting up" not in done.stderr:
                break
            time.sleep(0.02)
        if done.returncode != 0:
            fail(f"psql fails:\n{done.stderr}")
        return done.stdout.strip()

    def check(self, acknowledged):
        durable = self.query("-c", "SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        if durable != "on|on":
            fail(f"postgres is not durable: {durable}")
        stored, gaps = map(int, self.query("-c", """
            SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM (
              SELECT stream_name FROM messages GROUP BY stream_name HAVING max(position) + 1 <> count(*)) AS broken)
            """).split("|"))
        if stored < acknowledged or gaps != 0:
            fail(f"postgres holds {stored} of {acknowledged} acknowledged events; {gaps} streams have gaps")
        return {"fsync, synchronous_commit": durable, "rows": stored}

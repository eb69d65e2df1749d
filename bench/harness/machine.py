"""What the benchmark runs on, and what must be installed for it."""

import os
import pathlib
import re
import shutil
import subprocess

from harness.process import fail

POSTGRES_FOLDER = pathlib.Path("/usr/lib/postgresql/15/bin")
# Program: the Debian 12 package that has it.
PROGRAMS = {
    "findmnt": "util-linux", "nginx": "nginx-light", "redis-server": "redis-server", "nats-server": "nats-server",
    "db_bench": "rocksdb-tools", "wrk": "wrk", "redis-benchmark": "redis-tools", str(POSTGRES_FOLDER / "postgres"): "postgresql-15",
}
PROGRAMS_OF_ROWS = {
    1: ["nginx", "redis-server", "nats-server", str(POSTGRES_FOLDER / "postgres")],
    3: ["redis-server", str(POSTGRES_FOLDER / "postgres")],
    4: ["db_bench"],
    5: ["nginx"],
    15: ["nginx", "wrk", "redis-server", "redis-benchmark"],
    19: ["nginx"],
}


def require_programs(rows):
    # /usr/sbin is not in everybody's PATH.
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    wanted = {"findmnt"}.union(*(PROGRAMS_OF_ROWS.get(row, []) for row in rows))
    missing = sorted(name for name in wanted if shutil.which(name) is None)
    if missing:
        fail(f"needs {', '.join(missing)}: apt-get install {' '.join(sorted({PROGRAMS[name] for name in missing}))}\n"
             "(`--rows` leaves out the rows that need them)")


def versions(rows):
    """Program: what it says about its version."""
    found = {}
    for name in sorted(set().union(*(PROGRAMS_OF_ROWS.get(row, []) for row in rows))):
        if name == "db_bench":
            # It tells its version only in a run's report.
            command = ["dpkg-query", "-W", "-f=${Version}", "rocksdb-tools"]
        else:
            command = [name, "-v" if name == "nginx" else "--version"]
        text = subprocess.run(command, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        version = re.search(r"\d+\.\d+(\.\d+)?", text)
        found[pathlib.Path(name).name.removesuffix("-server")] = version[0] if version else "?"
    return {{"db_bench": "rocksdb"}.get(name, name): version for name, version in found.items()}


def describe(folder, rows):
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())[1])
    mount = subprocess.run(["findmnt", "-no", "FSTYPE,OPTIONS", "--target", folder], text=True, check=False,
                           stdout=subprocess.PIPE).stdout.split()
    return {"cpu": cpu[1] if cpu else os.uname().machine, "cores": os.cpu_count(),
            "memory_gib": round(memory / 2**20, 1), "kernel": os.uname().release,
            "file_system": " ".join(mount), "peers": versions(rows), "load_average_before": os.getloadavg()[0]}


def print_description(machine):
    peers = ", ".join(f"{name} {version}" for name, version in machine["peers"].items())
    print(f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, kernel {machine['kernel']}, "
          f"data on {machine['file_system']}, load before {machine['load_average_before']:.2f}")
    if peers:
        print(f"peers: {peers}")

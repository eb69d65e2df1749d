"""RocksDB's own benchmark: how many synced writes a second a storage library does in-process, from 32 threads."""

import re
import subprocess
import tempfile

from harness.process import fail

THREADS = 32
VALUE_BYTES = 400


def synced_writes_per_second(folder, writes):
    with tempfile.TemporaryDirectory(prefix="rocksdb.", dir=folder) as data:
        run = subprocess.run(
            ["db_bench", "--benchmarks=fillseq", "--sync=1", f"--threads={THREADS}", f"--num={writes // THREADS}",
             f"--value_size={VALUE_BYTES}", "--compression_type=none", f"--db={data}"],
            text=True, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    found = re.search(r"^fillseq\s.*?([\d.]+) ops/sec", run.stdout, re.MULTILINE)
    if run.returncode != 0 or found is None:
        fail(f"db_bench fails:\n{run.stdout[-2000:]}")
    return float(found[1])

"""Makes the binaries that are measured."""

import pathlib
import subprocess

from harness.process import fail, progress

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def build_release(*targets, benchmarks=True):
    """Into build/release, which is returned."""
    progress("building the release preset")
    log = ROOT / "build" / "bench" / "build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    configure = ["cmake", "--preset", "release"] + (["-DSTELE_BENCH=ON"] if benchmarks else [])
    with log.open("w") as out:
        for command in (configure, ["cmake", "--build", "--preset", "release", "--target", *targets]):
            if subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, check=False).returncode != 0:
                fail(f"the build failed, see {log} (tools/packages.sh lists what it needs)")
    return ROOT / "build" / "release"

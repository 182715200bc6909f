"""Peak memory of streamed simulations, for more and more of them, as a table.

    PYTHONPATH=. python tests/benchmarks/bench_memory.py [--simulations 20000 200000] [--model lif] [--workers 2]

Each number of simulations runs in a fresh process, through :func:`neurofit.simulate_prior`, under one sweep of 50 ms.
``parent`` is the largest resident set of the process that collects and writes, ``worker`` that of the largest worker;
``together`` counts the parent and all workers. The compiled program beside each worker holds little more than the
voltage of one batch, here 4 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import neurofit as nf
from neurofit.recording import Source
from neurofit.workers import Pool


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--simulations", type=int, nargs="+", default=[20_000, 200_000])
    arguments.add_argument("--model", default="lif")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.one:
        sys.stdout.write(json.dumps(measured(options.model, options.simulations[0], options.workers)))
        return
    report = sys.stdout.write
    report(f"{options.model}, {options.workers} workers; load {os.getloadavg()[0]:.1f}. Peaks in MB.\n")
    report(f"{'simulations':>12}{'parent':>9}{'worker':>9}{'together':>10}{'seconds':>9}{'MB on disk':>12}\n")
    for n in options.simulations:
        command = [sys.executable, __file__, "--one", "--simulations", str(n), "--model", options.model]
        done = subprocess.run(
            [*command, "--workers", str(options.workers)], stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(done.stdout)
        together = found["parent"] + options.workers * found["worker"]
        report(f"{n:12,}{found['parent']:9.0f}{found['worker']:9.0f}{together:10.0f}{found['seconds']:9.0f}")
        report(f"{found['disk']:12.0f}\n")
        sys.stdout.flush()


def measured(model: str, n: int, workers: int) -> dict[str, float]:
    """Peak memory in MB, seconds, and MB on disk of ``n`` simulations in this process and its workers."""
    with tempfile.TemporaryDirectory(prefix="neurofit-bench-") as folder:
        started = time.perf_counter()
        nf.simulate_prior(one_sweep(), nf.load_model(model), folder, simulations=n, workers=workers)
        seconds = time.perf_counter() - started
        disk = sum(path.stat().st_size for path in Path(folder).rglob("*"))
    # enough calls for each worker to get one
    asked = dict(Pool(workers).unordered(peak, [()] * (4 * workers)))
    return {"parent": peak()[1], "worker": max(asked.values()), "seconds": seconds, "disk": disk / 1e6}


def peak() -> tuple[int, float]:
    """This process's number and its largest resident set, in MB.

    Linux's getrusage starts from what the parent had when it forked, so what it says of itself is asked for first.
    """
    time.sleep(0.1)
    try:
        status = Path("/proc/self/status").read_text()
        kilobytes = int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError):
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return os.getpid(), kilobytes / 1024


def one_sweep() -> nf.Recording:
    """50 ms with a step of 200 pA; only its current is used."""
    current = np.zeros((1, 500))
    current[:, 100:400] = 200.0
    source = Source("bench_memory.py", "", "made up", "protocol")
    return nf.Recording(np.zeros_like(current), current, 0.1, (0,), 0.0, (), source)


if __name__ == "__main__":
    main()

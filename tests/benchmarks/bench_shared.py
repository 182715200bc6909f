"""Twenty simulated cells of one protocol under a shared posterior: seconds for each, coverage, and which are flagged.

    PYTHONPATH=. python tests/benchmarks/bench_shared.py [--model hh_pospischil] [--simulations 20000] [--out DIRECTORY]

The cells are drawn from the prior, of those that fire; their recordings carry no noise of the tolerances' size, so that
intervals hold the truth a little more often than they say.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import neurofit as nf
from neurofit.features.catalogue import columns_for
from neurofit.progress import Terminal

CELLS, FEWEST_SPIKES = 20, 4


def cells(shared: nf.Shared) -> tuple[pd.DataFrame, list[nf.Recording]]:
    """Parameters and recordings of simulated cells that fire."""
    model, protocol = shared.posterior.model, shared.protocol
    theta = model.table(model.prior.sample(20 * CELLS, np.random.default_rng(5)))
    traces = nf.simulate(model, protocol.stimulus, theta, seed=9)
    table = nf.extract_features(traces.voltage_mv, protocol.stimulus, sweep_numbers=protocol.sweep_numbers)
    spikes = table.select(columns_for(["spike_count"], protocol.sweep_numbers)).values.sum(axis=1)
    rows = np.flatnonzero(traces.valid & (spikes >= FEWEST_SPIKES))[:CELLS]
    made = [replace(protocol, voltage_mv=traces.voltage_mv[row].astype(np.float64)) for row in rows]
    return theta.iloc[rows].reset_index(drop=True), made


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="hh_pospischil")
    parser.add_argument("--simulations", type=int, default=20_000)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--out", type=Path, default=Path(tempfile.mkdtemp()) / "shared")
    given = parser.parse_args()
    # the sweeps that are fitted, as a recording of their own: simulated cells have no others
    whole = nf.load_recording(nf.fetch_recording("simulated"))
    recording = replace(whole.select(whole.sweep_numbers[::2]), set_aside={})
    started = time.perf_counter()
    shared = nf.learn_shared(
        recording, nf.load_model(given.model), given.out, sweeps="all", simulations=given.simulations,
        workers=given.workers, progress=Terminal(),
    )  # fmt: skip
    say(f"Learned in {time.perf_counter() - started:.0f} s. {shared.calibration['sentence']}")
    theta, made = cells(shared)
    rows = []
    for truth, cell in zip(theta.to_numpy(), made, strict=True):
        started = time.perf_counter()
        found = shared.cell(cell)
        draws = found.posterior.sample(2000).to_numpy()
        seconds = time.perf_counter() - started
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        rows.append(
            {
                "seconds": seconds,
                "held of 90 %": np.mean((low <= truth) & (truth <= high)),
                "good enough": found.good_enough,
                "p features": found.features.p_value,
                "p predictions": found.p_prediction,
                "p local": found.p_local,
                "score": found.score,
            }
        )
    table = pd.DataFrame(rows)
    say(table.to_string(float_format="%.2g"))
    held = 100 * table["held of 90 %"].mean()
    say(
        f"{CELLS} cells in {table['seconds'].sum():.0f} s; 90 % intervals hold {held:.0f} % of their parameters; "
        f"{int((~table['good enough']).sum())} are flagged."
    )


if __name__ == "__main__":
    main()

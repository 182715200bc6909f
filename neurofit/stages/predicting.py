"""Posterior predictive simulations of the fitted and the held-out sweeps."""

from __future__ import annotations

from neurofit.infer import Posterior
from neurofit.progress import Progress
from neurofit.recording import Recording
from neurofit.recording.split import Split
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import SimulationSet, simulate_set
from neurofit.store import Run
from neurofit.workers import Pool

# Posterior draws that are simulated, and of how many the voltage is kept for the figures.
DRAWS = 300
DRAWN = 100


def predict(
    run: Run, posterior: Posterior, cut: Split, *, seed: int, pool: Pool, progress: Progress
) -> dict[str, SimulationSet]:
    """Simulate the same posterior draws under the fitted sweeps and under each held-out part."""
    parts: dict[str, Recording] = {"fitted": cut.fitted, **cut.held_out}
    return {
        name: simulate_set(
            run,
            f"predicted {name}",
            posterior.model,
            part,
            lambda: posterior.sample_unbounded(DRAWS, stream_seed(seed, "posterior")),
            seed=seed,
            pool=pool,
            progress=progress,
            keep=DRAWN,
        )
        for name, part in parts.items()
    }

"""Seeds for every use of randomness in a run, all from the run's own."""

import numpy as np

_USES = ("prior", "propose", "train", "region", "check", "posterior", "predict", "around", "calibrate", "robust")


def stream_seed(seed: int, use: str, number: int = 0) -> int:
    """A seed for one use of randomness; two uses never share one but by chance."""
    return int(np.random.SeedSequence([seed, _USES.index(use), number]).generate_state(1)[0])

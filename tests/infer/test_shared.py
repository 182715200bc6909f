"""One network for all cells of a protocol, on a problem whose posterior is known."""

import numpy as np
import pytest
import torch

from neurofit.features import FeatureTable
from neurofit.infer import Schedule, train_ensemble
from neurofit.infer.calibration import assess
from neurofit.infer.shared import SharedPosterior, SharedSummaries

# columns of the catalogue, of which two live on a linear and one on a logarithmic scale
NAMES = ("resting_potential", "electrode_resistance", "input_resistance", "rheobase")
LEVELS = {0: 50.0}


def table(values):
    return FeatureTable(np.asarray(values), np.isfinite(values), NAMES, LEVELS)


def simulated(n, seed, gain=3.0):
    """Two parameters; the first moves three features, the second one, and the last is undefined in half of them."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 2))
    rest = -70 + gain * 2.0 * z[:, 0]
    electrode = 8 + gain * 1.0 * z[:, 1]
    resistance = 100 * np.exp(gain * 0.15 * z[:, 0])
    rheobase = np.where(z[:, 1] > 0, 60 + gain * 15 * z[:, 0], np.nan)
    return z, table(np.column_stack([rest, electrode, resistance, rheobase]))


@pytest.fixture(scope="module")
def shared():
    z, features = simulated(6000, 1)
    summaries = SharedSummaries.of(features, NAMES)
    schedule = Schedule(epochs=30, transforms=3, hidden=48)
    ensemble = train_ensemble(z, summaries.scaled(features), summaries, schedule, seed=1, members=1, workers=1)
    return SharedPosterior(None, summaries, ensemble.density)


def test_every_cell_gets_its_own_exact_posterior(shared):
    z, features = simulated(400, 2)
    scaled = shared.summaries.noisy(shared.summaries.scaled(features), 3)
    draws = shared.sample(scaled, 400, 4)
    # the first parameter is shown linearly, three tolerances for one, by two features or by three
    sd = 1 / np.sqrt(1 + 9 * (2.0 + np.isfinite(scaled[:, 3])))
    wider = draws.std(axis=0)[:, 0] / sd
    assert np.median(wider) == pytest.approx(1, abs=0.1)
    assert (np.abs(np.log(wider)) < 0.3).mean() > 0.9
    assert assess(draws, z, ["a", "b"], seed=1).verdict == "calibrated"


def test_an_undefined_feature_is_seen_and_a_rare_one_left_out():
    _z, features = simulated(1000, 5)
    rare = features.values.copy()
    rare[5:, 3] = np.nan
    assert SharedSummaries.of(table(rare), NAMES).names == NAMES[:3]
    summaries = SharedSummaries.of(features, NAMES)
    encoded = summaries.encode(torch.as_tensor(summaries.scaled(features)))
    assert encoded.isfinite().all()
    undefined = ~features.defined[:, 3]
    assert (encoded[:, -1].numpy() == undefined).all()


def test_the_input_is_that_of_the_cell_alone(shared):
    """A network that is asked about several cells at once says of each what it says of it alone."""
    _, features = simulated(5, 6)
    scaled = shared.summaries.scaled(features)
    together = shared.encoded(scaled)
    for row in range(5):
        assert torch.equal(shared.encoded(scaled[[row]])[0], together[row])


def test_it_survives_the_run_directory(shared, tmp_path):
    file = tmp_path / "network.safetensors"
    shared.density.networks.save(file)
    again = SharedPosterior.load(None, SharedSummaries.from_dict(shared.summaries.to_dict()), file)
    _, features = simulated(7, 8)
    scaled = shared.summaries.scaled(features)
    assert np.array_equal(again.sample(scaled, 20, 9), shared.sample(scaled, 20, 9))

"""What ``[rig.NAME]`` adds to a recorded voltage, as laws."""

from __future__ import annotations

import numpy as np
import pytest

from neurofit.errors import SlowSimulation
from neurofit.recording import Stimulus
from neurofit.simulation import simulate, slow
from neurofit.simulation.program import describe
from neurofit.template import Model, load_model, parse_model
from tests.simulation.conftest import DT_MS, START, STOP, TEMPLATES, steps

PASSIVE = (TEMPLATES / "passive.toml").read_text(encoding="utf-8")
UNITS = {
    "series_resistance": ("Mohm", 10, "0, high = 30"),
    "junction_potential": ("mV", 12, "8, high = 16"),
    "offset": ("mV", 1, "-5, high = 5"),
    "filter": ("kHz", 2, "0.1, high = 10"),
    "noise": ("mV", 0.3, "0, high = 1"),
}
QUIET = {"sigma": 0.0, "rig_noise": 0.0}


def with_rig(*names: str, text: str = PASSIVE) -> Model:
    """The passive membrane behind some of a rig, pasted at its end."""
    for name in names:
        unit, value, bounds = UNITS[name]
        text += f'\n[rig.{name}]\nunit = "{unit}"\nvalue = {value}\ndescription = "of the rig"\nsource = "a test"\n'
        text += f'prior = {{ family = "uniform", low = {bounds} }}\n'
    return parse_model(text, "passive.toml")


@pytest.fixture(scope="module")
def rig() -> Model:
    return with_rig(*UNITS)


def recorded(model: Model, stimulus: Stimulus, seed: int = 1, **theta: float | list[float]) -> np.ndarray:
    return simulate(model, stimulus, theta, seed=seed).voltage_mv.astype(np.float64)


def test_what_the_rig_adds_is_part_of_theta(rig: Model) -> None:
    assert rig.free[-5:] == tuple(f"rig_{name}" for name in UNITS)
    assert rig.units["rig_filter"] == "kHz"
    assert rig.parsed.records_current
    assert with_rig("offset").free[-1] == "rig_offset"


def test_noise_has_its_sd_and_is_new_in_every_sample_sweep_and_draw(rig: Model) -> None:
    noise = recorded(rig, steps(0, 0), rig_noise=[0.2, 0.5], sigma=0.0)
    noise -= recorded(rig, steps(0, 0), rig_noise=0.0, sigma=0.0)
    n = noise.shape[-1]
    for row, sd in zip(noise, (0.2, 0.5), strict=True):
        assert row.std(axis=-1) == pytest.approx([sd, sd], rel=4 / np.sqrt(2 * n))
    traces = noise.reshape(4, n)
    related = np.corrcoef(traces)[np.triu_indices(4, 1)]
    assert np.abs(related).max() < 4 / np.sqrt(n)
    for lag in (1, 2, 10):
        assert abs(np.corrcoef(traces[:, lag:].ravel(), traces[:, :-lag].ravel())[0, 1]) < 4 / np.sqrt(4 * n)


def test_observation_noise_is_none_of_the_membranes(rig: Model) -> None:
    together, apart = recorded(rig, steps(0)), recorded(rig, steps(0), rig_noise=0.0)
    driven = np.diff(apart[0, 0])
    assert abs(np.corrcoef(driven, (together - apart)[0, 0, 1:])[0, 1]) < 4 / np.sqrt(len(driven))
    assert abs(np.corrcoef(driven, (together - apart)[0, 0, :-1])[0, 1]) < 4 / np.sqrt(len(driven))


def test_the_same_bits_in_any_batch(rig: Model) -> None:
    theta = rig.table(rig.prior.sample(40, np.random.default_rng(0)))
    keys = np.arange(40, dtype=np.uint64) + 7
    together = simulate(rig, steps(100, 50), theta, keys=keys).voltage_mv
    alone = simulate(rig, steps(100, 50), theta.iloc[31:33], keys=keys[31:33]).voltage_mv
    assert np.array_equal(together[31:33], alone)


def test_a_series_resistance_jumps_with_the_current_and_potentials_are_added() -> None:
    model = with_rig("series_resistance", "junction_potential", "offset")
    bare = {"rig_series_resistance": 0.0, "rig_junction_potential": 8.0, "rig_offset": 0.0, "sigma": 0.0}
    plain = recorded(load_model(TEMPLATES / "passive.toml"), steps(-100, 200), sigma=0.0)
    within = {"atol": 1e-4, "rtol": 0}
    resistance = recorded(model, steps(-100, 200), **(bare | {"rig_series_resistance": 20.0})) - plain - 8
    assert np.allclose(resistance[0, :, START:STOP], [[-2.0], [4.0]], **within)
    assert np.allclose(resistance[..., :START], 0, **within)
    # what was not subtracted makes the recorded voltage too positive
    junction = recorded(model, steps(-100, 200), **(bare | {"rig_junction_potential": 15.0})) - plain
    assert np.allclose(junction, 15, **within)
    assert np.allclose(recorded(model, steps(0), **(bare | {"rig_offset": -3.0}))[0, 0], -70 + 8 - 3, **within)


def test_a_filter_lags_behind_a_step_as_an_exponential(rig: Model) -> None:
    """Of the voltage over the series resistance, which jumps; the membrane is left out by its own difference."""
    theta = QUIET | {"rig_filter": 1.0}
    through, without = (recorded(rig, steps(100), **theta, rig_series_resistance=r)[0, 0] for r in (30.0, 0.0))
    since = (np.arange(STOP - START) + 0) * DT_MS
    expected = 3.0 * (1 - np.exp(-2 * np.pi * 1.0 * since))
    assert np.abs((through - without)[START:STOP] - expected).max() < 1e-3


def test_a_filter_lets_half_the_power_through_at_its_corner(rig: Model) -> None:
    """A sine of current over the series resistance, at the corner, far below it and far above it."""
    corner_khz, periods = 0.2, np.arange(3000) * DT_MS
    for frequency_khz in (0.02, 0.2, 1.0):
        stimulus = Stimulus(100 * np.sin(2 * np.pi * frequency_khz * periods)[None], DT_MS)
        theta = QUIET | {"rig_filter": corner_khz}
        voltage = [recorded(rig, stimulus, **theta, rig_series_resistance=r)[0, 0] for r in (30.0, 0.0)]
        # settled, and a whole number of periods
        late = (voltage[0] - voltage[1])[1000:]
        wave = np.exp(-2j * np.pi * frequency_khz * periods[1000:])
        gain = abs((late * wave).mean()) / abs((0.03 * stimulus.current_pa[0, 1000:] * wave).mean())
        expected = 1 / np.sqrt(1 + (frequency_khz / corner_khz) ** 2)
        # the current is held over each sample, which the filter sees as steps
        assert gain == pytest.approx(expected, rel=0.02), frequency_khz


def test_without_a_compiler_the_rig_is_the_same(rig: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    theta = rig.table(rig.prior.sample(3, np.random.default_rng(2)))
    compiled = simulate(rig, steps(100, -50), theta, seed=4).voltage_mv
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(slow, "_warned", set())
    with pytest.warns(SlowSimulation):
        slowly = simulate(rig, steps(100, -50), theta, seed=4).voltage_mv
    assert np.abs(slowly - compiled).max() < 1e-4


def test_a_template_without_a_rig_is_as_it_was() -> None:
    plain = load_model(TEMPLATES / "passive.toml")
    assert not describe(plain, 10, 1, DT_MS)["uses_observation_noise"]
    assert plain.recorded == "v"
    assert describe(with_rig("noise"), 10, 1, DT_MS)["uses_observation_noise"]


@pytest.mark.parametrize("name", ["hh_pospischil", "lif", "hh_tutorial", "adex"])
def test_a_rig_goes_behind_any_shipped_template(name: str) -> None:
    shipped = load_model(name)
    model = with_rig(*UNITS, text=shipped.text)
    assert model.free == (*shipped.free, *(f"rig_{rig}" for rig in UNITS))
    assert model.prior.sample(10, np.random.default_rng(0)).shape == (10, len(model.free))

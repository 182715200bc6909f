"""Posteriors from raw voltage: what is learned, that it is honest, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import neurofit as nf
from neurofit import check
from neurofit.infer.calibration import assess
from neurofit.infer.learn_amortized import SCHEDULE
from neurofit.infer.recovery import Recovery
from neurofit.infer.summary_network import LAST_FRAMES, Layout, SummaryNetwork

MODEL = nf.load_model("lif_tutorial")
QUICK = replace(SCHEDULE, density="maf", epochs=2, batches=8, transforms=2, hidden=16)
SAMPLES, NOISE_MV = 120, 2.0
# Each parameter has a wave of its own in the trace, so that its posterior is known in closed form.
SHAPES = 0.7 * np.cos(np.pi * np.arange(6)[:, None] * (np.arange(SAMPLES) + 0.5) / SAMPLES)


def cells(n, seed, sweeps=1, noise_mv=NOISE_MV):
    """``theta``, unbounded ``z`` and traces whose mean is linear in ``z``."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 6))
    mean = -60 + z @ SHAPES
    traces = mean[:, None] + noise_mv * rng.standard_normal((n, sweeps, SAMPLES))
    return MODEL.prior.from_unbounded(z), z, traces.astype(np.float32)


def exact_log_prob(z, traces):
    precision = np.eye(6) + SHAPES @ SHAPES.T / NOISE_MV**2
    means = (traces[:, 0] + 60) @ SHAPES.T / NOISE_MV**2 @ np.linalg.inv(precision)
    deviations = z - means
    return 0.5 * (
        np.linalg.slogdet(precision)[1] - 6 * np.log(2 * np.pi) - ((deviations @ precision) * deviations).sum(axis=1)
    )


@pytest.fixture(scope="module")
def learned():
    theta, _, traces = cells(400, seed=1)
    return nf.learn_amortized(MODEL, theta, traces, dt_ms=0.2, schedule=QUICK, show_progress=False)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "nats"), [("convolutional", 0.8), ("recurrent", 2.5)])
def test_what_is_learned_comes_near_the_closed_form(kind, nats):
    """The exact posterior of six parameters is 6.7 nats above the prior; measured: .4 and 1.7 below it.

    These parameters stand at fixed places of the trace, which a recurrent network takes longer to learn.
    """
    theta, _, traces = cells(3000, seed=1, noise_mv=0.0)
    found = nf.learn_amortized(
        MODEL, theta, traces, dt_ms=0.2, noise_sd_mv=NOISE_MV, network=kind,
        schedule=replace(SCHEDULE, epochs=15, batches=40), show_progress=False,
    )  # fmt: skip
    theta, z, traces = cells(1000, seed=2)
    learnt = found.log_prob(theta, traces) - MODEL.prior.log_abs_det(theta)
    exact = exact_log_prob(z, traces)
    assert 0 < exact.mean() - learnt.mean() < nats
    recovery = found.recovery(theta, traces)
    assert recovery.calibration_error.max() < 0.06
    assert recovery.contraction.min() > 0.3


def test_a_posterior_is_the_one_that_is_drawn_from_for_many(learned):
    _, _, traces = cells(3, seed=5)
    many = learned.sample(traces, 400, seed=3)
    assert many.shape == (3, 400, 6)
    one = learned.posterior(traces[1])
    spread = many[1].std(axis=0)
    assert np.all(abs(one.sample(4000, seed=1).mean().to_numpy() - many[1].mean(axis=0)) < 5 * spread / np.sqrt(400))
    theta = many[1][:5]
    np.testing.assert_allclose(one.log_prob(theta), learned.log_prob(theta, traces[[1] * 5]), atol=1e-3)


def test_the_same_seed_gives_the_same_posterior(learned):
    theta, _, traces = cells(400, seed=1)
    again = nf.learn_amortized(MODEL, theta, traces, dt_ms=0.2, schedule=QUICK, show_progress=False)
    assert np.array_equal(again.losses, learned.losses)
    other = nf.learn_amortized(MODEL, theta, traces, dt_ms=0.2, schedule=QUICK, seed=2, show_progress=False)
    assert not np.array_equal(other.losses, learned.losses)


def test_saved_and_loaded_it_says_the_same(learned, tmp_path):
    _, _, traces = cells(4, seed=6)
    loaded = nf.load_amortized(learned.save(tmp_path / "learned.safetensors"), MODEL)
    assert np.array_equal(loaded.sample(traces, 20, seed=1), learned.sample(traces, 20, seed=1))
    assert (loaded.reading, loaded.dt_ms) == (learned.reading, learned.dt_ms)


def test_another_template_or_file_is_refused(learned, tmp_path):
    file = learned.save(tmp_path / "learned.safetensors")
    with pytest.raises(nf.BadInput, match="another template"):
        nf.load_amortized(file, nf.load_model("lif"))
    (tmp_path / "other").write_bytes(b"\x08" * 100)
    with pytest.raises(nf.BadInput, match="not a file of network weights"):
        nf.load_amortized(tmp_path / "other", MODEL)


def test_a_network_of_ones_own_is_trained_and_asked_but_not_saved(tmp_path):
    torch.manual_seed(0)
    own = nn.Sequential(nn.Flatten(), nn.Linear(SAMPLES, 8))
    before = own[1].weight.detach().clone()
    theta, _, traces = cells(200, seed=1)
    found = nf.learn_amortized(MODEL, theta, traces, dt_ms=0.2, network=own, schedule=QUICK, show_progress=False)
    assert not torch.equal(found.summary_network[1].weight, before)
    assert found.summaries(traces[:3]).shape == (3, 8)
    with pytest.raises(nf.BadInput, match="of your own"):
        found.save(tmp_path / "learned")


def test_sweeps_are_read_together():
    """Each sweep tells as much again: with four, posteriors are narrower than with one."""
    theta, _, traces = cells(300, seed=1, sweeps=4)
    found = nf.learn_amortized(MODEL, theta, traces, dt_ms=0.2, schedule=QUICK, show_progress=False)
    assert found.posterior(traces[0]).sample(5).shape == (5, 6)
    before = found.summaries(traces[:1])
    for sweep in range(4):
        other = traces[:1].copy()
        other[0, sweep] += 5
        assert not torch.equal(found.summaries(other), before)


def test_the_check_in_its_own_space_takes_it(learned):
    _, _, traces = cells(300, seed=7)
    inside = check.embedding(learned, traces[0], traces[1:])
    outside = check.embedding(learned, traces[0] + 60, traces[1:])
    assert inside.p_value > 0.05 >= outside.p_value


@pytest.mark.parametrize(
    ("traces", "match"),
    [
        (np.zeros((10, 1, SAMPLES)), "do not go together"),
        (np.full((200, 1, SAMPLES), np.nan), "not finite"),
        (np.zeros((200, 2, 3, 4)), "not traces"),
        (np.float64(1.0), "not traces"),
    ],
)
def test_simulations_that_cannot_be_learned_from_are_refused(traces, match):
    theta, _, _ = cells(200, seed=1)
    with pytest.raises(nf.BadInput, match=match):
        nf.learn_amortized(MODEL, theta, traces, dt_ms=0.2, schedule=QUICK, show_progress=False)


@pytest.mark.parametrize("shape", [(SAMPLES - 1,), (1, 2, SAMPLES), (3, 1, SAMPLES - 1)])
def test_a_trace_of_another_protocol_is_refused(learned, shape):
    with pytest.raises(nf.BadInput, match="not traces of this protocol"):
        learned.sample(np.zeros(shape))


def test_an_unknown_network_is_refused():
    theta, _, traces = cells(200, seed=1)
    with pytest.raises(nf.BadInput, match="summary network"):
        nf.learn_amortized(MODEL, theta, traces, dt_ms=0.2, network="transformer", show_progress=False)


@pytest.mark.parametrize("dt_ms", [0.025, 0.1, 0.2])
def test_a_layer_steps_through_time_not_samples(dt_ms):
    layout = Layout.of("convolutional", 1, round(800 / dt_ms), dt_ms, 24)
    assert layout.strides[0] * dt_ms == pytest.approx(1.6)
    assert layout.kernels[0] == 2 * layout.strides[0]


@pytest.mark.parametrize("samples", [50, 1000, 7500, 100_000])
def test_a_longer_trace_gets_more_layers_and_as_many_summaries(samples):
    layout = Layout.of("convolutional", 2, samples, 0.1, 24)
    shape = SummaryNetwork(layout)(torch.randn(3, 2, samples)).shape
    assert shape == (3, 24)
    frames = samples / np.prod(layout.strides)
    assert frames <= LAST_FRAMES


def recovered(width=1.0, shift=0.0, n=2000):
    """Posteriors of ``truth + noise`` under a standard normal prior, a little wrong if asked."""
    rng = np.random.default_rng(1)
    truths = rng.standard_normal((n, 2))
    data = truths + rng.standard_normal((n, 2))
    draws = data[:, None] / 2 + shift + width * np.sqrt(0.5) * rng.standard_normal((n, 300, 2))
    calibration = assess(draws.swapaxes(0, 1), truths, ("a", "b"), seed=1)
    return Recovery(("a", "b"), ("mV", "mV"), truths, draws, calibration)


def test_recovery_of_an_exact_posterior():
    """Posterior variance is half the prior's; draws lie sqrt(.5 + .5 e²) off, whose median is known."""
    table = recovered().table
    np.testing.assert_allclose(table["contraction"], 0.5, atol=0.02)
    median = np.sqrt((0.5 + 0.5 * 0.4549) / (1 + 0.4549))
    np.testing.assert_allclose(table["NRMSE"], median, atol=0.02)
    np.testing.assert_allclose(table["correlation"], np.sqrt(0.5), atol=0.04)
    # three standard errors of the worst level
    assert table["calibration error"].max() < 3 * 0.5 / np.sqrt(2000)


@pytest.mark.parametrize(("wrong", "verdict"), [({"width": 0.7}, "too narrow"), ({"shift": 0.4}, "shifted")])
def test_recovery_of_a_wrong_posterior(wrong, verdict):
    found = recovered(**wrong)
    assert found.calibration.verdict == verdict
    assert found.calibration_error.min() > 0.03


def test_figures_show_every_parameter(learned):
    theta, _, traces = cells(100, seed=8)
    recovery = learned.recovery(theta, traces, draws=50)
    for drawn in (nf.recoveryplot(recovery), nf.rankplot(recovery)):
        assert [axes.get_title("left") for axes in drawn.axes] == [
            f"{name} ({MODEL.units[name]})" for name in MODEL.free
        ]
    assert nf.lossplot(learned).axes[0].get_title("left") == learned.reading.partition(":")[0]

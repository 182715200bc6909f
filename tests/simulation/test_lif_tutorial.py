"""The notebook's cell, against its recursion written out."""

from __future__ import annotations

import numpy as np
import pytest

from neurofit.recording import Stimulus
from neurofit.simulation import simulate
from neurofit.template import Model, load_model

DT_MS, STEPS, MEAN_PA, NOISE_PA = 0.2, 1000, 200.0, 50.0
CURRENT = Stimulus(np.full((1, STEPS), MEAN_PA), DT_MS)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Model:
    file = tmp_path_factory.mktemp("models") / "silent.toml"
    text = load_model("lif_tutorial").text
    assert text.count("value = 22.360679774997898") == 1
    file.write_text(text.replace("value = 22.360679774997898", "value = 0"))
    return load_model(file)


def test_without_noise_it_is_the_recursion(silent: Model) -> None:
    """Euler steps; a spike where the voltage is above threshold, and with it ten samples, 2 ms, at the reset."""
    theta = silent.prior.sample(40, np.random.default_rng(1))
    v = simulate(silent, CURRENT, theta).voltage_mv[:, 0]
    n_spikes = 0
    for own, (v_th, tau, g, v_reset, v_init, e_l) in zip(v, theta, strict=True):
        x, held = v_init, 0
        for k in range(STEPS):
            fired = own[k] == 30
            assert fired or own[k] == pytest.approx(x, abs=1e-3)
            n_spikes += fired
            if held:
                held -= 1
            else:
                x += (e_l - x + MEAN_PA / g) * DT_MS / tau
            if x > v_th:
                x, held = v_reset, round(2 / DT_MS) - 1
    assert n_spikes > 200


def test_the_noise_is_a_current_of_50_pA_drawn_anew_in_each_step() -> None:
    model = load_model("lif_tutorial")
    quiet = {"V_th": -50.0, "tau_m": 10.0, "g_L": 14.9, "V_reset": -72.0, "V_init": -71.0, "E_L": -74.0}
    v = simulate(model, CURRENT, {name: [x] * 50 for name, x in quiet.items()}, seed=2).voltage_mv[:, 0].astype(float)
    assert v.max() < -50
    drift = (quiet["E_L"] - v[:, :-1] + MEAN_PA / quiet["g_L"]) * DT_MS / quiet["tau_m"]
    noise_pa = (np.diff(v, axis=1) - drift) * quiet["tau_m"] / DT_MS * quiet["g_L"]
    n = noise_pa.size
    assert abs(noise_pa.mean()) < 4 * NOISE_PA / np.sqrt(n)
    assert noise_pa.std() == pytest.approx(NOISE_PA, rel=4 / np.sqrt(2 * n))
    assert abs(np.corrcoef(noise_pa[:, 1:].ravel(), noise_pa[:, :-1].ravel())[0, 1]) < 4 / np.sqrt(n)

"""The check in a network's space: level, power, what it takes for a network, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from check_cases import correlated
from sbi.inference import NPE
from sbi.neural_nets import posterior_nn
from sbi.neural_nets.embedding_nets import FCEmbedding

from neurofit import check
from neurofit.errors import CheckError


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(10, 16), torch.nn.Tanh(), torch.nn.Dropout(0.5), torch.nn.Linear(16, 4))


@pytest.fixture(scope="module")
def trained():
    """An inference object of sbi with an embedding network, and simulations it has not seen."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    theta = rng.uniform(-1, 1, (1000, 2))
    x = theta @ np.random.default_rng(0).standard_normal((2, 10)) + 0.05 * rng.standard_normal((1000, 10))
    build = posterior_nn("mdn", embedding_net=FCEmbedding(10, output_dim=4))
    inference = NPE(density_estimator=build, show_progress_bars=False)
    inference.append_simulations(torch.as_tensor(theta).float(), torch.as_tensor(x).float())
    inference.train(max_num_epochs=10)
    return inference


def draws(number: int, n: int) -> np.ndarray:
    return correlated(np.random.default_rng([3, number]), n)[0]


def test_false_positives():
    """1,000 observations on five reference sets: standard error .007 and that of the sets."""
    shares = []
    for number in range(5):
        x = draws(number, 700)
        result = check.embedding(network(), x[500:], x[:500], seed=number)
        shares.append([np.mean(np.array(p) <= 0.05) for p in result.p_observations.values()])
    assert (np.abs(np.mean(shares, axis=0) - 0.05) <= 0.025).all(), np.mean(shares, axis=0)


def test_what_no_simulation_comes_near_is_rejected_and_said_to_be_far():
    x = draws(0, 501)
    x[500] += 3.0
    result = check.embedding(network(), x[500], x[:500])
    assert result.p_value <= 0.01
    assert "No simulation is anywhere near" in result.sentences[1]
    assert "extrapolation" not in check.embedding(network(), draws(0, 501)[500], x[:500]).sentences[1]


def test_a_network_is_taken_in_every_form_and_left_as_it_was(trained):
    x = draws(1, 301)
    estimator = trained._neural_net
    posterior = trained.build_posterior(prior=torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2)))
    module = estimator.embedding_net

    def function(rows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(torch.as_tensor(rows).float()).numpy()

    module.train()
    results = [check.embedding(n, x[300], x[:300]) for n in (trained, posterior, estimator, module)]
    assert module.training
    assert len({result.p_value for result in results}) == 1
    module.eval()
    plain = check.embedding(function, x[300], x[:300])
    assert set(results[0].p_values) - set(plain.p_values) == {"layers"}  # a function shows no layers
    assert {name: results[0].p_values[name] for name in plain.p_values} == plain.p_values


def test_hidden_layers_tell_what_the_output_has_lost():
    """An output that reads one direction only: noise across it is seen in the layer before."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(10, 30), torch.nn.Tanh(), torch.nn.Linear(30, 1))
    x = draws(6, 600)
    x[500:] += 0.5 * np.random.default_rng(0).standard_normal((100, 10))
    result = check.embedding(net, x[500:], x[:500])
    share = {name: np.mean(np.array(p) <= 0.05) for name, p in result.p_observations.items()}
    assert share["layers"] >= 0.95
    assert share["all"] >= 0.9
    assert share["joint"] <= 0.5


def test_the_same_seed_gives_the_same_result_to_the_bit():
    x = draws(2, 301)
    first, again = (check.embedding(network(), x[300], x[:300], seed=4).to_dict() for _ in range(2))
    assert first == again
    assert check.CheckResult.from_dict(first).to_dict() == first


def test_a_network_without_an_embedding_is_said_to_be_none():
    torch.manual_seed(0)
    theta = torch.rand(200, 2)
    x = torch.as_tensor(draws(3, 200)).float()
    inference = NPE(density_estimator="mdn", show_progress_bars=False)
    inference.append_simulations(theta, x).train(max_num_epochs=1)
    result = check.embedding(inference, draws(4, 1)[0], draws(5, 300))
    assert any("no embedding of its own" in warning for warning in result.warnings)


def test_traces_are_taken_with_all_their_sweeps():
    v = np.random.default_rng(0).standard_normal((201, 3, 50))
    result = check.embedding(lambda rows: rows.mean(axis=2), v[200], v[:200])
    assert (result.n_observations, result.n_reference) == (1, 200)
    assert check.embedding(lambda rows: rows.mean(axis=2), v[195:], v[:195]).n_observations == 6


X = np.random.default_rng(0).standard_normal((100, 10))
NAN = np.where(np.arange(10) == 3, np.nan, X[0])
MISUSE = {
    "NaN never passes": (lambda: check.embedding(network(), NAN, X), "observed holds nan"),
    "nor one that the network makes": (
        lambda: check.embedding(lambda x: np.log(x - 100), X[0], X),
        "output for reference holds nan",
    ),
    "another shape": (lambda: check.embedding(network(), X[0, :5], X), "not inputs of one network"),
    "few references": (lambda: check.embedding(network(), X[0], X[:20]), "too few references"),
    "one row for all": (lambda: check.embedding(lambda x: x.mean(0), X[0], X), "one row for each"),
    "not a network": (lambda: check.embedding("net.pt", X[0], X), "not a network"),
    "a posterior of summaries": (
        lambda: check.embedding(type("Posterior", (), {"sample": None, "__call__": None})(), X[0], X),
        "not a network",
    ),
    "a network that says nothing": (lambda: check.embedding(lambda x: 0 * x[:, :2], X[0], X), "nothing to compare"),
}


@pytest.mark.parametrize("misuse", MISUSE)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_misuse_is_said(misuse):
    call, message = MISUSE[misuse]
    with pytest.raises(CheckError, match=message):
        call()

"""The losses of the methods, against their definitions written out."""

from __future__ import annotations

import pytest
import torch

from neurofit.errors import BadInput
from neurofit.infer import Method, Schedule
from neurofit.infer.networks import ATOMS, LOSSES, build_network

SMALL = Schedule(hidden=8, transforms=1)


@pytest.fixture
def rows():
    rng = torch.Generator().manual_seed(0)
    return torch.randn(12, 2, generator=rng), torch.randn(12, 3, generator=rng)


def network(task, rows):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return build_network(task, SMALL, *rows).eval()


def others(i, n):
    """A row's own parameters and those of the rows after it."""
    return [(i + k) % n for k in range(ATOMS)]


def test_the_likelihood_is_of_the_summaries_given_the_parameters(rows):
    z, x = rows
    built = network("likelihood", rows)
    loss = LOSSES["likelihood"](built, z, x)
    torch.testing.assert_close(loss, -built.log_prob(x[None], condition=z)[0])
    assert loss.shape == (12,)


def test_the_atomic_loss_is_the_posterior_over_ten_under_the_proposal(rows):
    z, x = rows
    built = network("atomic", rows)
    prior = torch.distributions.Normal(0, 1)
    for i, found in enumerate(LOSSES["atomic"](built, z, x)):
        atoms = z[others(i, len(z))]
        logits = built.log_prob(atoms[:, None], condition=x[i : i + 1])[:, 0] - prior.log_prob(atoms).sum(dim=1)
        torch.testing.assert_close(found, -torch.log_softmax(logits, dim=0)[0])


def test_the_ratio_loss_tells_the_own_parameters_from_nine_others(rows):
    z, x = rows
    built = network("ratio", rows)
    for i, found in enumerate(LOSSES["ratio"](built, z, x)):
        logits = built(z[others(i, len(z))], x[i : i + 1].repeat(ATOMS, 1)).reshape(-1)
        torch.testing.assert_close(found, -torch.log_softmax(logits, dim=0)[0])


def test_a_batch_may_be_smaller_than_ten(rows):
    z, x = rows
    for task in ("atomic", "ratio"):
        assert torch.isfinite(LOSSES[task](network(task, rows), z[:3], x[:3])).all()


def test_a_likelihoods_layers_are_as_wide_as_its_inputs():
    """Of more inputs than hidden units, an autoregressive layer would leave some out."""
    z, x = torch.randn(64, 2), torch.randn(64, 20)
    built = build_network("likelihood", SMALL, z, x).eval()
    moved = x[:1].clone().requires_grad_()
    built.log_prob(moved[None], condition=z[:1]).sum().backward()
    assert (moved.grad != 0).all()


def test_a_method_that_is_none():
    with pytest.raises(BadInput, match=r"'snpe' cannot be used.*tsnpe or npe or npe-c or nle or nre"):
        Method("snpe")
    with pytest.raises(BadInput, match="one round"):
        Method("npe", rounds=2)


def test_a_named_method_has_the_default_budget():
    default = Method()
    for name in ("tsnpe", "npe", "npe-c", "nle", "nre"):
        method = Method.named(name)
        assert method.rounds * method.simulations == default.rounds * default.simulations
    assert Method.named("npe").rounds == 1


def test_what_each_round_learns():
    assert [Method("npe-c").task(n) for n in (1, 2, 3)] == ["density", "atomic", "atomic"]
    assert [Method(name, 1).task(1) for name in ("npe", "nle", "nre")] == ["density", "likelihood", "ratio"]
    assert {Method().task(n) for n in (1, 5)} == {"density"}

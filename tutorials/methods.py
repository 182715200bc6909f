# %% [markdown]
# # The methods side by side
#
# There are five ways from simulations to a posterior in neurofit. On this page all of them fit the same small problem,
# two conductances of a Hodgkin-Huxley cell under three current steps, small enough to find the posterior without any
# network as well, so that one sees how near each comes. Which to use on a real cell, and why, is at the end.
#
# | name | what its network learns | rounds propose from |
# |---|---|---|
# | `npe` | the posterior, given the features | the prior (one round) |
# | `tsnpe` | the same | the prior, inside what the last posterior has not ruled out |
# | `npe-c` | the same, by telling a simulation's parameters from others' | the last posterior |
# | `nle` | the likelihood: the features, given the parameters | the last posterior |
# | `nre` | the ratio of likelihood to evidence, as a classifier | the last posterior |

# %%
import os
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import neurofit as nf

small = os.environ.get("NEUROFIT_TUTORIAL") == "small"  # the size at which the tests run this

# %% [markdown]
# ## The cell
#
# A simulation of known conductances stands in for a recording: 100 ms steps of 200, 400 and 600 pA. Arrays become a
# recording, with the same findings about its quality as a file would get.

# %%
model = nf.load_model("hh_tutorial")
truth = {"g_Na": 50.0, "g_K": 5.0}
current_pa = np.zeros((3, 1400))
current_pa[:, 200:1200] = [[200], [400], [600]]
cell = nf.simulate(model, nf.Stimulus(current_pa, dt_ms=0.1), truth, seed=1)
recording = nf.recording_from_arrays(cell.voltage_mv[0], current_pa, dt_ms=0.1, name="simulated cell")

figure, axes = plt.subplots(1, 3, figsize=(9, 2.5), sharey=True, layout="constrained")
for axis, trace, level in zip(axes, recording.voltage_mv, (200, 400, 600), strict=True):
    axis.plot(recording.time_ms, trace, "k", lw=0.8)
    axis.set(xlabel="time (ms)", title=f"{level} pA")
axes[0].set_ylabel("voltage (mV)")
plt.show()

# %% [markdown]
# ## Five fits
#
# A method is one small value: its name, rounds, and simulations in each round. Everything else stays as it is, so the
# five differ in nothing but the method. All get the same number of simulations: `npe` in one round, the others in two.
# (A fit of a real cell takes the default, an ensemble of three networks; one is enough here.)
# On the command line it is `neurofit fit cell.abf --model hh_tutorial --method nle --out fits/nle`.

# %%
FEATURES = ("spike_count", "latency", "last_isi", "trough", "spike_height")
BUDGET = 400 if small else 1000


def fitted(name, budget=BUDGET, seed=1):
    rounds = 1 if name == "npe" else 2
    method = nf.Method(name, rounds, budget // rounds, members=1, cases=150 if small else 300)
    return nf.fit(
        recording,
        model,
        f"fits/{name}-{budget}-{seed}",
        sweeps="all",
        features=FEATURES,
        method=method,
        seed=seed,
        workers=1 if small else None,
    )


fits, seconds = {}, {}
for name in ("npe", "tsnpe") if small else ("npe", "tsnpe", "npe-c", "nle", "nre"):
    started = time.process_time()
    fits[name] = fitted(name)
    seconds[name] = time.process_time() - started

# %% [markdown]
# ## The posterior without a network
#
# With two parameters, brute force works: simulate the whole prior, and weight each simulation by how well its features
# agree with the cell's, in tolerances. With ten parameters hardly any simulation would get a weight; that is what the
# networks are for.

# %%
prior = nf.simulate_prior(
    recording, model, "prior", simulations=2000 if small else 20_000, workers=1 if small else None
)
summaries = fits["npe"].summaries
log_weight = summaries.log_kernel(summaries.deviations(prior.features))
weight = np.exp(log_weight - log_weight.max())
weight /= weight.sum()
rng = np.random.default_rng(0)
reference = prior.parameters.iloc[rng.choice(len(weight), size=2000, p=weight)]
print(f"the weights count like {1 / (weight**2).sum():.0f} draws of {len(weight):,}")

# %% [markdown]
# ## Posteriors and most probable parameters
#
# `fit.posterior.sample` draws, `fit.posterior.map` finds the most probable parameters.


# %%
def from_brute_force(draws):
    """Shift of the mean in standard deviations, and ratio of the standard deviations, of every parameter."""
    shift = (draws.mean() - reference.mean()) / reference.std()
    return {f"{p} shift": shift[p] for p in truth} | {f"{p} sd": draws[p].std() / reference[p].std() for p in truth}


figure, axes = plt.subplots(1, len(fits), figsize=(2.6 * len(fits), 3), sharex=True, sharey=True, layout="constrained")
rows = {}
for axis, (name, fit) in zip(axes, fits.items(), strict=True):
    draws, best = fit.posterior.sample(1000, seed=1), fit.posterior.map().iloc[0]
    axis.plot(reference["g_Na"], reference["g_K"], ".", color="0.8", ms=3, label="brute force")
    axis.plot(draws["g_Na"], draws["g_K"], ".", color="C0", ms=1.5, label="draws")
    axis.plot(best["g_Na"], best["g_K"], "P", color="C1", ms=8, mec="k", label="MAP")
    axis.plot(truth["g_Na"], truth["g_K"], "x", color="k", ms=8, mew=2, label="truth")
    axis.set(title=name, xlabel="g_Na (mS/cm²)")
    rows[name] = {"MAP": f"{best['g_Na']:.0f}, {best['g_K']:.1f}"} | from_brute_force(draws)
axes[0].set_ylabel("g_K (mS/cm²)")
axes[0].legend(fontsize="x-small", loc="upper left")
plt.show()
beside = pd.DataFrame.from_dict(rows, orient="index")
print(beside.round(2).to_string())

# %% [markdown]
# *shift* is the distance of the posterior's mean from brute force in standard deviations, *sd* the ratio of the
# standard deviations: 0 and 1 would be perfect. All methods say the same of the cell: potassium is known well, sodium
# is not. Above some conductance there is sodium enough for every spike, and more of it changes little.
#
# A pair plot of one of them, with the prior in grey. It works the same for every method:

# %%
fits["npe"].pairplot(truth=truth)

# %% [markdown]
# ## Does it make the cell? Is it calibrated?
#
# A good-looking posterior may be wrong in two ways: what is drawn from it does not behave like the cell (the predictive
# check), or its intervals are too narrow or too wide (calibration: fresh simulations of known parameters around the
# cell, and how often the 90 % regions hold them). Every fit makes both by itself.
#
# Calibration is one word for four checks. *Misshapen* means that neither a shift nor a wrong width stands out, and yet
# some other order of truths among draws is uneven, as where a correlation is off a little. A right posterior gets a
# word of alarm in at most one fit of twenty, so among five fits one such word is no surprise: its sentence says how
# much the regions held, and another seed says whether it stays.

# %%
rows = {}
for name, fit in fits.items():
    counts, calibration = fit.predictive_table, fit.findings_of_fit["calibration"]
    rows[name] = {
        "verdict": fit.verdict.word,
        "p of the fit": fit.checks["fit-summary"].p_value,
        "counts": "  ".join(f"{row['count']:.0f}: {row['count median']:.0f}" for _, row in counts.iterrows()),
        "calibration": calibration["verdict"],
        "minutes of one processor": seconds[name] / 60,
    }
print("counts are recorded: predicted, one sweep after another")
print(pd.DataFrame.from_dict(rows, orient="index").round(2).to_string())
for name, fit in fits.items():
    print(f"{name}: {fit.findings_of_fit['calibration']['sentence']}")

# %%
first = next(iter(fits))
predicted = fits[first].predict(n=20, seed=1).traces.voltage_mv
figure, axes = plt.subplots(1, 3, figsize=(9, 2.5), sharey=True, layout="constrained")
for axis, trace, drawn in zip(axes, recording.voltage_mv, predicted.swapaxes(0, 1), strict=True):
    axis.plot(recording.time_ms, drawn.T, color="C0", lw=0.5, alpha=0.5)
    axis.plot(recording.time_ms, trace, "k", lw=0.8)
    axis.set(xlabel="time (ms)")
axes[0].set_ylabel("voltage (mV)")
figure.suptitle(f"the cell (black) and 20 draws of the posterior ({first})")
plt.show()

# %% [markdown]
# ## Seeds and budgets
#
# A method is not one answer: it depends on which simulations were drawn and on where the networks began. Before you
# believe a difference between two methods, change the seed. And before you change the method, try more simulations.
# Here for `npe`:

# %%
rows = {}
for budget in (BUDGET,) if small else (300, BUDGET):
    for seed in (1,) if small else (1, 2):
        fit = fits["npe"] if (budget, seed) == (BUDGET, 1) else fitted("npe", budget, seed)
        rows[budget, seed] = from_brute_force(fit.posterior.sample(1000, seed=1))
by_seed = pd.DataFrame.from_dict(rows, orient="index")
by_seed.index.names = ["simulations", "seed"]
print(by_seed.round(2).to_string())

# %% [markdown]
# ## Which to use
#
# - `tsnpe`, the default: for one cell with many parameters. Rounds go where the cell is, no sampler is needed, and it
#   is calibrated around the cell. Five rounds of 5,000 simulations.
# - `npe`: for many cells under one protocol, as the network is good for all of them, or where the posterior is wide.
#   10,000 simulations and more in its one round.
# - `nle`: where features are few and always defined. Slow to draw from, as each draw is a chain. As many as `tsnpe`.
# - `nre` and `npe-c`: to see whether another way comes to the same. As many as `tsnpe`, and ten evaluations of the
#   network for each in training.
#
# With two parameters all of them work, and this page cannot tell them apart. With a dozen parameters and sixty
# features, a third of them undefined in most simulations, they differ: the measured tables are in
# [methods](../methods.md). What the rounds do is in [the method](../method.md#inference), and how near each comes to
# posteriors that were found without a network, in [references](../references.md).

# %% tags=["check"]
far = 1.5 if small else 0.8
assert (beside[["g_Na shift", "g_K shift"]].abs() < far).all(axis=None)
assert beside[["g_Na sd", "g_K sd"]].stack().between(0.5 if small else 0.75, 2.0 if small else 1.5).all()
for fit in fits.values():
    assert fit.verdict.word != "rejected"
    table = fit.predictive_table
    assert (np.abs(table["count"] - table["count median"]) <= 1).all()
spread = reference.std() / prior.parameters.std()
assert spread["g_K"] < 0.35
assert spread["g_Na"] > 1.5 * spread["g_K"]

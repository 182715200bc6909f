# %% [markdown]
# # The Hodgkin-Huxley tutorial
#
# sbi's documentation introduces simulation-based inference with one cell: sodium, delayed-rectifier and M current, a
# step of 500 pA, and two unknown conductances. This page does the same with neurofit, on Brian2, for readers who know
# that tutorial or want to compare. To fit a recording of your own, start with [Fit your first cell](first_cell.md).

# %%
import os
import time

import matplotlib.pyplot as plt
import numpy as np

import neurofit as nf

small = os.environ.get("NEUROFIT_TUTORIAL") == "small"  # the size at which the tests run this

# %% [markdown]
# ## Cell, current, observation
#
# The template `hh_tutorial` holds the equations, the fixed parameters with their sources, and the prior: sodium from
# 0.5 to 80, potassium from 0.0001 to 15 mS/cm². The current is 500 pA from 10 to 110 ms. The observation is a
# simulation of known conductances, 50 and 5 mS/cm²; the membrane's noise is in it.

# %%
model = nf.load_model("hh_tutorial")
current_pa = np.zeros(1200)
current_pa[100:1100] = 500
stimulus = nf.Stimulus(current_pa, dt_ms=0.1)
truth = {"g_Na": 50.0, "g_K": 5.0}
observation = nf.simulate(model, stimulus, truth, seed=1)

# %% [markdown]
# How different may this cell look? Three parameter sets of the prior beside the observation:

# %%
others = nf.simulate(model, stimulus, {"g_Na": [50, 4, 20], "g_K": [1, 1.5, 15]}, seed=2)
figure, panels = plt.subplots(2, 1, figsize=(7, 4.5), sharex=True, height_ratios=(4, 1), layout="constrained")
for trace, label in zip(others.voltage_mv[:, 0], ("50 and 1", "4 and 1.5", "20 and 15"), strict=True):
    panels[0].plot(stimulus.time_ms, trace, linewidth=0.8, label=label)
panels[0].plot(stimulus.time_ms, observation.voltage_mv[0, 0], "k", label="observation: 50 and 5")
panels[0].legend(title="g_Na and g_K\n(mS/cm²)", fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
panels[0].set_ylabel("voltage (mV)")
panels[1].plot(stimulus.time_ms, current_pa, "k")
panels[1].set(xlabel="time (ms)", ylabel="current (pA)")
plt.show()

# %% [markdown]
# ## Seven statistics, and how well they are known
#
# The trace is described by its spike count, mean and standard deviation of the rest, and mean, variance, skewness and
# kurtosis of the voltage during the step: `nf.seven_statistics`. Each needs a *tolerance*: how far two traces may lie
# apart and still be called alike. Recordings need wide ones. Here model and cell are the same, so narrow ones do: for
# the logarithm of variance and kurtosis 0.1, that is 10 %.

# %%
observed = nf.seven_statistics(observation.voltage_mv, stimulus)
tolerance = {"step_mean": 0.5, "step_variance": 0.1, "step_skewness": 0.1, "step_kurtosis": 0.1}
observed.frame().T.rename(columns={0: "observed"})

# %% [markdown]
# ## 300 simulations, then thousands
#
# One function draws conductances from the prior, simulates, measures and learns. The equations were compiled to C++
# when the observation was made. From then on a simulation takes a tenth of a millisecond, where the loop in Python
# takes 200 to 400 of them: thousands of simulations are there before that loop has made three.


# %%
def learned_from(n: int) -> nf.Posterior:
    theta = model.prior.sample(n, np.random.default_rng(1))
    started = time.perf_counter()
    traces = nf.simulate(model, stimulus, theta, seed=3)
    simulated = time.perf_counter()
    features = nf.seven_statistics(traces.voltage_mv, stimulus)
    posterior = nf.learn_posterior(model, theta, features, observed, tolerance=tolerance, seed=1)
    print(f"{n:,}: simulated in {simulated - started:.2f} s, measured and learned in "
          f"{time.perf_counter() - simulated:.1f} s")  # fmt: skip
    return posterior


few = learned_from(300)
many = learned_from(1000 if small else 5000)

# %% [markdown]
# ## The posterior
#
# Blue is what is left of the prior (grey) after the trace was seen; the dashed lines are the true conductances. First
# with 300 simulations:

# %%
nf.pairplot(few, truth=truth)

# %% [markdown]
# and with thousands:

# %%
nf.pairplot(many, truth=truth)

# %%
many.summary()[["unit", "median", "5 %", "95 %", "contraction"]].round(2)

# %% [markdown]
# The summary says it in numbers, in the template's units. Sodium is known less well than potassium: above some
# conductance there is sodium enough for every spike, and more of it changes little.
#
# ## Does it make the trace?
#
# Conductances drawn from the posterior, simulated with fresh noise. Spikes come early or late by a millisecond:
# statistics were fitted, not spike times.

# %%
predicted = nf.simulate(model, stimulus, many.sample(100, seed=1), seed=4).voltage_mv[:, 0]
plt.figure(figsize=(7, 3), layout="constrained")
plt.plot(stimulus.time_ms, predicted[:20].T, color="tab:blue", linewidth=0.5, alpha=0.5)
plt.plot(stimulus.time_ms, observation.voltage_mv[0, 0], "k", linewidth=1)
plt.xlabel("time (ms)")
plt.ylabel("voltage (mV)")
plt.title("observation (black) and 20 draws of the posterior")
plt.show()
counts = nf.seven_statistics(predicted[:, None], stimulus).column("peak_count@0")
print(f"{np.mean(counts == observed.column('peak_count@0')):.0%} of 100 draws have as many spikes as the observation")

# %% [markdown]
# ## Where the accuracy ends
#
# A simulation is right up to its time step. Noise would hide that, so we take it out of the equations and compare each
# step with one of 0.0025 ms, on parameters of the prior: how many cells change their number of spikes, and how far
# apart the voltages lie in cells that fire (root mean square, median over the cells).

# %%
with open("without_noise.toml", "w", encoding="utf-8") as file:
    file.write(model.text.replace("sigma*white_noise", "0*sigma*white_noise").replace('"single"', '"double"'))
exact = nf.load_model("without_noise.toml")
theta = exact.prior.sample(1000, np.random.default_rng(5))


def at_step(dt_ms: float) -> tuple[np.ndarray, np.ndarray]:
    voltage_mv = nf.simulate(exact.with_dt(dt_ms), stimulus, theta).voltage_mv
    return voltage_mv, nf.seven_statistics(voltage_mv, stimulus).column("peak_count@0")


finest_mv, spikes = at_step(0.0025)
changed = {}
for dt_ms in (0.1, 0.025) if small else (0.1, 0.05, 0.025, 0.0125):
    voltage_mv, counts_now = at_step(dt_ms)
    changed[dt_ms] = np.mean(counts_now != spikes)
    away_mv = np.sqrt(np.mean((voltage_mv - finest_mv)[spikes > 0] ** 2, axis=(1, 2)))
    print(f"{dt_ms:6g} ms: {changed[dt_ms]:.1%} change their spike count, voltage off by {np.median(away_mv):.2f} mV")

# %% [markdown]
# The template's own step is 0.025 ms: half a per cent of the cells change their count, and spikes move by hundredths of
# a millisecond. Whoever narrows tolerances to what such an error would show takes a smaller step first. How each
# template's step was chosen, and what other schemes cost at the same error, is in [accuracy.md](../accuracy.md).
#
# ## What this page leaves out
#
# `nf.learn_posterior` learns once from the prior and checks nothing. `nf.fit` goes on in rounds, finds out whether the
# model can make the cell at all, calibrates the posterior and predicts what was held out: [Fit your first
# cell](first_cell.md).

# %% tags=["check"]
draws = many.sample(2000, seed=1)
for name, value in truth.items():
    assert draws[name].quantile(0.005) < value < draws[name].quantile(0.995), name
width = {size: of.sample_unbounded(2000, 1).std(axis=0).mean() for size, of in (("few", few), ("many", many))}
assert width["many"] < width["few"]
contraction = many.summary()["contraction"]
assert contraction["g_K"] > contraction["g_Na"] > 0.5
assert np.mean(np.abs(counts - observed.column("peak_count@0")) <= 1) > 0.8
assert changed[0.1] > 2 * changed[0.025]
assert changed[0.025] < 0.02

# %% [markdown]
# # Fit your first cell
#
# You have a current-clamp recording: sweeps of current steps, and the voltage they made. You would like to know which
# conductances, capacitance and reversal potentials make a model behave like this cell, how surely each is known, and
# whether the model can be believed at all. This page goes from the file to that answer. It asks for no statistics.
#
# The recording is a public one, a regular-spiking cell. Put your own file's name in its place: nothing else changes.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import neurofit as nf

# %matplotlib inline
small = os.environ.get("NEUROFIT_TUTORIAL") == "small"  # the size at which the tests run this

# %% [markdown]
# ## 1. Look at the recording
#
# `load_recording` reads the voltage and the current that was injected, and examines both. What it finds is worth
# reading before anything is fitted: a fit cannot know that the bridge was off or that the cell was dying.

# %%
recording = nf.load_recording(nf.fetch_recording("regular_spiking"))  # or nf.load_recording("cell.abf")
for finding in recording.findings:
    print(f"{finding.severity}: {finding.message}")
recording.plot()

# %% [markdown]
# Left: all sweeps, coloured by the current of the step, the current below. Right, above: how many action potentials
# each step makes; below: the potential before the steps, sweep by sweep. A healthy, steady cell has a smooth curve
# above and a flat row of points below. Drift would show there.
#
# The warning is about the electrode: 12.7 MOhm were not balanced by the bridge. That can be lived with, as the model
# below has a series resistance of its own.
#
# ## 2. Choose a model
#
# A model is a text file, a *template*: equations, and for each unknown parameter a range that you would believe before
# seeing this cell, its *prior*. `hh_pospischil` is a single compartment with sodium, delayed-rectifier and M current.
# The ranges are wide on purpose.

# %%
model = nf.load_model("hh_pospischil")
print(model.title)
for parameter in model.parameters:
    if parameter.prior is not None:
        print(f"{parameter.name:9} {parameter.unit:11} {parameter.prior!s:28} {parameter.description}")

# %% [markdown]
# ## 3. Fit
#
# One call. Every other sweep of the first step is fitted; the other sweeps, and the second step, are held out to be
# predicted. It takes some minutes, can be interrupted, and goes on where it was when called again. On the command line
# it is `neurofit fit cell.abf --model hh_pospischil --out fits/first_cell`.

# %%
method, workers = nf.Method(), None
if small:  # one process: starting others takes longer than what they would do
    recording = recording.select([0, 3, 4, 8, 9, 12, 16], window_ms=(0, 1000))
    method, workers = nf.Method(rounds=2, simulations=400, members=1, cases=150, schedule=nf.Schedule(epochs=12)), 1
fit = nf.fit(recording, model, out="fits/first_cell", seed=1, method=method, workers=workers)
fitted, held_out = fit.split.fitted, fit.split.held_out["step 1, other sweeps"]

# %% [markdown]
# ## 4. Could this model make this cell at all?
#
# Before it learned anything, the fit drew parameter sets from the prior, gave each the very current that your cell got,
# and looked whether the cell lies among what came out. If it did not, the fit would have stopped here and said what is
# out of reach. Here are ten of those simulations of one sweep, with the recording in black.

# %%
row = int(np.argmin(np.abs(fitted.stimulus.test_step.level_pa - 200)))
prior_draws = model.prior.sample(10, np.random.default_rng(1))
prior_mv = nf.simulate(model, fitted.stimulus, prior_draws, seed=1).voltage_mv
plt.figure(figsize=(8, 3), layout="constrained")
plt.plot(fitted.time_ms, prior_mv[:, row].T, linewidth=0.6)
plt.plot(fitted.time_ms, fitted.voltage_mv[row], "k", linewidth=0.8)
plt.xlabel("time (ms)")
plt.ylabel("voltage (mV)")
plt.title(f"recording (black) and ten simulations of the prior, {fitted.stimulus.test_step.level_pa[row]:+.0f} pA")
plt.show()
print(fit.checks["prior-summary"])

# %% [markdown]
# Some are silent, some fire much more, some hang at a plateau: that is how little was known. The number *p* says how
# unusual the cell is among them. 0.5 is the middle; 0.05 or less means that at most one in twenty simulated cells is as
# odd as yours.
#
# ## 5. What is known now: the posterior
#
# The result is not one best parameter set. Many sets make nearly the same traces, and all of them are kept, the
# likelier ones more often: that collection is the *posterior*. In grey the prior, in blue what the recording left of
# it.

# %%
fit.marginalplot()

# %% [markdown]
# A narrow blue peak: the recording fixes this parameter. Blue as wide as grey: it says next to nothing about it, and a
# value read off here would be made up. In numbers, with units: the 5 % to 95 % columns hold nine tenths of the
# collection.

# %%
fit.parameters[["unit", "median", "5 %", "95 %", "contraction", "remark"]].round(3)

# %% [markdown]
# *Contraction* is 0 where nothing was learned and 1 where everything was. A remark that a parameter piles up at a
# bound of its prior means that the model would like to go further: widen the range, or ask what it makes up for.
# Parameters
# may be fixed only *together*: a larger capacitance with a smaller conductance may fire alike. Such pairs show as
# slanted clouds:

# %%
fit.pairplot(parameters=["C", "g_leak", "E_leak", "g_M"])

# %% [markdown]
# ## 6. Does it predict what it has not seen?
#
# Spike counts against current. Black: the cell, filled where the sweep was fitted, open where it was held out. The blue
# band holds 90 % of the fitted model's predictions, the grey one 90 % of the prior's.

# %%
table = fit.predictive_table.loc[["fitted", "step 1, other sweeps"]].sort_values("level_pa")
prior_counts = fit.simulations("round 1").features
levels = fitted.stimulus.test_step.level_pa
band = [np.nanquantile(prior_counts.column(f"spike_count@{s}"), (0.05, 0.95)) for s in fitted.sweep_numbers]
plt.figure(figsize=(6, 3.5), layout="constrained")
plt.fill_between(levels, *np.transpose(band), color="0.9", label="prior")
plt.fill_between(table["level_pa"], table["count 5 %"], table["count 95 %"], alpha=0.4, label="posterior")
for was_held_out, points in table.groupby("held out"):
    label, fill = ("held out", "none") if was_held_out else ("fitted", "k")
    plt.plot(points["level_pa"], points["count"], "o", color="k", markerfacecolor=fill, label=label)
plt.ylim(-1, 3 * table["count"].max())
plt.xlabel("current (pA)")
plt.ylabel("action potentials in the step")
plt.legend()
plt.show()

# %% [markdown]
# Open points inside the blue band were predicted. `fit.predict` gives the voltage too, for the held-out sweeps or for
# any other current:

# %%
row = int(np.argmin(np.abs(held_out.stimulus.test_step.level_pa - 125)))
predicted_mv = fit.predict(held_out, n=3, seed=1).traces.voltage_mv[:, row]
figure, panels = plt.subplots(4, 1, figsize=(8, 6), sharex=True, sharey=True, layout="constrained")
for panel, trace in zip(panels, (held_out.voltage_mv[row], *predicted_mv), strict=True):
    panel.plot(held_out.time_ms, trace, "k" if panel is panels[0] else "tab:blue", linewidth=0.7)
panels[0].set_title(
    f"recorded, {held_out.stimulus.test_step.level_pa[row]:+.0f} pA, held out; below: three predictions"
)
panels[-1].set_xlabel("time (ms)")
figure.supylabel("voltage (mV)")
plt.show()

# %% [markdown]
# ## 7. The verdict
#
# The fit ends with a verdict by written rules: *supported*, *doubtful* or *rejected*, with its reasons.

# %%
print(fit.verdict)

# %% [markdown]
# **Rejected, and that is the answer.** The template has no current that sags under hyperpolarisation, and this cell
# sags: no parameter set was found that makes both the sag and the firing.
# What is said under *missed* is what you would look for by
# eye, with a size: how many standard deviations (of tolerance and prediction together) recording and prediction are
# apart. A rejected model may still be of use for what is *explained*; its parameters are those of the model nearest to
# the cell, not the cell's.
#
# ## 8. What would it have noticed?
#
# A check that passes says little if it would have passed anything. So errors of known size were put into simulated
# cells, and the checks had to find them: offsets, noise, series resistance, filters, and each feature by itself. These
# are the sizes found four times in five:

# %%
for sentence in fit.sensitivity["fit"].sentences():
    print(sentence)

# %% [markdown]
# Smaller errors would have gone unnoticed. The template has a voltage offset and a series resistance among its
# parameters: what these can explain away is not noticed either.
#
# Is the posterior itself as wide as it should be? Simulated cells of known parameters were fitted as well, and their
# true values lay inside the intervals as often as the intervals promise, or the verdict would say otherwise.
# `fit.report()` has this and everything above on one page, `report.html`.
#
# ## 9. What to do next
#
# - *Change the model.* The sag asks for a hyperpolarisation-activated current: `hh_pospischil_ih` has one. How to add a
#   current yourself and compare fits: [Change the model](change_the_model.md).
# - *The fit stopped at step 4.* It names the features that are out of reach. Mend the recording or the prior; or go on
#   all the same with `anyway=True` (`--anyway`), knowing that the answer is an extrapolation.
# - *You need numbers although some features are off.* `fit.robust()` asks which features cannot be trusted and widens
#   the posterior for it: [robust.md](../robust.md).
# - *You trust your recording more, or less, than the tolerances say.* Give your own:
#   `nf.fit(..., tolerance={"resting_potential": 1})`.
#   What a tolerance is: [method.md](../method.md#features-and-tolerances).

# %% tags=["check"]
assert not fit.stopped
assert fit.checks["prior-summary"].p_value > 0.05
assert fit.verdict.word == "rejected"
assert any("sag" in reason.lower() for reason in fit.verdict.reasons)
assert fit.parameters.loc["R_s", "contraction"] > 0.9
within = table["count"].between(table["count 5 %"], table["count 95 %"])
assert within[table["held out"]].mean() > 0.7

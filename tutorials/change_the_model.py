# %% [markdown]
# # Change the model
#
# No template fits every cell. This page takes one, adds the T-type calcium current of a low-threshold burster, changes
# a prior, and compares the fits of both to the same cell. Then it does the same with an integrate-and-fire cell and
# adaptation. A template is a text file, so all of this is editing text; here the edits are made in Python, so that the
# page runs.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import neurofit as nf

small = os.environ.get("NEUROFIT_TUTORIAL") == "small"  # the size at which the tests run this

# %% [markdown]
# ## A cell that bursts
#
# Some thalamic and cortical cells answer the *end* of a hyperpolarisation with a burst. The T-type calcium current does
# it: at rest it is inactivated, hyperpolarisation frees it, and on the way back it opens before it inactivates again.
# `hh_pospischil` has no such current. Copy it first; on the command line that is `neurofit models copy hh_pospischil
# burster.toml`.

# %%
plain = nf.load_model("hh_pospischil")
text = plain.text.replace('name = "hh_pospischil"', 'name = "burster"')

# %% [markdown]
# A current needs a term in `dv/dt`, its own equations, and a place to start for each new state variable. Activation *s*
# is so fast that it is taken at its steady state; inactivation *u* is slow. The kinetics are those of Huguenard and
# McCormick (1992, J Neurophysiol 68:1373) at 36 °C, as Pospischil et al. (2008) use them in their low-threshold cells.

# %%
text = text.replace("I_M + I_inj", "I_M + I_T + I_inj")
text = text.replace(
    "\ndm/dt =",
    """
I_T = g_T*C*s_inf**2*u*(E_Ca - v) : amp
du/dt = (u_inf - u)/tau_u : 1
s_inf = 1/(1 + exp(-(v + V_x + 57*mV)/(6.2*mV))) : 1
u_inf = 1/(1 + exp((v + V_x + 81*mV)/(4*mV))) : 1
tau_u = (30.8 + (211.4 + exp((v + V_x + 113.2*mV)/(5*mV)))/(1 + exp((v + V_x + 84*mV)/(3.2*mV))))*ms/3.7 : second

dm/dt =""",
)
text = text.replace('p = "p_inf"', 'p = "p_inf"\nu = "u_inf"')

# %% [markdown]
# ## Check it
#
# Every template is checked as it is read: `neurofit models check burster.toml`, or `load_model`. This one is not
# finished, and the check says what is missing, and where:

# %%
Path("burster.toml").write_text(text, encoding="utf-8")
try:
    nf.load_model("burster.toml")
except nf.BadInput as error:
    forgotten = str(error)
    print(forgotten)

# %% [markdown]
# Every parameter gets a table with its unit, a value and a source. With a `prior` it is free, without one it stays at
# its value. A conductance of which little is known gets a range over its logarithm.

# %%
text += """
[parameters.g_T]
unit = "mS/uF"
value = 0.4
prior = { family = "log_uniform", low = 0.02, high = 2 }
description = "T-type calcium conductance per capacitance"
source = "around the 0.4 mS/cm2 (at 1 uF/cm2) of the low-threshold cells in Pospischil et al. 2008"

[parameters.V_x]
unit = "mV"
value = 2
description = "shift of the T current's voltage dependence"
source = "Pospischil et al. 2008"

[parameters.E_Ca]
unit = "mV"
value = 120
description = "calcium reversal potential"
source = "Pospischil et al. 2008"
"""
Path("burster.toml").write_text(text, encoding="utf-8")
burster = nf.load_model("burster.toml")
print(burster)

# %% [markdown]
# ## Change a prior
#
# The same way. Say the bridge was balanced within 10 MOhm: then 0 to 30 is a range you do not believe.

# %%
for name, before in (("hh_pospischil", plain.text), ("burster", text)):
    after = before.replace(
        'prior = { family = "uniform", low = 0, high = 30 }', 'prior = { family = "uniform", low = 0, high = 10 }'
    )
    after = after.replace("value = 10\n", "value = 5\n")
    Path(f"{name}.toml").write_text(after, encoding="utf-8")
plain, burster = nf.load_model("hh_pospischil.toml"), nf.load_model("burster.toml")
print(burster.prior.families[burster.free.index("R_s")])

# %% [markdown]
# ## Simulate it
#
# The protocol: 300 ms at -150 pA, then steps. With and without the current, everything else alike:

# %%
levels = np.arange(-50, 201, 50)
current_pa = np.zeros((len(levels), 9500))
current_pa[:, 1000:4000] = -150
current_pa[:, 4000:8000] = levels[:, None]
stimulus = nf.Stimulus(current_pa, dt_ms=0.1)
truth = {"C": 150, "g_leak": 6, "g_M": 0.03, "sigma": 10, "R_s": 5, "g_T": 0.4}
cell = nf.simulate(burster, stimulus, truth, seed=1).voltage_mv[0]
without = nf.simulate(burster, stimulus, truth | {"g_T": 1e-3}, seed=1).voltage_mv[0]
figure, panels = plt.subplots(2, 3, figsize=(10, 4), sharex=True, sharey=True, layout="constrained")
for column, row in enumerate((1, 2, 4)):
    panels[0, column].plot(stimulus.time_ms, cell[row], linewidth=0.7)
    panels[1, column].plot(stimulus.time_ms, without[row], linewidth=0.7)
    panels[0, column].set_title(f"{levels[row]:+d} pA after -150 pA", fontsize=9)
    panels[1, column].set_xlabel("time (ms)")
panels[0, 0].set_ylabel("with T (mV)")
panels[1, 0].set_ylabel("without T (mV)")
plt.show()

# %% [markdown]
# ## Fit both, and compare
#
# The simulated burster stands for your cell: `recording_from_arrays` makes a recording of any two arrays, so that a
# format that is not read can be fitted too. Both templates are fitted to it. `anyway=True` lets the plain one go on
# although it may be stopped before training.

# %%
recording = nf.recording_from_arrays(cell, current_pa, 0.1, name="burster")
method, workers = nf.Method(simulations=4000), None
if small:  # one process: starting others takes longer than what they would do
    schedule = nf.Schedule(density="mdn", epochs=12)
    method, workers = nf.Method(rounds=1, simulations=200, members=1, cases=150, schedule=schedule), 1
fits = {
    name: nf.fit(recording, model, out=f"fits/{name}", seed=1, method=method, anyway=True, workers=workers)
    for name, model in (("plain", plain), ("with T", burster))
}
for name, fit in fits.items():
    print(f"{name}: {fit.verdict}\n")

# %% [markdown]
# Side by side, the spikes of every sweep, with the 90 % of the predictions in the middle. All features, and a page with
# figures: `neurofit compare fits/plain "fits/with T"`.

# %%
spikes = fits["plain"].predictive_table[["level_pa", "held out", "count"]].copy()
for name, fit in fits.items():
    band = fit.predictive_table[["count median", "count 5 %", "count 95 %"]].to_numpy()
    spikes[name] = [f"{median:.0f} ({low:.0f} to {high:.0f})" for median, low, high in band]
print(spikes.sort_values("level_pa").to_string())

# %% [markdown]
# The fitted counts can nearly be had without the T current, if the other conductances are bent for it. At +0 pA, in a
# sweep that neither fit has seen, nothing but the end of the hyperpolarisation makes the cell fire, and there the plain
# model stays silent. Here is the new conductance, whose true value is 0.4 mS/uF:

# %%
fits["with T"].marginalplot(
    parameters=["g_T", "g_leak", "C"], truth={name: truth[name] for name in ("g_T", "g_leak", "C")}
)

# %% [markdown]
# ## Integrate-and-fire, without and with adaptation
#
# The same with a simpler cell. The template `lif` has a current that grows at each spike and decays. A plain LIF is
# `lif` without it: lines go out instead of in.

# %%
adapting = nf.load_model("lif")
text = adapting.text.replace('name = "lif"', 'name = "plain_lif"').replace(" - w + I_inj", " + I_inj")
for line in ("dw/dt = -w/tau_w : amp\n", "w += b\n", 'w = "0*pA"\n'):
    text = text.replace(line, "")
for name in ("b", "tau_w"):  # a parameter that nothing uses is refused
    start = text.index(f"[parameters.{name}]")
    text = text[:start] + text[text.index("[parameters.", start + 1) :]
Path("plain_lif.toml").write_text(text, encoding="utf-8")
lifs = {"plain": nf.load_model("plain_lif.toml"), "adapting": adapting}

# %% [markdown]
# The cell is the simulated one that comes with neurofit; it has two compartments and is none of these models. A LIF
# simulates so fast that one round on the prior will do: `nf.learn_posterior` takes the simulations and the features
# that you choose.

# %%
recorded = nf.load_recording(nf.fetch_recording("simulated")).select([0, 6, 8, 12, 16], (50, 850)).at(0.1)
chosen = [f"{name}@{s}" for name in ("spike_count", "latency", "first_isi", "last_isi") for s in recorded.sweep_numbers]
chosen += ["resting_potential", "input_resistance", "membrane_time_constant"]


def features(voltage_mv: np.ndarray, drawn: bool) -> nf.FeatureTable:
    numbers = recorded.sweep_numbers
    measured = nf.extract_features(voltage_mv, recorded.stimulus, sweep_numbers=numbers, spikes_drawn=drawn)
    return measured.select(chosen)


observed = features(recorded.voltage_mv, drawn=False)
predicted = {}
for name, model in lifs.items():
    theta = model.prior.sample(500 if small else 3000, np.random.default_rng(1))
    simulated = features(nf.simulate(model, recorded.stimulus, theta, seed=1).voltage_mv, drawn=True)
    posterior = nf.learn_posterior(model, theta, simulated, observed, seed=1, workers=workers)
    again = nf.simulate(model, recorded.stimulus, posterior.sample(200, seed=1), seed=2)
    predicted[name] = features(again.voltage_mv, drawn=True)

# %% [markdown]
# Only adaptation makes intervals grow within a step. Without it there are also too many spikes at strong currents:

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
step_pa = recorded.stimulus.test_step.level_pa
for table, label, look in (
    (predicted["plain"], "plain", "C0s"),
    (predicted["adapting"], "adapting", "C1^"),
    (observed, "the cell", "ko"),
):
    count, first, last = (
        np.array([table.column(f"{name}@{s}") for s in recorded.sweep_numbers])
        for name in ("spike_count", "first_isi", "last_isi")
    )
    fires = np.isfinite(first).mean(axis=1) > 0.5  # two spikes or more in most draws
    panels[0].plot(step_pa, np.median(count, axis=1), look, label=label)
    panels[1].plot(step_pa[fires], np.nanmedian(last[fires] / first[fires], axis=1), look, label=label)
panels[0].set(xlabel="current (pA)", ylabel="action potentials (median)")
panels[1].set(xlabel="current (pA)", ylabel="last interval over first (median)")
panels[0].legend()
plt.show()

# %% [markdown]
# ## What to remember
#
# - A change of a template is a change of text; the check says what was forgotten, with its line.
# - A new current is worth its parameters if the fit *with* it explains a feature that the fit without it misses.
# - All keys of a template, priors that depend on other parameters, and spike mechanisms:
#   [templates.md](../templates.md).

# %% tags=["check"]
assert "g_T" in forgotten
after_release = fits["plain"].observed.column("first_isi@2")[0]
assert after_release < 10, "the cell bursts"
miss = {
    name: abs(np.log(fit.predict(n=100).features.column("first_isi@2") / after_release)) for name, fit in fits.items()
}
assert np.nanmedian(miss["with T"]) < np.nanmedian(miss["plain"])
assert fits["plain"].verdict.word == "rejected"
if not small:
    assert fits["with T"].verdict.word == "supported"
    rebound = {name: fit.predictive_table.xs(1, level="sweep")["count median"].item() for name, fit in fits.items()}
    assert rebound["plain"] < 1 < rebound["with T"]
low, high = fits["with T"].parameters.loc["g_T", ["5 %", "95 %"]]
assert low < truth["g_T"] < high
strongest = recorded.sweep_numbers[-1]
ratio = {
    name: np.nanmedian(table.column(f"last_isi@{strongest}") / table.column(f"first_isi@{strongest}"))
    for name, table in (predicted | {"cell": observed}).items()
}
assert ratio["plain"] < 1.1 < ratio["cell"]
assert abs(ratio["adapting"] - ratio["cell"]) < abs(ratio["plain"] - ratio["cell"])

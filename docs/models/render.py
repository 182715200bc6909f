"""Draw what every template and every current of docs/currents.md does, as figures beside this file.

    python docs/models/render.py [NAME ...]

Prints a line of the table of docs/models.md for every template that it draws.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import tomllib
from pathlib import Path

import matplotlib as mpl
import numpy as np

import neurofit as nf
from neurofit.template import Model

mpl.use("agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DT_MS, START_MS, STOP_MS, END_MS = 0.1, 100, 600, 800
BLUE, GREY = "#1f5fa8", "0.6"

# Three steps of 500 ms for the voltage, and where the f-I curve ends, in pA.
STEPS_PA = {
    "adex": ((-200, 650, 1000), 1500),
    "eif": ((-200, 620, 900), 1500),
    "hh_bernaerts": ((-100, 100, 300), 600),
    "hh_pospischil": ((-200, 250, 400), 800),
    "hh_pospischil_fs": ((-200, 350, 600), 1000),
    "hh_pospischil_ib": ((-100, 120, 200), 500),
    "hh_pospischil_ih": ((-200, 200, 400), 800),
    "hh_pospischil_lts": ((-100, 60, 150), 500),
    "hh_pospischil_rs": ((-300, 600, 800), 1500),
    "hh_tutorial": ((-200, 250, 500), 1000),
    "izhikevich": ((-100, 70, 150), 500),
    "lif": ((-100, 200, 400), 600),
    "lif_plain": ((-100, 200, 400), 600),
    "lif_tutorial": ((-50, 150, 250), 400),
}
# The steps that show a current, in pA, and what of hh_pospischil is changed for it.
CURRENTS = {
    "I_h": ((-200,), {}),
    "I_NaP": ((-80, 60), {}),
    "I_A": ((300,), {"E_leak": -80.0}),
    "I_L": ((250,), {"g_M": 0.03}),
    "I_T": ((-100,), {"C": 100.0, "g_leak": 4.0, "E_leak": -65.0}),
}


def main() -> None:
    wanted = sys.argv[1:] or [*nf.list_models(), *CURRENTS]
    for name in wanted:
        draw_current(name) if name in CURRENTS else draw_template(name)


def steps(levels_pa: tuple[float, ...], model: Model) -> nf.Stimulus:
    """From 100 to 600 ms, sampled at 0.1 ms or at the model's own step."""
    dt_ms = max(DT_MS, model.dt_ms)
    time_ms = np.arange(round(END_MS / dt_ms)) * dt_ms
    inside = (time_ms >= START_MS) & (time_ms < STOP_MS)
    return nf.Stimulus(np.where(inside, np.array(levels_pa)[:, None], 0.0), dt_ms)


def draw_template(name: str) -> None:
    """Voltage under three steps, and spikes in a step against its current, at the template's own values."""
    model = nf.load_model(name)
    levels, highest = STEPS_PA[name]
    stimulus, ladder = steps(levels, model), tuple(np.linspace(0, highest, 31))
    voltage = nf.simulate(model, stimulus, {}, seed=1).voltage_mv[0]
    rates = [count(trace) / 0.5 for trace in nf.simulate(model, steps(ladder, model), {}, seed=2).voltage_mv[0]]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.6), width_ratios=(3, 1), layout="constrained")
    for trace, level, colour in zip(voltage, levels, (GREY, "black", BLUE), strict=True):
        left.plot(np.arange(len(trace)) * stimulus.dt_ms, trace, color=colour, lw=0.7, label=f"{level:+g} pA")
    left.set(xlabel="time (ms)", ylabel="recorded voltage (mV)", xlim=(50, 750))
    left.legend(frameon=False, fontsize=7, loc="upper right")
    right.plot(ladder, rates, color=BLUE, marker=".", ms=4, lw=0.8)
    right.set(xlabel="injected current (pA)", ylabel="spikes/s", ylim=(0, None))
    finish(figure, (left, right), HERE / f"{name}.png")
    sys.stdout.write(f"| `{name}` | {len(model.free)} | {milliseconds(model):.2g} | {invalid(model)} of 2,000 |\n")


def count(trace: np.ndarray) -> int:
    """Spikes in the step; none fires without it."""
    return int(((trace[:-1] < -10) & (trace[1:] >= -10)).sum())


def milliseconds(model: Model, n: int = 1024) -> float:
    """Processor time of a simulation of one sweep of 800 ms, files and all; the least of three runs."""
    theta, stimulus, seconds = model.prior.sample(n, np.random.default_rng(0)), steps((200,), model), []
    for _ in range(3):
        begun = sum(os.times()[:4])
        nf.simulate(model, stimulus, theta)
        seconds.append(sum(os.times()[:4]) - begun)
    return min(seconds) / n * 1e3


def invalid(model: Model, n: int = 2000) -> int:
    """Draws of the prior whose voltage is lost or leaves -500 to 500 mV under a step of 300 pA."""
    return int((~nf.simulate(model, steps((300,), model), model.prior.sample(n, np.random.default_rng(1))).valid).sum())


def draw_current(name: str) -> None:
    """The cell of hh_pospischil without a current and with it."""
    levels, changed = CURRENTS[name]
    conductance = name.replace("I_", "g_")
    model = with_current(name)
    own = next(p.value for p in model.parameters if p.name == conductance)
    values = {"sigma": 0.0, "R_s": 0.0, "V_offset": 0.0} | changed
    cells = {key: [value] * 2 for key, value in values.items()} | {conductance: [0.0, own]}
    voltage = nf.simulate(model, steps(levels, model), cells).voltage_mv
    figure, axes = plt.subplots(figsize=(7, 2.4), layout="constrained")
    for traces, colour, label in zip(voltage, (GREY, BLUE), (f"without {name}", f"with {name}"), strict=True):
        for number, trace in enumerate(traces):
            axes.plot(np.arange(len(trace)) * DT_MS, trace, color=colour, lw=0.8, label=label if number == 0 else None)
    axes.set(xlabel="time (ms)", ylabel="voltage (mV)", xlim=(50, 800))
    axes.legend(frameon=False, fontsize=7, loc="best")
    finish(figure, (axes,), HERE / f"current_{name.removeprefix('I_')}.png")


def blocks() -> dict[str, str]:
    """``{name of a current: its block}``, as they stand on the page."""
    page = (ROOT / "docs" / "currents.md").read_text(encoding="utf-8")
    found = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return {re.findall(r"^(I_\w+) = ", block, re.MULTILINE)[0]: block for block in found}


def with_current(name: str) -> Model:
    """``hh_pospischil`` with the block of the page pasted as the page says."""
    block = blocks()[name]
    parts, text = tomllib.loads(block), nf.load_model("hh_pospischil").text
    text = text.replace(" + I_inj", f" + {name} + I_inj", 1)
    text = text.replace('\n"""\n# What the electrode', f'\n{parts["equations"]["model"]}"""\n# What the electrode', 1)
    initial = "".join(f'{state} = "{value}"\n' for state, value in parts.get("initial", {}).items())
    text = text.replace("\n\n[integration]", f"\n{initial}\n[integration]", 1)
    with tempfile.TemporaryDirectory() as folder:
        mine = Path(folder) / "mine.toml"
        mine.write_text(f"{text}\n{block[block.index('[parameters.') :]}", encoding="utf-8")
        return nf.load_model(mine)


def finish(figure: plt.Figure, every: tuple[plt.Axes, ...], file: Path) -> None:
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.savefig(file, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()

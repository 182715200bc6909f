"""A LIF neuron from raw voltage: BayesFlow's torch backend and neurofit on the same simulations.

    pip install bayesflow==2.0.12
    PYTHONPATH=. python tests/benchmarks/bench_lif.py [--folder FOLDER] [--epochs 50]

20,000 simulations to train on, 1,000 to validate, 1,000 to judge by, one core each, one after the other. What is there
in the folder already is kept, so an interrupted run goes on. BayesFlow takes an hour or more.

The notebook that this follows (github.com/BushraKiyani/Simulation-Based-Inference) trains on JAX. Its network, two
gated recurrent units through all 1,000 samples, takes over three minutes a batch on the torch backend and a CPU
(``--step`` measures it), more than two weeks in all. So BayesFlow's network is given strides, which are options of
its own; the rest is the notebook's: 32 summaries, a coupling flow, 50 epochs, batches of 128.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import neurofit as nf
from neurofit.infer.calibration import assess

TRAIN, VALIDATE, JUDGE, DRAWS = 20_000, 1000, 1000, 500
PARTS = {
    "train": slice(TRAIN),
    "validate": slice(TRAIN, TRAIN + VALIDATE),
    "judge": slice(TRAIN + VALIDATE, TRAIN + VALIDATE + JUDGE),
}
FAST = {"filters": (32, 64), "kernel_sizes": (8, 8), "strides": (4, 4), "recurrent_dim": 64}


def simulations(file: Path) -> None:
    """As the notebook makes them: the voltage holds no spike, which stands in a train of its own."""
    model, rng = nf.load_model("lif_tutorial"), np.random.default_rng(45)
    theta = model.prior.sample(TRAIN + VALIDATE + JUDGE, rng)
    started = time.process_time()
    v = nf.simulate(model, nf.Stimulus(np.full((1, 1000), 200.0), dt_ms=0.2), theta, seed=1).voltage_mv[:, 0]
    sys.stdout.write(f"{len(theta)} simulations: {time.process_time() - started:.1f} s\n")
    spikes = v > 0
    voltage = np.where(spikes, np.roll(v, -1, axis=1), v) + rng.standard_normal(v.shape).astype(np.float32)
    np.savez(file, theta=theta, voltage=voltage.astype(np.float32), spikes=spikes, without_noise=v)


def of_bayesflow(data: dict[str, np.ndarray], epochs: int) -> dict[str, np.ndarray]:
    import bayesflow as bf
    import keras

    keras.utils.set_random_seed(45)
    names = nf.load_model("lif_tutorial").free

    def part(name: str) -> dict[str, np.ndarray]:
        rows = PARTS[name]
        traces = {key: data[key][rows][..., None].astype(np.float32) for key in ("voltage", "spikes")}
        return {key: data["theta"][rows][:, [j]].astype(np.float32) for j, key in enumerate(names)} | traces

    adapter = bf.Adapter().convert_dtype("float64", "float32")
    adapter = adapter.concatenate(list(names), into="inference_variables")
    workflow = bf.BasicWorkflow(
        adapter=adapter.concatenate(["voltage", "spikes"], into="summary_variables"),
        inference_network=bf.networks.CouplingFlow(),
        summary_network=bf.networks.TimeSeriesNetwork(summary_dim=32, **FAST),
        standardize=["inference_variables", "summary_variables"],
    )
    started = time.process_time()
    history = workflow.fit_offline(
        data=part("train"), epochs=epochs, batch_size=128, validation_data=part("validate"), verbose=2
    )
    seconds = time.process_time() - started
    judged = {key: value for key, value in part("judge").items() if key not in names}
    drawn = workflow.sample(conditions=judged, num_samples=DRAWS)
    losses = np.array([history.history["loss"], history.history["val_loss"]]).T
    return {"draws": np.concatenate([drawn[name] for name in names], axis=-1), "seconds": seconds, "losses": losses}


def of_neurofit(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The noise of 1 mV is drawn anew in each epoch; judged with the noise that BayesFlow gets."""
    model, used = nf.load_model("lif_tutorial"), slice(TRAIN + VALIDATE)
    started = time.process_time()
    learned = nf.learn_amortized(model, data["theta"][used], data["without_noise"][used], dt_ms=0.2, noise_sd_mv=1.0)
    seconds = time.process_time() - started
    judged = np.where(data["spikes"], np.float32(30), data["voltage"])[PARTS["judge"]]
    return {"draws": learned.sample(judged, DRAWS), "seconds": seconds, "losses": learned.losses}


def step() -> None:
    """One gradient step of the notebook's own network."""
    import bayesflow as bf
    import torch

    torch.set_grad_enabled(True)
    network = bf.networks.TimeSeriesNetwork(summary_dim=32)
    x = torch.randn(128, 1000, 2)
    network(x[:1, :10])
    started = time.process_time()
    network(x, training=True).sum().backward()
    seconds = time.process_time() - started
    sys.stdout.write(
        f"the notebook's network: {seconds:.0f} s a batch, {seconds * 50 * 157 / 3600:.0f} hours for 50 epochs\n"
    )


def table(folder: Path, data: dict[str, np.ndarray]) -> pd.DataFrame:
    model = nf.load_model("lif_tutorial")
    truths, columns = data["theta"][PARTS["judge"]], {}
    for name in ("bayesflow", "neurofit"):
        with np.load(folder / f"{name}.npz") as found:
            draws = found["draws"].astype(float)
            sys.stdout.write(
                f"{name}: {float(found['seconds']):.0f} s of processor time, {len(found['losses'])} epochs\n"
            )
        found = nf.Recovery(
            model.free, tuple(model.units[p] for p in model.free), truths, draws,
            assess(draws.swapaxes(0, 1), truths, model.free, seed=1),
        )  # fmt: skip
        sys.stdout.write(f"{found.calibration.sentence()}\n")
        for column, values in found.table.items():
            columns[str(column), name] = values
    return pd.DataFrame(columns).sort_index(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("fits/bench_lif"))
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--only", choices=["bayesflow", "neurofit"])
    args = parser.parse_args()
    if args.step:
        return step()
    args.folder.mkdir(parents=True, exist_ok=True)
    if not (file := args.folder / "simulations.npz").exists():
        simulations(file)
    with np.load(file) as arrays:
        data = dict(arrays)
    if args.only:
        found = of_bayesflow(data, args.epochs) if args.only == "bayesflow" else of_neurofit(data)
        np.savez(args.folder / f"{args.only}.npz", **found)
        return None
    # a process each, with one thread, so that neither finds the other's memory or settings
    environment = os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    for name in ("bayesflow", "neurofit"):
        if not (args.folder / f"{name}.npz").exists():
            again = [sys.executable, *sys.argv, "--only", name]
            subprocess.run(again, env=environment, check=True)
    sys.stdout.write(f"{table(args.folder, data).round(4).to_string()}\n")
    return None


if __name__ == "__main__":
    main()

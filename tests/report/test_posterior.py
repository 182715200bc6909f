"""The posterior drawn, told and written: with units, with the truth where it is known, and for ArviZ."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray
from matplotlib.figure import Figure
from typer.testing import CliRunner, Result

import neurofit as nf
from neurofit.cli import app
from neurofit.errors import BadInput, ParameterError
from neurofit.report.posterior import known, read_truth, together

# the fits are made once: on one worker
pytestmark = pytest.mark.xdist_group("report")


def shown(figure: Figure) -> list:  # type: ignore[type-arg]
    return [axes for axes in figure.axes if axes.axison]


def dashed(axes: object) -> list[float]:
    """Where the dashed lines stand, those for a truth that is not known left out."""
    lines = [line for line in axes.lines if line.get_linestyle() == "--"]  # type: ignore[attr-defined]
    return [float(x[0]) for x in (np.asarray(line.get_xdata()) for line in lines) if x[0] == x[1] and np.isfinite(x[0])]


def test_a_pair_plot_has_units_prior_map_and_truth(fit: nf.Fit, tmp_path: Path) -> None:
    figure = fit.pairplot(tmp_path / "pairs.png", ["C", "g_leak"], truth={"C": 150.0})
    assert (tmp_path / "pairs.png").read_bytes().startswith(b"\x89PNG")
    first, below, last = shown(figure)
    assert below.get_xlabel() == "C\n(pF)"
    assert below.get_ylabel() == "g_leak\n(nS)"
    assert last.get_xlabel() == "g_leak\n(nS)"
    assert len(first.patches) == 2  # prior and posterior
    assert dashed(first) == [150.0]
    assert dashed(last) == []
    (best,) = [line for line in below.lines if line.get_marker() == "+"]
    expected = fit.parameters.loc[["C", "g_leak"], "MAP"].to_numpy(np.float64)
    log = dict(zip(fit.model.free, fit.model.prior.logarithmic, strict=True))
    drawn = [
        10 ** float(v[0]) if log[n] else float(v[0]) for n, v in zip(("C", "g_leak"), best.get_data(), strict=True)
    ]
    assert drawn == pytest.approx(expected)
    assert [text.get_text() for text in figure.legends[0].get_texts()][1:] == ["prior", "MAP", "truth"]


def test_a_truth_far_outside_is_on_the_axes(fit: nf.Fit) -> None:
    figure = fit.pairplot(parameters=["V_th"], truth={"V_th": 20.0})
    low, high = shown(figure)[0].get_xlim()
    assert low < 20.0 < high


def test_marginals_of_all_parameters_and_log_axes_for_log_priors(fit: nf.Fit, tmp_path: Path) -> None:
    truth = fit.posterior.sample(1, seed=3)
    axes = shown(fit.marginalplot(tmp_path / "one by one.pdf", truth=truth))
    assert (tmp_path / "one by one.pdf").read_bytes().startswith(b"%PDF")
    assert len(axes) == len(fit.model.free)
    for panel, name, log in zip(axes, fit.model.free, fit.model.prior.logarithmic, strict=True):
        assert panel.get_xlabel().startswith(name)
        assert panel.get_xscale() == ("log" if log else "linear")
        assert dashed(panel) == pytest.approx([float(truth[name].iloc[0])])


def test_conditional_slices_go_through_the_point(fit: nf.Fit) -> None:
    names = ["C", "E_leak", "V_th"]
    figure = fit.conditionalplot(parameters=names)
    assert len(shown(figure)) == 6
    at = fit.posterior.sample(1, seed=5)
    moved = fit.conditionalplot(parameters=names[:2], at=at)
    (point,) = [line for line in shown(moved)[1].lines if line.get_marker() == "+"]
    assert float(np.asarray(point.get_ydata())[0]) == pytest.approx(float(at["E_leak"].iloc[0]))


def test_what_cannot_be_drawn_is_said(fit: nf.Fit, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no_such"):
        fit.pairplot(parameters=["C", "no_such"])
    with pytest.raises(ParameterError, match="no_such"):
        fit.pairplot(truth={"no_such": 1.0})
    with pytest.raises(ParameterError, match="not positive"):
        fit.pairplot(truth={"tau_w": 0.0})
    with pytest.raises(BadInput, match="cannot be drawn as this"):
        fit.marginalplot(tmp_path / "figure.docx", ["C"])
    assert not list(tmp_path.iterdir())


def test_truths_are_read_from_pairs_and_tables(fit: nf.Fit, tmp_path: Path) -> None:
    table = tmp_path / "truth.csv"
    fit.write_draws(table, 1, seed=9)
    found = read_truth([str(table), "C=150"], fit.model)
    draw = fit.posterior.sample(1, seed=9).iloc[0]
    assert found["C"] == 150
    assert found["V_th"] == pytest.approx(draw["V_th"], rel=1e-5)
    row = known(fit.model, {"C": 150.0})
    assert row[fit.model.free.index("C")] == 150
    assert np.isnan(np.delete(row, fit.model.free.index("C"))).all()
    table.write_text("C [nF],g_leak\n0.15,3\n")
    with pytest.raises(BadInput, match="another unit"):
        read_truth([str(table)], fit.model)
    table.write_text("C\n")
    with pytest.raises(BadInput, match="no true parameters here"):
        read_truth([str(table)], fit.model)
    for text in ("C=large", str(tmp_path / "absent.csv")):
        with pytest.raises(BadInput, match=r"truth|true"):
            read_truth([text], fit.model)


def test_what_is_fixed_only_together_is_told(fit: nf.Fit) -> None:
    r = fit.posterior.correlations(seed=fit.seed)
    strong = (np.abs(np.tril(r.to_numpy(), -1)) >= 0.5).sum()
    assert len(together(fit)) == min(5, strong)


def test_a_sweeps_prediction_is_told_sweep_by_sweep(fit: nf.Fit) -> None:
    table = fit.predictive_table
    parts = {"fitted": fit.split.fitted, **fit.split.held_out}
    assert list(table.index) == [(name, sweep) for name, part in parts.items() for sweep in part.sweep_numbers]
    assert table["held out"].tolist() == [name != "fitted" for name, _ in table.index]
    counts = fit.findings_of_fit["counts"]
    assert table["count"].tolist() == [count for part in counts.values() for count in part["recorded"]]
    for column in ("count percentile", "voltage covered (%)"):
        assert table[column].between(0, 100).all()
    assert (table["deviation_mv"] > 0).all()


RUNNER = CliRunner()


def run(*arguments: object) -> Result:
    return RUNNER.invoke(app, [str(a) for a in arguments])


def test_the_command(fit: nf.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = {name: tmp_path / "new" / f"{name}" for name in ("pair.png", "one.svg", "draws.csv", "all.nc")}
    done = run(
        "posterior", fit.run.path, "--level", 0.8, "--truth", "C=150", "--parameters", "C, V_th",
        "--plot", out["pair.png"], "--marginals", out["one.svg"], "--samples", 40, "--seed", 2,
        "--out", out["draws.csv"], "--netcdf", out["all.nc"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    for words in ("Posterior", "80 %", "truth", "150", "pF", "contraction", "MΩ", str(out["pair.png"])):
        assert words in done.output.replace("\n", ""), words
    for path in out.values():
        assert path.stat().st_size > 500
    draws = pd.read_csv(out["draws.csv"])
    expected = fit.posterior.sample(40, 2)
    assert list(draws.columns) == [f"{name} [{fit.model.units[name]}]" for name in expected.columns]
    assert draws.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--level", 90), "between 0 and 1"),
        (("--truth", "no_such=1"), "no_such"),
        (("--plot", "x.png", "--parameters", "no_such"), "no_such"),
        (("--plot", "x.docx"), "x.docx"),
    ],
)
def test_the_command_given_what_cannot_be(fit: nf.Fit, options: tuple[object, ...], words: str) -> None:
    done = run("posterior", fit.run.path, *options)
    assert done.exit_code == 2
    assert words in done.stderr


def test_the_netcdf_file_holds_the_posterior_with_units(fit: nf.Fit) -> None:
    path = fit.run / "posterior.nc"  # written by the run itself
    tree = nf.read_netcdf(path)
    draws = pd.read_csv(fit.run / "posterior.csv")
    for name in fit.model.free:
        variable = tree["posterior"][name]
        assert variable.dims == ("chain", "draw")
        assert variable.attrs["units"] == fit.model.units[name]
        assert variable.to_numpy()[0] == pytest.approx(draws[f"{name} [{fit.model.units[name]}]"], rel=1e-5)
        assert fit.model.prior.bounds[fit.model.free.index(name)][0] <= tree["prior"][name].min()
    theta = np.stack([tree["posterior"][name].to_numpy()[0] for name in fit.model.free], axis=1)
    assert tree["sample_stats"]["lp"].to_numpy()[0] == pytest.approx(fit.posterior.log_prob(theta))
    assert tree.attrs["verdict"] == fit.verdict.word
    assert tree.attrs["recording_sha256"] == fit.decisions["recording"]["sha256"]


def test_the_netcdf_file_holds_recorded_and_predicted_features(fit: nf.Fit) -> None:
    tree = nf.read_netcdf(fit.run / "posterior.nc")
    observed, predicted = tree["observed_data"], tree["posterior_predictive"]
    assert observed["spike_count"].to_numpy().tolist() == fit.findings_of_fit["counts"]["fitted"]["recorded"]
    assert observed["sweep"].to_numpy().tolist() == list(fit.split.fitted.sweep_numbers)
    assert observed["resting_potential"].dims == ()
    assert observed["resting_potential"].attrs["units"] == "mV"
    assert observed["level"].attrs["units"] == "pA"
    assert (observed["latency"].attrs["tolerance"], observed["latency"].attrs["scale"]) == (0.3, "log")
    assert observed["resting_potential"].attrs["tolerance_from"].startswith("drift of the rest: ")
    assert "tolerance" not in observed["rest_sd"].attrs  # not fitted
    simulated = fit.simulations("predicted fitted")
    table = simulated.features.rows(simulated.valid)
    for name in ("resting_potential", "input_resistance"):
        np.testing.assert_array_equal(predicted[name].to_numpy()[0], table.column(name))
    sweep = fit.split.fitted.sweep_numbers[1]
    found = predicted["spike_count"].sel(sweep=sweep, chain=0)
    np.testing.assert_array_equal(found, table.column(f"spike_count@{sweep}"))
    assert found["draw"].to_numpy().tolist() == np.flatnonzero(simulated.valid).tolist()


def test_the_netcdf_file_is_plain_and_the_same_again(
    fit: nf.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """xarray opens it without neurofit, nothing in it is unpickled, and the same run gives the same bytes."""
    path = fit.to_netcdf(tmp_path / "again.nc")
    assert path.read_bytes() == (fit.run / "posterior.nc").read_bytes()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        assert set(tree.children) == {"posterior", "sample_stats", "prior", "observed_data", "posterior_predictive"}
        assert len(tree["posterior"].to_dataset().to_dataframe()) == 5000


def test_another_file_is_refused(fit: nf.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "text.nc"
    text.write_text("not a netCDF file")
    with pytest.raises(BadInput, match="not a netCDF file"):
        nf.read_netcdf(text)
    with pytest.raises(BadInput, match="not a netCDF file"):
        nf.read_netcdf(tmp_path / "absent.nc")
    tree = fit.to_datatree(10)
    tree.attrs["neurofit_format"] = 99
    tree.to_netcdf(tmp_path / "newer.nc", engine="h5netcdf")
    with pytest.raises(BadInput, match="neurofit_format 99"):
        nf.read_netcdf(tmp_path / "newer.nc")
    monkeypatch.setattr("neurofit.report.netcdf.find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"neurofit\[arviz\]"):
        fit.to_netcdf(tmp_path / "none.nc")
    assert not (tmp_path / "none.nc").exists()


def test_a_model_of_few_parameters_and_a_single_sweep(smallest: nf.Fit, tmp_path: Path) -> None:
    assert len(shown(smallest.pairplot(tmp_path / "pairs.png"))) == 6
    assert len(shown(smallest.marginalplot(tmp_path / "marginals.png"))) == 3
    assert len(shown(smallest.conditionalplot(tmp_path / "slices.png"))) == 6
    assert len(smallest.predictive_table) == 1
    assert nf.read_netcdf(smallest.run / "posterior.nc")["observed_data"]["spike_count"].shape == (1,)

"""The public names are a promise; adding one is a decision, losing one a breakage."""

import subprocess
import sys

import pytest

import neurofit as nf

NAMES = {
    "Amortized",
    "BadInput",
    "CellProperties",
    "Cells",
    "CheckResult",
    "FeatureTable",
    "Fit",
    "Method",
    "Model",
    "NeurofitError",
    "Posterior",
    "PriorSimulations",
    "QualityThresholds",
    "Recording",
    "Recovery",
    "RunFailed",
    "Schedule",
    "Shared",
    "SharedCells",
    "Stimulus",
    "Traces",
    "cell_properties",
    "check",
    "extract_features",
    "fetch_recording",
    "fit",
    "fit_cells",
    "fit_shared",
    "learn_amortized",
    "learn_posterior",
    "learn_shared",
    "list_models",
    "load_amortized",
    "load_fit",
    "load_model",
    "load_recording",
    "lossplot",
    "pairplot",
    "rankplot",
    "read_netcdf",
    "recording_from_arrays",
    "recoveryplot",
    "seven_statistics",
    "simulate",
    "simulate_prior",
}


def test_public_names() -> None:
    assert set(nf.__all__) == NAMES
    assert sorted(nf.__all__) == nf.__all__
    for name in NAMES:
        assert getattr(nf, name) is not None
    assert set(dir(nf)) == NAMES


def test_functions_are_not_hidden_by_modules() -> None:
    import neurofit.fitting
    import neurofit.simulation  # noqa: F401

    assert callable(nf.fit)
    assert callable(nf.simulate)
    assert callable(nf.check.summary)
    assert callable(nf.check.raw)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        nf.nothing_of_the_kind  # noqa: B018


def loaded_by(code: str) -> set[str]:
    """Top-level packages that a fresh Python has loaded after running some code."""
    script = f"import sys\n{code}\nprint('|'.join(sorted(sys.modules)), file=sys.__stdout__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.strip().splitlines()[-1].split("|")}


def test_heavy_packages_are_loaded_late() -> None:
    heavy = {"torch", "sbi", "brian2", "efel", "neo", "matplotlib"}
    assert not heavy & loaded_by("import neurofit")
    assert not heavy & loaded_by(
        "import contextlib, io, neurofit.cli\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(neurofit.cli.app, ['--help']).exit_code == 0"
    )
    assert not {"torch", "sbi", "brian2"} & loaded_by("import neurofit as nf\nnf.load_recording")

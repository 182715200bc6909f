"""neurofit's own folders are found in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurofit import resources
from neurofit.errors import NeurofitError


def test_in_a_checkout_they_are_at_the_top() -> None:
    top = Path(resources.__file__).parents[1]
    assert resources.resource_dir("data") == top / "data"
    assert (resources.resource_dir("data") / "recordings.toml").is_file()


def test_installed_they_are_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "neurofit"
    (package / "data").mkdir(parents=True)
    (package.parent / "data").mkdir()  # another package's
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.resource_dir("data") == package / "data"


def test_a_damaged_installation_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    with pytest.raises(NeurofitError, match="Install neurofit again"):
        resources.resource_dir("models")

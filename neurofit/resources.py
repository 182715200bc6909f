"""Where neurofit's own files are: at the top of a checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

from neurofit.errors import NeurofitError

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """The directory ``data`` or ``models`` that belongs to this neurofit.

    The checkout is asked first: an editable install reads what its user sees and edits.

    Parameters
    ----------
    name
        ``"data"`` or ``"models"``.

    Raises
    ------
    NeurofitError
        If neither place has it, which means that the installation is damaged.
    """
    places = (_PACKAGE.parent / name, _PACKAGE / name)
    # A bare "data" directory beside site-packages is somebody else's: a checkout has its pyproject.toml.
    if (_PACKAGE.parent / "pyproject.toml").is_file() and places[0].is_dir():
        return places[0]
    if places[1].is_dir():
        return places[1]
    raise NeurofitError(
        f"neurofit's own {name} directory is missing: looked for {places[0]} and {places[1]}. Install neurofit again."
    )

"""The folders that users look into: ``models`` and ``data``, at the top of a checkout or inside an installed package."""

from __future__ import annotations

from pathlib import Path


def resource_dir(name: str) -> Path:
    """The folder ``models`` or ``data``, wherever this copy of neurofit keeps it."""
    package = Path(__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name

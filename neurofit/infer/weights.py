"""Network weights in a file: safetensors with a description in JSON; nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import Tensor

from neurofit.errors import BadInput


def save_weights(path: Path, weights: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Written by Python, whose errors say what was wrong with the disk."""
    contiguous = {name: tensor.contiguous() for name, tensor in weights.items()}
    path.write_bytes(as_bytes(contiguous, metadata={"neurofit": json.dumps(description)}))


def load_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and description; the latter is empty where another program wrote the file.

    Raises
    ------
    BadInput
        If the file is no such file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            description = json.loads((file.metadata() or {}).get("neurofit", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, description  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadInput("this is not a file of network weights", where=Path(path), found=str(error)) from error

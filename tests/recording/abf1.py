"""Writes ABF1 files with any header a test needs."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from tests.recording.abf import BLOCK, Input, Output

HEADER = 6144
STORED = 32  # integers per unit


def write_abf1(
    path: Path,
    inputs: list[Input],
    outputs: list[Output],
    *,
    dt_us: float = 250.0,
    version: float = 1.83,
    starts_s: tuple[float, float] = (0.0, 2.0),
    fields: dict[int, tuple[str, Any]] | None = None,
) -> Path:
    """Write a file of 16 bit integers; ``fields`` are formats and values by offset, written last."""
    sweeps, samples = inputs[0].values.shape
    data = np.round(np.stack([channel.values for channel in inputs], axis=2) * STORED).astype("<i2")
    head = bytearray(HEADER)
    first = HEADER if version > 1.59 else 2048
    starts = first + len(data.tobytes()) + -len(data.tobytes()) % BLOCK

    def put(form: str, offset: int, *values: Any) -> None:
        struct.pack_into("<" + form, head, offset, *values)

    put("4sfhihi", 0, b"ABF ", version, 5, data.size, 0, sweeps)
    put("i", 40, first // BLOCK)
    put("ii", 92, starts // BLOCK, sweeps)
    put("hh", 100, 0, 0)
    put("h4f", 120, len(inputs), dt_us / len(inputs), 0.0, dt_us / len(inputs), 0.0)
    put("iii", 138, samples * len(inputs), 0, sweeps)
    put("ff", 244, 10.0, 10.0)
    put("i", 252, 32768)
    put("16h", 410, *range(len(inputs)), *[-1] * (16 - len(inputs)))
    scale = STORED * 10.0 / 32768
    for k, channel in enumerate(inputs):
        put("10s", 442 + 10 * k, channel.name.encode().ljust(10))
        put("8s", 602 + 8 * k, channel.unit.encode().ljust(8))
        for offset, value in ((730, 1.0), (922, scale), (1050, 1.0), (4576, 1.0)):
            put("f", offset + 4 * k, value)
        if channel.mode is not None:
            put("h", 4512 + 2 * k, 1)
            put("h", 4544 + 2 * k, 24)
            put("h", 4768 + 2 * k, channel.mode)
    for k, output in enumerate(outputs):
        put("10s", 1306 + 10 * k, output.name.encode().ljust(10))
        put("8s", 1346 + 8 * k, output.unit.encode().ljust(8))
        put("f", 1394 + 4 * k, output.holding)
        put("h", 2296 + 2 * k, 1)
        put("h", 2300 + 2 * k, 1)
        for n, epoch in enumerate(output.epochs):
            at = 10 * k + n
            put("h", 2308 + 2 * at, epoch.kind)
            put("f", 2348 + 4 * at, epoch.level)
            put("f", 2428 + 4 * at, epoch.increment)
            put("i", 2508 + 4 * at, epoch.duration)
            put("i", 2588 + 4 * at, epoch.lengthening)
            if k == 0:
                put("h", 1444 + 2 * n, epoch.kind)
                put("f", 1464 + 4 * n, epoch.level)
                put("f", 1504 + 4 * n, epoch.increment)
                put("h", 1544 + 2 * n, epoch.duration)
                put("h", 1564 + 2 * n, epoch.lengthening)
    put("h", 1438, 1)
    for offset, (form, value) in (fields or {}).items():
        put(form, offset, value)
    table = b"".join(
        struct.pack("<ii", round((starts_s[0] + k * starts_s[1]) * 1e6 * len(inputs) / dt_us), samples * len(inputs))
        for k in range(sweeps)
    )
    body = data.tobytes()
    path.write_bytes(bytes(head[:first]) + body + bytes(-len(body) % BLOCK) + table.ljust(BLOCK, b"\0"))
    return path

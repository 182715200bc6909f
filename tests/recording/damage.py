"""Damages a file as disks, transfers and editors do, each time the same for the same seed."""

from __future__ import annotations

import numpy as np

KINDS = ("truncated", "bytes of the header", "bytes anywhere", "zeroed block", "spliced")
BLOCK = 512


def damaged(whole: bytes, header: int, seed: int) -> tuple[str, bytes]:
    """What was done, and the bytes that are left.

    Parameters
    ----------
    whole
        A good file.
    header
        How many of its first bytes are its header.
    seed
        Which damage.
    """
    generator = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    content, size = bytearray(whole), len(whole)
    if kind == "truncated":
        return kind, bytes(content[: int(generator.integers(0, size))])
    if kind in ("bytes of the header", "bytes anywhere"):
        reach = min(header, size) if "header" in kind else size
        for place in generator.integers(0, reach, int(generator.integers(1, 9))):
            content[place] = int(generator.integers(0, 256))
    else:
        length = int(min(generator.choice([16, 64, BLOCK, 4 * BLOCK]), size // 4))
        at, other = (int(place) for place in generator.integers(0, size - length, 2))
        if kind == "zeroed block":
            content[at : at + length] = bytes(length)
        else:
            content[at : at + length] = content[other : other + length]
    return kind, bytes(content)

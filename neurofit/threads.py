"""One thread at a time.

The networks and matrices here are small: two threads are hardly faster than one on an idle machine, and on a busy one
they wait for each other (measured: 80 times slower). Work that can run side by side does so in processes instead.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit NumPy's and, where it is loaded, torch's threads to one, and put them back afterwards."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 0
    with threadpool_limits(limits=1):
        if torch is not None:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(before)

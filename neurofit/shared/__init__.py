"""Many cells of one protocol: one posterior is learned once, and each cell then takes a second or two."""

from neurofit.shared.cell import SharedCell
from neurofit.shared.cells import SharedCells, fit_shared
from neurofit.shared.learn import SCHEDULE, Shared, learn_shared

__all__ = ["SCHEDULE", "Shared", "SharedCell", "SharedCells", "fit_shared", "learn_shared"]

"""A :class:`neurofit.Fit` becomes one HTML page with figures and tables; several become a comparison.

::

    write_report(fit, Path("report.html"), progress)
    write_comparison([plain, with_h_current], "comparison.html")
    comparison_table([plain, with_h_current])        # a pandas table

The figures are plain functions of data in :mod:`neurofit.report.figures`.
"""

from neurofit.report.compare import comparison_table, write_comparison
from neurofit.report.page import write_report, write_stopped_report

__all__ = ["comparison_table", "write_comparison", "write_report", "write_stopped_report"]

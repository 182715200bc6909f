"""A :class:`neurofit.Fit` becomes one HTML page with figures and tables."""


def write_report(fit, target, progress):
    pass

"""Voltage and current become a :class:`FeatureTable`: value, unit, defined or not."""

from neurofit.features.catalogue import FEATURES, SUMMARIES, Feature
from neurofit.features.extract import extract_features
from neurofit.features.table import FeatureTable

__all__ = ["FEATURES", "SUMMARIES", "Feature", "FeatureTable", "extract_features"]

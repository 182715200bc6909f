"""Voltage and current become a :class:`FeatureTable`: value, unit, defined or not."""

from neurofit.features.catalogue import ALWAYS_DEFINED, FEATURES, STATISTICS, SUMMARIES, SUMMARIES_UNDER, Feature
from neurofit.features.extract import as_table, extract_features, recorded_features
from neurofit.features.properties import CellProperties, cell_properties
from neurofit.features.spikes import SPIKE_THRESHOLD_MV
from neurofit.features.statistics import seven_statistics
from neurofit.features.table import FeatureTable

__all__ = [
    "ALWAYS_DEFINED",
    "FEATURES",
    "SPIKE_THRESHOLD_MV",
    "STATISTICS",
    "SUMMARIES",
    "SUMMARIES_UNDER",
    "CellProperties",
    "Feature",
    "FeatureTable",
    "as_table",
    "cell_properties",
    "extract_features",
    "recorded_features",
    "seven_statistics",
]

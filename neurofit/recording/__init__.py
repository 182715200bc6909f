"""A file becomes a :class:`Recording`: sweeps of voltage and injected current, with findings about their quality."""

from neurofit.recording.recording import Finding, Recording, Source
from neurofit.recording.stimulus import Step, Stimulus

__all__ = ["Finding", "Recording", "Source", "Step", "Stimulus"]

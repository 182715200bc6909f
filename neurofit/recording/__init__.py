"""A file becomes a :class:`Recording`: sweeps of voltage and injected current, and findings on them."""

from neurofit.recording.load import load_recording
from neurofit.recording.recording import Finding, Recording, Source
from neurofit.recording.stimulus import Step, Stimulus

__all__ = ["Finding", "Recording", "Source", "Step", "Stimulus", "load_recording"]

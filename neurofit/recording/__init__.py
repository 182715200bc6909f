"""A file becomes a :class:`Recording`: sweeps of voltage and injected current, and findings on them."""

from neurofit.recording.catalogue import KnownRecording, demo_recording, fetch_recording, known_recordings
from neurofit.recording.electrode import Electrode, measure_electrode
from neurofit.recording.load import load_recording, recording_from_arrays
from neurofit.recording.quality import examine
from neurofit.recording.recording import Finding, Recording, Source
from neurofit.recording.stimulus import Step, Stimulus
from neurofit.recording.sweeps import chosen_sweeps, parse_sweeps
from neurofit.recording.thresholds import QualityThresholds

__all__ = [
    "Electrode",
    "Finding",
    "KnownRecording",
    "QualityThresholds",
    "Recording",
    "Source",
    "Step",
    "Stimulus",
    "chosen_sweeps",
    "demo_recording",
    "examine",
    "fetch_recording",
    "known_recordings",
    "load_recording",
    "measure_electrode",
    "parse_sweeps",
    "recording_from_arrays",
]

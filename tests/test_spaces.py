"""The fit's own checks in words: sweeps by their numbers in the file, times in the file's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import neurofit as nf
from neurofit import check
from neurofit.stages import chosen_rig
from neurofit.stages.inputs import RIG
from neurofit.stages.spaces import in_the_file
from neurofit.template import parse_model
from tests.recording.synthetic import Cell


def test_stretches_are_told_by_the_files_sweeps_currents_and_time() -> None:
    made = Cell(levels_pa=(-60.0, -30.0, -10.0), dt_ms=0.5).record()
    fitted = replace(made, sweep_numbers=(0, 4, 8), start_ms=1000.0)
    rng = np.random.default_rng(0)
    reference = (
        fitted.voltage_mv + rng.normal(0, 1, (200, 3, 1)) + 0.05 * rng.standard_normal((200, *made.voltage_mv.shape))
    )
    cell = fitted.voltage_mv.copy()
    cell[1, 400:440] += 15.0  # 200 to 220 ms from the first sample, in the second row
    step = fitted.stimulus.test_step
    found = check.raw(cell, reference, dt_ms=0.5, step_ms=(step.start_ms, step.stop_ms))
    told = in_the_file(found, fitted)
    assert any(sentence.startswith("Sweep 1, ") for sentence in found.sentences)
    (sentence,) = [s for s in told.sentences if s.startswith("Sweep ")][:1]
    assert sentence.startswith("Sweep 4 (-30 pA), 1")
    start = float(sentence.split("), ")[1].split(" to ")[0])
    assert abs(start - 1200.0) < 10
    # the numbers stay those of the rows, for whoever reads them
    assert told.stretches == found.stretches
    assert len(told.sentences) == len(found.sentences)


def test_observation_noise_is_not_added_to_a_templates_own() -> None:
    shipped = nf.load_model("lif")
    noise = '\n[rig.noise]\nunit = "mV"\nvalue = 0.1\ndescription = "of the recording"\nsource = "a test"\n'
    own = parse_model(shipped.text + noise, "x")
    asked = check.Nuisances(noise_sd_mv=0.3)
    assert chosen_rig(None, shipped) == RIG
    assert chosen_rig(None, own) == check.Nuisances()
    assert chosen_rig(asked, shipped) == chosen_rig(asked, own) == asked

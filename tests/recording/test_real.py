"""The real recordings say what is known of them, and every trap is refused or handled, never misread."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from neurofit.errors import RecordingError
from neurofit.recording import Recording, load_recording, measure_electrode
from neurofit.recording.baseline import measure_rest
from neurofit.recording.spikes import count_spikes, spike_times_ms

LEVELS = np.arange(-100.0, 301.0, 25.0)


def warnings(recording: Recording) -> set[str]:
    return {finding.kind for finding in recording.findings if finding.severity == "warning"}


def counts(recording: Recording, step: int) -> list[int]:
    return count_spikes(spike_times_ms(recording), recording.stimulus.test_steps[step]).tolist()


@pytest.fixture(scope="module")
def regular(recordings_dir: Path) -> Recording:
    return load_recording(recordings_dir / "171116sh_0018.abf")


@pytest.fixture(scope="module")
def fast(recordings_dir: Path) -> Recording:
    return load_recording(recordings_dir / "2019_07_24_0055_fsi.abf")


@pytest.fixture(scope="module")
def pyramidal(recordings_dir: Path) -> Recording:
    return load_recording(recordings_dir / "SSCx_C060109A3", protocol="IDrest")


def test_regular_spiking(regular: Recording) -> None:
    assert regular.voltage_mv.shape == (17, 60000)
    assert regular.dt_ms == 0.05
    assert regular.source.sha256 == "9042a1162d18a47fbbe83ea1c0817142d3ae21f6f6060195ff18d35358f6e8c7"
    steps = regular.stimulus.test_steps
    assert [step.start_ms for step in steps] == pytest.approx([146.85, 1646.85])
    assert [step.stop_ms for step in steps] == pytest.approx([646.85, 2146.85])
    assert all(np.array_equal(step.level_pa, LEVELS) for step in steps)
    assert counts(regular, 0) == [0, 0, 0, 0, 0, 0, 1, 1, 3, 4, 5, 6, 6, 7, 8, 8, 9]
    assert counts(regular, 1) == [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 8, 9]
    assert np.median(measure_rest(regular)) == pytest.approx(-62.2, abs=0.5)
    electrode = measure_electrode(regular)
    assert electrode is not None
    assert electrode.resistance_mohm == pytest.approx(12.9, abs=0.5)
    assert warnings(regular) == {"electrode-resistance"}


def test_regular_spiking_current_is_neos(regular: Recording, recordings_dir: Path) -> None:
    from neo.io import AxonIO

    protocol = AxonIO(str(recordings_dir / "171116sh_0018.abf")).read_protocol()
    drawn = np.stack([segment.analogsignals[0].rescale("pA").magnitude[:, 0] for segment in protocol])
    assert np.array_equal(regular.current_pa, drawn)


def test_fast_spiking(fast: Recording) -> None:
    first = counts(fast, 0)
    assert (first[5], first[-1]) == (13, 64)
    assert first == sorted(first), "more current, more action potentials"
    rest = measure_rest(fast)
    assert -66 < rest.min() < -63
    assert -50 < rest.max() < -44
    electrode = measure_electrode(fast)
    assert electrode is not None
    # Its membrane charges within milliseconds, which a straight line tells from the electrode only so far.
    assert 15 < electrode.resistance_mohm < 21
    assert warnings(fast) == {"electrode-resistance", "spontaneous-spikes", "rest-drift", "rest-jump"}


def test_layer5_pyramidal(pyramidal: Recording) -> None:
    assert pyramidal.sweep_numbers == (*range(325, 341), *range(370, 386))
    assert pyramidal.dt_ms == 0.25
    assert pyramidal.duration_ms == 3000
    (step,) = pyramidal.stimulus.test_steps
    assert (step.start_ms, step.stop_ms) == pytest.approx((700, 2700), abs=1.0)
    assert step.level_pa.min() == pytest.approx(107, abs=1)
    assert step.level_pa.max() == pytest.approx(797, abs=1)
    assert np.allclose(step.level_pa[:16], step.level_pa[16:], atol=1), "16 levels, each twice"
    assert np.allclose(pyramidal.stimulus.holding_pa, -122.8, atol=0.5)
    spikes = counts(pyramidal, 0)
    assert (min(spikes), max(spikes)) == (1, 46)
    assert max(abs(a - b) for a, b in zip(spikes[:16], spikes[16:], strict=True)) <= 4
    assert np.median(measure_rest(pyramidal)) == pytest.approx(-70.5, abs=0.5)
    assert len(np.unique(pyramidal.current_pa)) <= 1 + 32, "clean steps: no noise, no artefact"
    assert warnings(pyramidal) == set()


def test_layer5_pyramidal_other_protocol(recordings_dir: Path) -> None:
    directory = recordings_dir / "SSCx_C060109A3"
    with pytest.raises(RecordingError, match=r"IDrest \(32 sweeps.*IV \(30 sweeps.*--protocol IDrest"):
        load_recording(directory)
    recording = load_recording(directory, protocol="IV")
    assert recording.n_sweeps == 30
    (step,) = recording.stimulus.test_steps
    assert step.level_pa.min() == pytest.approx(-398.5, abs=1)
    one = load_recording(directory / "X_IDrest_ch1_330.ibw")
    assert one.sweep_numbers == (330,)
    assert one.stimulus.test_step.level_pa[0] == pytest.approx(337, abs=1)


REFUSED = {
    "T01_voltage_clamp_abf2.abf": ["voltage clamp"],
    "T03_abf1_no_protocol_current_labelled_mV.abf": [
        "ABF1",
        "rebuild the command from the epochs",
        "name the current's channel, unit and scale by hand",
    ],
    "T04_gapfree_no_protocol_no_spikes.abf": ["gap-free", "no stimulus"],
    "T09_spikes_without_current_opto.abf": [
        "spikes are not caused by injected current",
        "50",
        ("digital output"),
    ],
    "T25_truncated_data.abf": ["cut short", "1228492 bytes"],
    "T26_truncated_header.abf": ["cut short", "3000 bytes"],
    "T28_empty.abf": ["empty"],
    "T29_text_renamed.abf": ["a text file"],
}


@pytest.mark.parametrize("name", REFUSED)
def test_trap_is_refused(name: str, traps_dir: Path) -> None:
    with pytest.raises(RecordingError) as caught:
        load_recording(traps_dir / name)
    message = str(caught.value)
    assert message.startswith(str(traps_dir / name))
    assert "\n" not in message
    for words in REFUSED[name]:
        assert words in message


def test_trap_user_list(traps_dir: Path) -> None:
    recording = load_recording(traps_dir / "T05_userlist_wrong_command_model_cell.abf")
    assert recording.source.current_from == "recorded"
    levels = recording.stimulus.test_step.level_pa - recording.stimulus.holding_pa
    listed = [-200, -150, -100, -50, 0, 25, 50, 100, 150, 200, 250, 300, 350, 400, 500, 600]
    assert np.allclose(levels, listed, atol=3)
    assert any("user list" in finding.message for finding in recording.findings)
    assert {"implausible-rest", "implausible-voltage", "no-spikes"} <= warnings(recording), "a model cell"


def test_trap_ramp(traps_dir: Path) -> None:
    recording = load_recording(traps_dir / "T06_ramp_epochs.abf")
    holding = 20000 // 64
    ramp = 10.0 * np.arange(1, 19301) / 19300  # from the sweep before, to 10 pA in the second sweep
    expected = np.concatenate([np.zeros(holding), ramp, np.full(20000 - holding - 19300, 10.0)])
    assert np.array_equal(recording.current_pa[0], np.zeros(20000))
    assert np.allclose(recording.current_pa[1], expected, atol=1e-5)
    assert recording.stimulus.epochs == (), "never flat steps"
    assert any("1 ramp" in finding.message for finding in recording.findings)


T03 = "T03_abf1_no_protocol_current_labelled_mV.abf"


def test_an_old_file_by_its_header(traps_dir: Path) -> None:
    recording = load_recording(traps_dir / T03, voltage_channel="IN 0", command="header")
    assert recording.source.current_from == "header"
    assert recording.source.said == {"voltage_channel": "IN 0", "command": "header"}
    start = 30640 // 64 + 10000
    expected = np.zeros((10, 30640))
    expected[:, start : start + 10000] = np.arange(-120.0, 421.0, 60.0)[:, None]
    assert np.array_equal(recording.current_pa, expected)
    electrode = measure_electrode(recording)
    assert electrode is not None, "the voltage jumps where the header steps"
    assert len(np.unique(electrode.jumps.row)) >= 4
    assert abs(electrode.offset_pa) < 20


def test_an_old_file_by_hand(traps_dir: Path) -> None:
    recording = load_recording(traps_dir / T03, current_channel="IN 2", current_scale_pa=1986.0)
    assert recording.source.current_from == "recorded"
    levels = recording.stimulus.test_step.level_pa - recording.stimulus.holding_pa
    assert np.allclose(levels, np.arange(-120.0, 421.0, 60.0), atol=1.0)
    disagreement = next(f for f in recording.findings if f.kind == "current-disagrees")
    assert "1.00 times" in disagreement.message
    assert "-19 pA" in disagreement.message, "the monitor's zero is off, which is said"


def test_an_old_file_is_read_as_neo_reads_it(traps_dir: Path) -> None:
    from neo.io import AxonIO

    reader = AxonIO(str(traps_dir / T03))
    reader.parse_header()
    recording = load_recording(traps_dir / T03, voltage_channel="IN 0", command="header")
    for sweep in range(recording.n_sweeps):
        raw = reader.get_analogsignal_chunk(0, sweep, stream_index=0, channel_indexes=[0])
        values = reader.rescale_signal_raw_to_float(raw, "float64", stream_index=0, channel_indexes=[0])
        assert np.allclose(recording.voltage_mv[sweep], values[:, 0], atol=1e-9)


def test_trap_resaved_subset(traps_dir: Path) -> None:
    recording = load_recording(traps_dir / "T12_resaved_subset_header_current_off_by_100pA.abf")
    first = recording.findings[0]
    assert first.kind == "resaved-subset"
    assert "starts at 6 s" in first.message
    electrode = measure_electrode(recording)
    assert electrode is not None
    assert electrode.offset_pa == pytest.approx(100, abs=12)
    assert f"{electrode.offset_pa:.0f} pA" in first.message


def test_trap_channels_swapped(traps_dir: Path) -> None:
    recording = load_recording(traps_dir / "T18_ibw_channels_swapped")
    assert recording.sweep_numbers == (999,)
    assert np.median(measure_rest(recording)) == pytest.approx(-69, abs=1)
    assert recording.stimulus.test_step.level_pa[0] == pytest.approx(645, abs=5)


def test_the_page_says_what_each_trap_gets(traps_dir: Path) -> None:
    page = " ".join((Path(__file__).parents[2] / "docs/recordings.md").read_text(encoding="utf-8").split())
    for name in sorted(path.name for path in traps_dir.iterdir() if path.name.startswith("T")):
        try:
            said = load_recording(traps_dir / name).findings[0].message
        except RecordingError as error:
            said = error.message
        if name in REFUSED or "resaved" in name:
            quoted = [words for words in re.findall(r"\*([^*]+)\*", page) if said.startswith(words)]
            assert quoted, f"{name}: {said}"


def test_every_trap_is_tested(traps_dir: Path) -> None:
    handled = {
        "T05_userlist_wrong_command_model_cell.abf",
        "T06_ramp_epochs.abf",
        "T12_resaved_subset_header_current_off_by_100pA.abf",
        "T18_ibw_channels_swapped",
    }
    assert {path.name for path in traps_dir.iterdir() if path.name.startswith("T")} <= handled | set(REFUSED)

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.errors import OptionsError, TableError
from aucli.human_codes.times import NTSC_RATE, CodedTime, Unit, read_time, timecode_seconds
from tests.builders.coded_files import timecode


@pytest.mark.parametrize(
    ("cell", "unit", "seconds"),
    [
        ("1.5", "s", 1.5),
        ("1,5", "s", 1.5),
        (" 1500 ", "ms", 1.5),
        ("1500 ms", "s", 1.5),
        ("0.5", "min", 30.0),
        ("1.5e2", "s", 150.0),
        ("-0.25", "s", -0.25),
        ("01:02:03.250", "s", 3723.25),
        ("02:03,25", "s", 123.25),
        ("00:00:01:500", "ms", 1.5),
    ],
)
def test_times_that_need_no_rate(cell: str, unit: Unit, seconds: float) -> None:
    time = read_time(cell, unit)
    assert time is not None
    assert time.frames is None
    assert time.seconds == pytest.approx(seconds)


@pytest.mark.parametrize("cell", ["", "x", "1e999", "nan", "inf", "1:2:3:4:5", "٣", "1.2.3", "00:00:01:5", "1 h"])
def test_what_is_no_time(cell: str) -> None:
    assert read_time(cell) is None
    assert read_time(cell, "pal") is None


@settings(max_examples=30, deadline=None)
@given(frame=st.integers(0, 40_000), rate=st.sampled_from([(24.0, 24), (25.0, 25), (50.0, 50), (NTSC_RATE, 30)]))
def test_timecode_counts_frames(frame: int, rate: tuple[float, int]) -> None:
    time = read_time(timecode(frame, rate[1]))
    assert time is not None
    assert timecode_seconds(time._replace(rate=rate[0])) == pytest.approx(frame / rate[0], abs=1e-9)


@pytest.mark.parametrize(("nominal", "frames"), [(30, (0, 1799, 1800, 17981, 17982, 36000)), (60, (3599, 3600, 35964))])
def test_drop_frame_timecode_leaves_numbers_out(nominal: int, frames: tuple[int, ...]) -> None:
    for frame in frames:
        time = read_time(timecode(frame, nominal, drop=True, mark=";"))
        assert time is not None
        assert time.drop
        for rate in (nominal * 1000 / 1001, float(nominal)):
            assert timecode_seconds(time._replace(rate=rate)) == pytest.approx(
                frame * 1001 / (nominal * 1000), abs=1e-9
            )
    assert timecode(17982, 30, drop=True) == "00:10:00:00"
    assert timecode(1800, 30, drop=True) == "00:01:00:02"


def test_rates_as_people_write_them() -> None:
    assert timecode_seconds(CodedTime(600.0, 0, rate=29.97)) == pytest.approx(18000 * 1001 / 30000)
    with pytest.raises(OptionsError, match="`frame_rate`"):
        timecode_seconds(CodedTime(1.0, 2))
    with pytest.raises(TableError, match="drop-frame timecode"):
        timecode_seconds(CodedTime(1.0, 2, drop=True, rate=25.0))
    with pytest.raises(TableError, match="frame 25 of a second"):
        timecode_seconds(CodedTime(1.0, 25, rate=25.0))

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from talkedit_sdk.report import REASONS, EditReport


def report(reasons, **options):
    codes = np.array([REASONS.index(reason) for reason in reasons], np.int8)
    strength = (codes == REASONS.index("edited")).astype(np.float32)
    return EditReport(2, (0,), np.arange(len(codes)) / 25, strength, codes, **options)


@given(st.lists(st.sampled_from(REASONS), min_size=1, max_size=40))
def test_stretches_cover_the_clip(reasons):
    told = report(reasons)
    spread = [stretch.reason for stretch in told.stretches for _ in range(stretch.start, stretch.stop)]
    assert spread == reasons
    assert told.stretches[0].start == 0
    assert told.stretches[-1].stop == told.frames == len(reasons)
    pairs = list(zip(told.stretches, told.stretches[1:], strict=False))
    assert all(before.stop == after.start and before.reason != after.reason for before, after in pairs)
    assert all(s.begin == told.times[s.start] and s.end == told.times[s.stop - 1] for s in told.stretches)
    assert told.edited_frames == reasons.count("edited")
    assert [s for s in told.stretches if s not in told.skipped] == [s for s in told.stretches if s.reason == "edited"]


def test_it_reads_well():
    told = report(["no face"] * 5 + ["fading"] * 3 + ["edited"] * 12, notes=("The sound was re-encoded.",))
    assert str(told).splitlines() == [
        "12 of 20 frames edited (face 0; the clip shows 2).",
        "  0.00 to 0.16 s: no face (5 frames)",
        "  0.20 to 0.28 s: fading (3 frames)",
        "The sound was re-encoded.",
    ]

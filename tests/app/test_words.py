from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from talkedit_sdk.app import plots, texts, widgets, words
from talkedit_sdk.app.studio import Step
from talkedit_sdk.clip import Curves
from talkedit_sdk.errors import Cancelled, UnreadableInputError
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX
from talkedit_sdk.report import REASONS, EditReport


def report(*reasons: str) -> EditReport:
    codes = np.array([REASONS.index(reason) for reason in reasons], np.int8)
    return EditReport(1, (0,), np.arange(len(codes)) / 25, (codes == 0).astype(np.float32), codes)


def test_reports_in_words():
    assert "All 3 frames were edited." in words.report(report(*["edited"] * 3))
    assert "The photo was edited." in words.report(report("edited"))
    some = words.report(report("edited", "no face", "no face", "turned away"))
    assert "1 of 4 frames were edited." in some
    assert "0.0 to 0.1 s: nobody to edit was seen." in some
    assert "0.1 to 0.1 s: the face is turned away too far." in some
    assert "No frame was edited." in words.report(report("no face"))
    assert "And 12 more such moments." in words.report(report(*["edited", "no face"] * 20))
    assert set(texts.REASONS) == set(REASONS) - {"edited"}


def test_apologies_name_files_as_the_visitor_does():
    path = Path("/tmp/cache/3f/source.mp4")
    told = words.apology(UnreadableInputError(f"{path} is empty: copy it again."), {path: "my clip.mp4"})
    assert told == "my clip.mp4 is empty: copy it again."
    assert words.apology(Cancelled("whatever"), {}) == texts.CANCELLED
    assert words.apology(ZeroDivisionError("secret"), {}) == texts.UNEXPECTED


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step(None, 0, None), "Rendering …"),
        (Step(None, 12, None), "Rendering: 12 frames"),
        (Step(0.254, 12, None), "Rendering: 25%"),
        (Step(0.5, 12, 7.2), "Rendering: 50%, 8 s left"),
        (Step(0.5, 12, 130), "Rendering: 50%, 2 min 10 s left"),
    ],
)
def test_the_bar(step, text):
    assert widgets.bar_value(step, "Rendering") == {"share": step.share, "text": text}


def curves(count: int) -> Curves:
    before = np.zeros((count, 52), np.float32)
    after = before.copy()
    after[:, [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]] = 0.8
    after[:, INDEX["browInnerUp"]] = 0.2
    after[:, INDEX["jawOpen"]] = 0.4
    return Curves(np.arange(count) / 25, np.arange(count), before, after)


def openings(count: int) -> np.ndarray:
    return np.repeat(np.array([[0.02, 0.05]], np.float32), count, 0)


def test_the_plot_shows_what_changed_most():
    plot = plots.what_changed([curves(900)], [openings(900)])
    assert plot.index("Mouth opening") < plot.index("Mouth smile") < plot.index("Brow inner up")
    assert plot.count("<figure>") == 3
    assert "0.00 → 0.80" in plot
    assert "0.02 → 0.05" in plot
    longest = max(plot.split('points="')[1:], key=len).split('"')[0]
    assert len(longest.split()) == 400
    assert all(name in BLENDSHAPES for name in ("jawOpen", "mouthClose"))


def test_the_plot_of_a_photo_and_of_nothing():
    assert plots.what_changed([curves(1)], [openings(1)]).count("0.0,") >= 3
    assert plots.what_changed([], []) == ""

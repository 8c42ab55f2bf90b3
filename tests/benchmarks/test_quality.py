from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

TALK = Path(__file__).parents[2] / "examples" / "talk.mp4"


def test_a_clip_may_start_later(quality: ModuleType, tmp_path: Path) -> None:
    late = quality._take("some@one/clip.mp4@2.5")
    assert (late.path, late.start, late.name) == (Path("some@one/clip.mp4"), 2.5, "clip@2.5")
    plain = quality._take("some@one/clip.mp4")
    assert (plain.path, plain.start, plain.name) == (Path("some@one/clip.mp4"), 0.0, "clip")
    (tmp_path / "b.mp4").touch()
    (tmp_path / "a.webm").touch()
    (tmp_path / "a.txt").touch()
    chosen = quality.choose_clips([quality.Take(tmp_path, 1.0), plain], None, None, 8)
    assert [take.name for take in chosen] == ["a@1", "b@1", "clip"]


@pytest.fixture(scope="module")
def measured(quality: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[list, list, Path]:
    out = tmp_path_factory.mktemp("quality")
    plan = quality.Plan(("surprised",), (0.8,), (0.5,), 12, None, out)
    rows, moments = quality.Bench(plan).measure(quality.Take(TALK, 0.4))
    return rows, moments, out


def test_the_resampled_source_scores_almost_perfectly(measured: tuple[list, list, Path]) -> None:
    control, _ = measured[0]
    assert control.found == 1
    assert control.drift < 0.3
    for name in ("detail", "sharp_mouth", "sharp_forehead", "warp"):
        assert getattr(control, name) == pytest.approx(1, abs=0.15), name
    for name in ("iris", "iris_tracked", "lip_upper", "lip_lower"):
        assert getattr(control, name) == pytest.approx(1, abs=0.05), name
    assert control.gaze < 0.1
    assert control.identity < 0.5
    assert control.skin < 0.5


def test_an_edit_is_measured_in_full(measured: tuple[list, list, Path]) -> None:
    control, row = measured[0]
    assert (row.clip, row.emotion, row.mouth_weight, row.intensity) == ("talk@0.4", "surprised", 0.5, 0.8)
    assert row.zero == 1
    assert row.untouched == 1
    assert row.linearity > 0.9
    assert row.warp95 >= row.warp > 0.8
    assert row.identity > control.identity
    assert row.drift > control.drift


def test_worst_frames_are_named_and_shown(measured: tuple[list, list, Path], quality: ModuleType) -> None:
    _, moments, out = measured
    fields = [moment.field for moment in moments]
    assert len(fields) == len(set(fields))
    assert {"warp", "sharp_cheeks", "gaze"} <= set(fields)
    assert all(0 <= moment.frame < 12 for moment in moments)
    quality.write_moments(out / "worst.csv", moments)
    assert quality.read_moments(out / "worst.csv") == moments
    quality.write_sheets(out, moments)
    assert np.asarray(Image.open(out / "worst_warp.png")).std() > 10
    worst = next(moment for moment in moments if moment.field == "warp")
    assert f"| warping error | {worst} |" in quality.table(moments)

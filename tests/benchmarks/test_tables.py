from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest


def test_rows_come_back_as_they_were_written(tables: ModuleType, tmp_path: Path) -> None:
    rows = [tables.Row("one", "happy", 1.0, 0.5, 75.0, mouth=0.98), tables.Row("two", "sad", 0.0, 1.0, 75.0, drift=1.5)]
    tables.write_rows(tmp_path / "rows.csv", rows)
    assert [repr(row) for row in tables.read_rows(tmp_path / "rows.csv")] == [repr(row) for row in rows]


def test_the_report_names_the_worst_and_whether_targets_are_reached(tables: ModuleType) -> None:
    rows = [
        tables.Row("good", "happy", 1.0, 1.0, 75.0, mouth=0.99, drift=0.2, drift95=0.3),
        tables.Row("poor", "happy", 1.0, 1.0, 75.0, mouth=0.90, drift=0.4, drift95=0.9),
        tables.Row("poor", "sad", 1.0, 0.5, 75.0, mouth=0.10, drift=9.0),
        tables.Row("good", tables.CONTROL, 0.0, 0.0, 75.0, mouth=0.999),
        tables.Row("poor", tables.CONTROL, 0.0, 0.0, 75.0, mouth=0.997),
    ]
    lines = {line.split(" | ")[0].strip("| "): line for line in tables.report(rows, ["x.mp4: no face"]).splitlines()}
    assert "0.945 (0.900 #2)" in lines["happy"]
    assert "0.60 (0.90 #2)" in lines["happy"]
    assert "**no** | 50% | happy 0.945 | happy on poor 0.900" in lines["mouth corr"]
    assert "yes | 100%" in lines["drift °"]
    assert "0.998 (0.997 #2)" in lines[tables.CONTROL]
    assert "≥ 0.97 | 0.945 | 0.998 |" in lines["mouth corr"]
    assert "- x.mp4: no face" in lines


@pytest.mark.parametrize(("value", "reached"), [(0.94, False), (0.95, True), (1.05, True), (1.06, False)])
def test_a_range_is_a_target(tables: ModuleType, value: float, reached: bool) -> None:
    measure = next(measure for measure in tables.MEASURES if measure.field == "detail")
    assert measure.reached(value) is reached
    assert measure.target == "0.95 to 1.05"


def test_rows_of_an_older_run_can_be_read(tables: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "clip,emotion,mouth_weight,intensity,frames,sharpness,drift\none,happy,1.0,0.5,75.0,0.9,2.5\n", encoding="utf-8"
    )
    (row,) = tables.read_rows(path)
    assert (row.clip, row.drift) == ("one", 2.5)
    assert row.warp != row.warp


def test_before_and_after_go_over_what_both_have(tables: ModuleType) -> None:
    before = [
        tables.Row("one", "happy", 1.0, 0.8, 40.0, iris=1.2, warp=1.1),
        tables.Row("two", "happy", 1.0, 0.8, 40.0, iris=1.4),
        tables.Row("gone", "happy", 1.0, 0.8, 40.0, iris=9.0),
        tables.Row("one", tables.CONTROL, 0.0, 0.0, 40.0, iris=5.0),
    ]
    after = [
        tables.Row("one", "happy", 1.0, 0.8, 40.0, iris=1.1),
        tables.Row("two", "happy", 1.0, 0.8, 40.0, iris=1.0),
        tables.Row("one", tables.CONTROL, 0.0, 0.0, 40.0, iris=5.0),
    ]
    text = tables.comparison(before, after)
    assert "(2 clips, 2 rows)" in text
    assert "| iris | 1.30 | 1.05 | 1.40 happy on two | 1.10 happy on one |" in text
    assert "warping error" not in text


def test_clips_are_listed_with_how_much_of_the_face_is_covered(tables: ModuleType) -> None:
    rows = [
        tables.Row("hand", "happy", 1.0, 0.8, 40.0, edited=0.5, covered=0.2),
        tables.Row("hand", "sad", 1.0, 0.8, 40.0, edited=0.5, covered=0.3),
        tables.Row("free", "sad", 1.0, 0.8, 30.0, edited=1.0),
    ]
    text = tables.report(rows, [])
    assert "| 1. free | 30 | 100% | – |" in text
    assert "| 2. hand | 40 | 50% | 25% |" in text

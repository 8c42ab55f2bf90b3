from __future__ import annotations

from types import ModuleType

import pytest


def test_a_static_face_that_flickers_is_told(comparison: ModuleType) -> None:
    still, moving = comparison.Change(warped=1.0, plain=1.0), comparison.Change(warped=1.0, plain=9.0)
    assert comparison.static_ratio([still] * 5, [still] * 5) == 1
    twice = comparison.Change(warped=1.0, plain=2.25)
    assert comparison.static_ratio([still] * 5, [twice] * 5) == pytest.approx(2)
    assert comparison.static_ratio([still] * 5 + [moving], [still] * 5 + [twice]) == 1


def test_without_rest_there_is_no_static_measure(comparison: ModuleType) -> None:
    moving = comparison.Change(warped=1.0, plain=9.0)
    assert comparison.static_ratio([moving] * 9, [moving] * 9) != comparison.static_ratio([moving] * 9, [moving] * 9)

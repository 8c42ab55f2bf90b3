from __future__ import annotations

from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]


@pytest.fixture(scope="module")
def skin() -> Array:
    """(400, 400, 3) texture of the size of features."""
    noise = np.random.default_rng(5).integers(0, 256, (400, 400, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    return np.asarray(128 + (smooth - smooth.mean()) * 6).clip(0, 255).astype(np.uint8)


def test_a_moving_face_changes_only_plainly(flow: ModuleType, face: Array, skin: Array) -> None:
    moved = np.roll(skin, (2, 3), (0, 1))
    change = flow.change(skin, moved, face, face + np.array([3, 2, 0]))
    assert change.plain > 5
    assert change.warped < 0.1 * change.plain


def test_nothing_changes_in_a_still_picture(flow: ModuleType, face: Array, skin: Array) -> None:
    change = flow.change(skin, skin, face, face)
    assert change.plain == 0
    assert change.warped == pytest.approx(0, abs=1e-3)


def test_flicker_is_not_motion(flow: ModuleType, face: Array, skin: Array) -> None:
    brighter = np.roll(skin, (2, 3), (0, 1)).clip(0, 250) + np.uint8(5)
    steady = flow.change(skin, np.roll(skin, (2, 3), (0, 1)), face, face + np.array([3, 2, 0]))
    flicker = flow.change(skin, brighter, face, face + np.array([3, 2, 0]))
    assert flicker.warped - steady.warped == pytest.approx(5, abs=1)


def test_changes_outside_the_face_do_not_count(flow: ModuleType, face: Array, skin: Array) -> None:
    aside = skin.copy()
    aside[:60], aside[-60:] = 0, 255
    assert flow.change(skin, aside, face, face).plain == 0


def test_a_large_face_is_seen_at_the_same_size(flow: ModuleType, face: Array, skin: Array) -> None:
    brighter = skin.clip(0, 245) + np.uint8(10)
    large = [cv2.resize(picture, None, fx=3, fy=3) for picture in (skin, brighter)]
    small, big = flow.change(skin, brighter, face, face), flow.change(*large, 3 * face, 3 * face)
    assert big.plain == pytest.approx(small.plain, rel=0.05)


def test_a_face_outside_the_picture_has_no_change(flow: ModuleType, face: Array, skin: Array) -> None:
    half = flow.change(skin, skin, face - np.array([200, 0, 0]), face - np.array([200, 0, 0]))
    assert half.plain == 0

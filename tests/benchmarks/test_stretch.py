from __future__ import annotations

from types import ModuleType
from typing import Any, Final

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, IRIS_LEFT, IRIS_RIGHT, LIPS_INNER, LIPS_OUTER

Array = NDArray[Any]

SKIN: Final = (200, 150, 130)
LIPS: Final = (190, 90, 95)
DARK: Final = (40, 20, 20)
TOOTH: Final = np.array([225, 218, 200])


def opened(face: Array, up: float, down: float) -> Array:
    """An open mouth, four times as large as in the face, its upper lip raised and its lower lip dropped by pixels."""
    points = 4 * face - [400, 600, 0]
    middle = points[[78, 308]].mean(0)
    for contour, thick in ((LIPS_INNER, 0.0), (LIPS_OUTER, 14.0)):
        for place, vertex in enumerate(contour):
            arch = np.sin(np.pi * (place % 10) / 10)
            points[vertex, 1] = middle[1] - (up + thick) * arch if place < 10 else middle[1] + (down + thick) * arch
    return points


def mouth(points: Array, upper: tuple[float, float] = (1, 1), lower: float = 1.0, drop: float = 0.0) -> Array:
    """Rows of teeth, scaled in width and height, in front of which are the lips; the lower row dropped by pixels."""
    size = 800
    picture = np.full((size, size, 3), DARK, np.uint8)
    x, y = points[[78, 308]].mean(0)[:2]
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    for (width, height), top, bottom in ((upper, y - 26, y + 4), ((1.0, lower), y + 8 + drop, y + 34 + drop)):
        across, down = (columns - x) / width, ((rows - (top + bottom) / 2) / height) / (bottom - top)
        shade = 1 - 0.5 * np.exp(-(((across + 11) % 22 - 11) ** 2) / 4) - 0.25 * (np.abs(down) * 2) ** 2
        shade -= 0.08 * np.cos(across / 5 + 9 * down)
        row = (np.abs(down) < 0.5) & (np.abs(across) < 88)
        picture[row] = (TOOTH * shade[row][:, None]).clip(0, 255)
    around = np.ones((size, size), np.uint8)
    cv2.fillPoly(around, [points[list(LIPS_INNER), :2].round().astype(np.int32)], 0)
    lips = np.zeros((size, size), np.uint8)
    cv2.fillPoly(lips, [points[list(LIPS_OUTER), :2].round().astype(np.int32)], 1)
    picture[around > 0] = SKIN
    picture[(around > 0) & (lips > 0)] = LIPS
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1))


def test_teeth_that_stay_are_not_stretched_though_the_lips_slide_over_them(stretch: ModuleType, face: Array) -> None:
    before, after = opened(face, 30, 45), opened(face, 18, 60)
    upper, lower = stretch.teeth_stretch(mouth(before), mouth(after), before, after)
    assert upper.width == pytest.approx(1, abs=0.03)
    assert upper.height == pytest.approx(1, abs=0.07)
    assert lower.height == pytest.approx(1, abs=0.07)


@pytest.mark.parametrize(("width", "height"), [(1.0, 1.3), (1.0, 0.8), (1.15, 1.0)])
def test_stretched_upper_teeth_are_told(stretch: ModuleType, face: Array, width: float, height: float) -> None:
    points = opened(face, 45, 50)
    upper, lower = stretch.teeth_stretch(mouth(points), mouth(points, upper=(width, height)), points, points)
    assert upper.width == pytest.approx(width, abs=0.04)
    assert upper.height == pytest.approx(height, abs=0.08)
    assert lower.height == pytest.approx(1, abs=0.05)


def test_lower_teeth_may_follow_the_jaw_but_not_stretch(stretch: ModuleType, face: Array) -> None:
    before, after = opened(face, 35, 50), opened(face, 35, 75)
    _, moved = stretch.teeth_stretch(mouth(before), mouth(after, drop=12), before, after)
    assert moved.height == pytest.approx(1, abs=0.07)
    _, longer = stretch.teeth_stretch(mouth(before), mouth(after, lower=1.3, drop=12), before, after)
    assert longer.height == pytest.approx(1.3, abs=0.1)


def test_where_one_shows_no_teeth_there_is_nothing_to_measure(stretch: ModuleType, face: Array) -> None:
    points, closed = opened(face, 35, 50), opened(face, 0, 0)
    for before, after, landmarks in (
        (mouth(closed), mouth(points), closed),
        (mouth(points), np.full((800, 800, 3), DARK, np.uint8), points),
    ):
        for row in stretch.teeth_stretch(before, after, landmarks, points):
            assert np.isnan(row.height)


def eyes(face: Array, lids: float, iris: float) -> tuple[Array, Array]:
    """Picture and landmarks, with lids opened by a factor and the height of the iris multiplied."""
    points = 4 * face - [400, 500, 0]
    picture = np.full((800, 800, 3), SKIN, np.uint8)
    for eye, ring in ((EYE_RIGHT, IRIS_RIGHT), (EYE_LEFT, IRIS_LEFT)):
        corners = points[[eye[0], eye[8]]]
        centre, width = corners.mean(0), np.linalg.norm(corners[1] - corners[0])
        for place, vertex in enumerate(eye):
            points[vertex, 1] = centre[1] - 0.22 * lids * width * np.sin(2 * np.pi * place / 16)
        points[list(ring)] += centre - points[ring[0]]
        ball = np.full_like(picture, (225, 220, 215))
        where = tuple(centre[:2].round().astype(int).tolist())
        for radius, colour in ((0.2, (70, 60, 50)), (0.09, (15, 15, 15))):
            axes = (round(radius * width), round(radius * width * iris))
            cv2.ellipse(ball, where, axes, 0, 0, 360, colour, -1)
        cv2.circle(ball, (where[0] + 7, round(where[1] - 5 * iris)), 4, (250, 250, 250), -1)
        inside = np.zeros((800, 800), np.uint8)
        cv2.fillPoly(inside, [points[list(eye), :2].round().astype(np.int32)], 1)
        picture[inside > 0] = ball[inside > 0]
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1)), points


@pytest.mark.parametrize("iris", [1.0, 1.2])
def test_an_iris_is_measured_by_its_pixels_wherever_the_lids_are(stretch: ModuleType, face: Array, iris: float) -> None:
    before, source = eyes(face, 1.0, 1.0)
    after, edited = eyes(face, 1.3, iris)
    found = stretch.iris_stretch(before, after, source, edited)
    assert found.height / found.width == pytest.approx(iris, abs=0.06)


def test_a_shut_eye_has_no_iris(stretch: ModuleType, face: Array) -> None:
    before, source = eyes(face, 1.0, 1.0)
    after, edited = eyes(face, 0.1, 1.0)
    assert np.isnan(stretch.iris_stretch(before, after, source, edited).height)

"""Clips of a real face with known landmarks: NASA's public-domain portrait, moved by known similarity transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from talkedit_sdk.face.track import FaceTrack
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.video.types import Frame

FACE = np.array([224.0, 115.0])  # centre of the face in the portrait, which is about 100 pixels wide

Picture = NDArray[np.uint8]
Placer = Callable[..., "tuple[Picture, NDArray[np.float64]]"]


@pytest.fixture(scope="session")
def portrait() -> Picture:
    return data.astronaut()


@pytest.fixture(scope="session")
def tracker() -> FaceMeshTracker:
    return FaceMeshTracker()


@pytest.fixture(scope="session")
def place(portrait: Picture) -> Placer:
    """Puts the head onto a grey canvas, returns the picture and the (2, 3) map from portrait to picture."""

    def place(
        size: tuple[int, int],
        centre: tuple[float, float],
        scale: float = 1.0,
        degrees: float = 0.0,
        onto: Picture | None = None,
        head: Picture = portrait,
    ) -> tuple[Picture, NDArray[np.float64]]:
        matrix = cv2.getRotationMatrix2D((float(FACE[0]), float(FACE[1])), -degrees, scale)
        matrix[:, 2] += np.array(centre) - FACE
        canvas = np.full((*size, 3), 128, np.uint8) if onto is None else onto.copy()
        mask = np.zeros(head.shape[:2], np.uint8)
        cv2.ellipse(mask, (224, 125), (95, 125), 0, 0, 360, 255, -1)
        source, warp = head, matrix
        if scale < 0.5:  # warpAffine does not average: shrink first
            source = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            warp = matrix / (scale, scale, 1)
            warp[:, 2] += warp[:, :2] @ np.full(2, 0.5 - 0.5 * scale)
        warped = cv2.warpAffine(source, warp, size[::-1], flags=cv2.INTER_CUBIC)
        inside = cv2.warpAffine(mask, matrix, size[::-1], flags=cv2.INTER_LINEAR) > 127
        canvas[inside] = warped[inside]
        return canvas, matrix

    return place


@pytest.fixture(scope="session")
def reference(portrait: Picture, tracker: FaceMeshTracker) -> NDArray[np.float32]:
    """(478, 3) landmarks of the portrait, found at twice its size."""
    doubled = cv2.resize(portrait[:260, 60:400], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    (face,) = tracker.track(clip([doubled])).faces
    points = face.landmarks[0].copy()
    points[:, :2] = (points[:, :2] + 0.5) / 2 - 0.5 + (60, 0)
    points[:, 2] /= 2
    return points


def clip(pictures: Iterable[Picture], fps: float = 25.0) -> Iterator[Frame]:
    for index, picture in enumerate(pictures):
        yield Frame(index, index / fps, picture)


@pytest.fixture(scope="session")
def as_clip() -> Callable[..., Iterator[Frame]]:
    return clip


@pytest.fixture(scope="session")
def error(reference: NDArray[np.float32]) -> Callable[[FaceTrack, int, NDArray[np.float64]], float]:
    """Mean distance between found and expected landmarks of one row, relative to the width of the face."""

    def error(face: FaceTrack, row: int, matrix: NDArray[np.float64]) -> float:
        expected = reference[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        distance = np.linalg.norm(face.landmarks[row, :, :2] - expected, axis=1).mean()
        return float(distance / np.ptp(expected[:, 0]))

    return error

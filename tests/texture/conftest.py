"""A talking face, and hands and things to hold in front of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.track import Tracking
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.texture.occlusion import OcclusionFinder
from talkedit_sdk.texture.uv import TexelMap
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import Frame

FPS = 25
SKIN = (205, 150, 120)

# An open right hand seen from its back, wrist at the origin, in lengths of the palm; order of `HAND_POINTS`.
HAND = np.array([
    (0, 0), (-0.35, -0.2), (-0.6, -0.5), (-0.78, -0.75), (-0.9, -1.0),
    (-0.35, -1.0), (-0.42, -1.4), (-0.45, -1.65), (-0.47, -1.88), (-0.08, -1.05), (-0.08, -1.5), (-0.08, -1.8),
    (-0.08, -2.05), (0.18, -1.0), (0.23, -1.4), (0.26, -1.68), (0.28, -1.9), (0.42, -0.88), (0.52, -1.18),
    (0.57, -1.38), (0.61, -1.56),
])  # fmt: skip


@pytest.fixture(scope="session")
def texels(model: FaceModel) -> TexelMap:
    return TexelMap(model)


@pytest.fixture(scope="session")
def finder(model: FaceModel, texels: TexelMap) -> OcclusionFinder:
    return OcclusionFinder(model, texels)


@pytest.fixture(scope="session")
def surface_tracker(texels: TexelMap) -> FaceMeshTracker:
    return FaceMeshTracker(texels)


@pytest.fixture(scope="session")
def talk() -> list[np.ndarray]:
    """75 frames (640, 640, 3) of the example."""
    path = Path(__file__).parents[2] / "examples" / "talk.mp4"
    return [frame.rgb for frame in islice(open_source(path).frames(), 75)]


@pytest.fixture(scope="session")
def follow(surface_tracker: FaceMeshTracker) -> Callable[[Iterable[np.ndarray]], Tracking]:
    def follow(pictures: Iterable[np.ndarray]) -> Tracking:
        return surface_tracker.track(Frame(index, index / FPS, rgb) for index, rgb in enumerate(pictures))

    return follow


@pytest.fixture(scope="session")
def talked(follow: Callable[[Iterable[np.ndarray]], Tracking], talk: list[np.ndarray]) -> Tracking:
    return follow(talk)


@pytest.fixture(scope="session")
def paint_hand() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Paints a hand onto a picture: its wrist at (x, y), the palm so many pixels long, turned clockwise. Returns the
    picture and landmarks (21, 2)."""

    def paint(
        picture: np.ndarray, wrist: tuple[float, float], palm: float, angle: float
    ) -> tuple[np.ndarray, np.ndarray]:
        c, s = np.cos(angle), np.sin(angle)
        points = palm * HAND @ np.array([[c, s], [-s, c]]) + wrist
        result = picture.astype(np.float32)
        elbow = points[0] - 0.9 * (points[9] - points[0])
        fingers = [
            points[[0, *range(root, root + 4)]] if root == 1 else points[root : root + 4] for root in (17, 13, 9, 5, 1)
        ]
        for line, width in [(np.stack([points[0], elbow]), 0.55), *((finger, 0.28) for finger in fingers)]:
            mask = np.zeros(picture.shape[:2], np.uint8)
            for start, end in itertools.pairwise(np.round(line).astype(int).tolist()):
                cv2.line(mask, start, end, 1, round(palm * width))
            if width > 0.5:
                outline = np.round(points[[0, 1, 5, 9, 13, 17]]).astype(np.int32)
                cv2.fillConvexPoly(mask, cv2.convexHull(outline), 1)
            shade = 0.6 + 0.4 * (cv2.distanceTransform(mask, cv2.DIST_L2, 5) / (0.12 * palm)).clip(0, 1) ** 0.5
            edge = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1)[..., None]
            result += edge * (shade[..., None] * SKIN - result)
        return result.clip(0, 255).astype(np.uint8), points

    return paint

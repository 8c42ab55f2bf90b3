"""The portrait behind the example: cut out and enlarged, and moved as a head moves while it talks."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

CROP: Final = (111, 2, 228)
"""Left, top and side of the square around head and shoulders in `skimage.data.astronaut()`, pixels."""

_ROUNDS: Final = 5
_BLUR: Final = 0.40  # source pixels; what the camera and the scan did to an edge
_REACH: Final = 0.95  # half width of the head, hair included, in heights of the face
_GRAIN: Final = 0.9  # levels


def enlarge(picture: NDArray[np.uint8], crop: tuple[int, int, int], side: int) -> NDArray[np.uint8]:
    """(H, W, 3) -> (side, side, 3), sharper than interpolation alone.

    Iterative back-projection: Irani & Peleg, *Improving resolution by image registration*, CVGIP 1991, with one image.
    """
    left, top, length = crop
    small = picture[top : top + length, left : left + length].astype(np.float32)
    scale = side / length
    large = cv2.resize(small, (side, side), interpolation=cv2.INTER_LANCZOS4).astype(np.float32)
    for _ in range(_ROUNDS):
        seen = cv2.GaussianBlur(large, (0, 0), _BLUR * scale)
        unseen = small - cv2.resize(seen, (length, length), interpolation=cv2.INTER_AREA)
        missing = cv2.resize(unseen, (side, side), interpolation=cv2.INTER_CUBIC)
        large += 0.7 * cv2.GaussianBlur(missing, (0, 0), 0.25 * scale).astype(np.float32)
    return np.clip(large + 0.5, 0, 255).astype(np.uint8)


class HeadMotion:
    """Turns, tilts and shifts the head in front of a still background by warping the picture smoothly.

    A turn moves what is near the camera further than what is far: the depth of the head is a smooth bump.

    Args:
        times: (T,) seconds.
        nods: seconds at which the head nods, as on stressed words.
        landmarks: (478, 3) of the face at rest, pixels.
        seed: of the slow wandering.
    """

    def __init__(
        self, times: NDArray[np.float64], nods: tuple[float, ...], landmarks: NDArray[np.float32], seed: int
    ) -> None:
        random = np.random.default_rng(seed)
        self._yaw, self._pitch, self._roll, self._sideways = (
            size * _wander(times, random) for size in (0.070, 0.030, 0.030, 0.020)
        )
        for nod in nods:
            self._pitch += 0.035 * np.exp(-0.5 * ((times - nod) / 0.13) ** 2)
        self._breath = 0.006 * np.sin(2 * np.pi * times / 3.6)
        forehead, chin = landmarks[10, :2], landmarks[152, :2]
        self._centre, self._height = (forehead + chin) / 2, float(np.linalg.norm(chin - forehead))
        self._random = random

    def move(self, picture: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """The picture (H, W, 3) at time `index`, with a little film grain."""
        rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
        x, y = (columns - self._centre[0]) / self._height, (rows - self._centre[1]) / self._height
        radius = np.hypot(x, np.where(y < 0, 0.85 * y, y)) / _REACH
        depth = 0.55 * np.exp(-1.6 * radius**2)
        body = _smoothstep((y - 0.35) / 0.55)
        head = (1 - _smoothstep((radius - 0.75) / 0.85)) * (1 - body)
        roll, below = self._roll[index], 1.0 - y  # tilts about the base of the neck
        right = head * (roll * below + self._sideways[index]) + depth * self._yaw[index]
        down = head * roll * x + depth * self._pitch[index] + body * self._breath[index]
        moved = cv2.remap(
            picture,
            (columns - self._height * right).astype(np.float32),
            (rows - self._height * down).astype(np.float32),
            cv2.INTER_LANCZOS4,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        noise = self._random.normal(size=picture.shape[:2]).astype(np.float32)
        grain = cv2.GaussianBlur(noise, (0, 0), 0.7).astype(np.float32)
        grain *= _GRAIN / grain.std()
        return np.clip(moved + grain[..., None] + 0.5, 0, 255).astype(np.uint8)


def _wander(times: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """(T,) a slow smooth random curve of about unit height."""
    periods = np.array([4.3, 2.6, 1.7])
    phases = random.uniform(0, 2 * np.pi, len(periods))
    shares = np.array([0.6, 0.35, 0.15])
    curve: NDArray[np.float64] = (shares * np.sin(2 * np.pi * times[:, None] / periods + phases)).sum(1)
    return curve


def _smoothstep(t: NDArray[np.float32]) -> NDArray[np.float32]:
    t = np.clip(t, 0, 1)
    smooth: NDArray[np.float32] = t * t * (3 - 2 * t)
    return smooth

"""How the head of a photo moves while it speaks: when, and what the picture looks like then.

A photo has no other side to show, so the motion stays small: the head tilts and nods about the neck, and what is nearer
to the camera moves more, which the eye takes for a turn. Shoulders and background keep still.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.topology import CHIN, FOREHEAD, OVAL, VERTICES
from talkedit_sdk.speech.easing import eased
from talkedit_sdk.speech.prosody import Prosody
from talkedit_sdk.speech.types import RATE

MAX_HEAD: Final = 2.0

# x, y (face heights), roll, yaw, pitch (radians), nearness (share): standard deviation of each
_SIZES: Final = np.array([0.007, 0.005, 0.012, 0.045, 0.035, 0.004])
_NOD: Final = np.array([0.0, 0.008, 0.0, 0.0, 0.055, 0.003])  # of an accent
_TILT: Final = 0.008  # radians of an accent, to either side
_SLOW, _QUICK = 0.9, 0.22  # seconds; the quick ones end at 1.5 Hz
_MOST: Final = 2.0  # standard deviations
_NOD_WIDTH: Final = 0.12  # seconds
_NOD_DELAY: Final = 0.04
_PAUSES: Final = 0.25  # of the motion that is left when nobody speaks

_HEAD: Final = (0.72, 0.74)  # half axes of a head with hair, in widths and heights of the face
_ABOVE: Final = 0.10  # face heights by which its middle lies above that of the face
_FADE: Final = (0.95, 2.1)  # half axes from where the motion fades, and to where
_DOME: Final = (0.55, 1.6)  # the same of what is near to the camera
_NECK: Final = 0.25  # face heights of the pivot under the chin
_EDGE: Final = 0.16  # face heights from the edge of the picture in which motion dies away
_BLUR: Final = 0.07  # face heights over which depth is smooth
_GRID: Final = 72


def sway(prosody: Prosody, times: NDArray[np.float64], amplitude: float, seed: int) -> NDArray[np.float32]:
    """(T, 6) how the head has moved at (T,) times: right, down (face heights), roll clockwise, yaw to the right, pitch
    down (radians), nearer (share)."""
    chance = np.random.default_rng((seed, 0))
    count = int(np.ceil((times[-1] if len(times) else 0) * RATE)) + 2
    slow, quick = (_noise(chance, count, sigma) for sigma in (_SLOW, _QUICK))
    clock = np.arange(count) / RATE
    active = prosody.active(clock)[:, None]
    motion = (_PAUSES + (1 - _PAUSES) * active) * (0.8 * slow + 0.45 * active * quick) * _SIZES
    strength = prosody.weights * chance.uniform(0.2, 1, len(prosody.weights))
    side = chance.choice([-1.0, 1.0], len(strength))
    motion += prosody.nods(clock - _NOD_DELAY, strength, _NOD_WIDTH)[:, None] * _NOD
    motion[:, 2] += _TILT * prosody.nods(clock - _NOD_DELAY, strength * side, 2 * _NOD_WIDTH)
    return np.stack([np.interp(times, clock, column) for column in amplitude * motion.T], 1).astype(np.float32)


class HeadWarp:
    """Moves the head of a photo.

    Args:
        landmarks: (478, 3) of the face, pixels.
        size: height and width of the photo.
    """

    def __init__(self, landmarks: NDArray[np.float32], size: tuple[int, int]) -> None:
        face = landmarks[:VERTICES].astype(np.float64)
        up = face[FOREHEAD, :2] - face[CHIN, :2]
        self._height = float(np.linalg.norm(up))
        up /= self._height
        outline = face[list(OVAL), :2]
        right = np.array([-up[1], up[0]])
        width = float(np.ptp(outline @ right))
        centre = (face[FOREHEAD, :2] + face[CHIN, :2]) / 2 + _ABOVE * self._height * up
        axes = np.array([_HEAD[0] * width, _HEAD[1] * self._height])
        reach = _FADE[1] * axes.max() + 1
        self._pivot = (face[CHIN, :2] - _NECK * self._height * up).astype(np.float32)
        limits = size[1], size[0]
        low = [max(0, int(np.floor(c - reach))) for c in centre]
        high = [min(n, int(np.ceil(c + reach)) + 1) for c, n in zip(centre, limits, strict=True)]
        self._left, self._top = low
        self._area = slice(low[1], high[1]), slice(low[0], high[0])
        self._x, self._y = np.meshgrid(*(np.arange(a, b, dtype=np.float32) for a, b in zip(low, high, strict=True)))
        across = ((self._x - centre[0]) * right[0] + (self._y - centre[1]) * right[1]) / axes[0]
        along = ((self._x - centre[0]) * up[0] + (self._y - centre[1]) * up[1]) / axes[1]
        away = np.sqrt(across**2 + along**2)
        inside = np.minimum(np.minimum(self._x, size[1] - 1 - self._x), np.minimum(self._y, size[0] - 1 - self._y)) / (
            _EDGE * self._height
        )
        free = eased(inside)
        self._weight = (free * eased(away, _FADE[1], _FADE[0])).astype(np.float32)
        self._depth = (free * eased(away, _DOME[1], _DOME[0]) * self._relief(face)).astype(np.float32)

    def draw(self, rgb: NDArray[np.uint8], motion: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(H, W, 3) photo -> the same with the head moved as a row of `sway` says, sampled once; the very same without
        any motion."""
        if not motion.any():
            return rgb
        right, down = self._shift(motion, self._x, self._y, self._weight, self._depth)
        moved = rgb.copy()
        moved[self._area] = cv2.remap(
            rgb, self._x - right, self._y - down, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE
        )
        return moved

    def move(self, landmarks: NDArray[np.float32], motion: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 3) points of the photo -> (N, 3) where they are after `draw`."""
        moved = landmarks.copy()
        for _ in range(4):  # the shift is given where things come to lie
            x, y = np.ascontiguousarray(moved[:, 0]), np.ascontiguousarray(moved[:, 1])
            place = (x - self._left, y - self._top)
            weight, depth = (
                np.asarray(cv2.remap(part, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0], np.float32)
                for part in (self._weight, self._depth)
            )
            right, down = self._shift(motion, x, y, weight, depth)
            moved[:, 0], moved[:, 1] = landmarks[:, 0] + right, landmarks[:, 1] + down
        return moved

    def _shift(
        self,
        motion: NDArray[np.float32],
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        weight: NDArray[np.float32],
        depth: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pixels to the right and down by which what is now at (x, y) has moved."""
        aside, below, roll, yaw, pitch, nearer = motion.tolist()
        from_x, from_y = self._pivot.tolist()
        right = weight * (nearer * x - roll * y + (aside * self._height - nearer * from_x + roll * from_y))
        down = weight * (roll * x + nearer * y + (below * self._height - roll * from_x - nearer * from_y))
        return right + yaw * depth, down + pitch * depth

    def _relief(self, face: NDArray[np.float64]) -> NDArray[np.float32]:
        """How far in front of the ears everything lies, pixels, smooth and going on beyond the face."""
        near = np.clip(np.quantile(face[list(OVAL), 2], 0.9) - face[:, 2], 0, None)
        height, width = self._x.shape
        x, y = (np.linspace(0, n - 1, _GRID) + start for n, start in ((width, self._left), (height, self._top)))
        squared = (x[None, :, None] - face[:, 0]) ** 2 + (y[:, None, None] - face[:, 1]) ** 2
        nearest = squared.min(-1, keepdims=True)
        share = np.exp(-0.5 * (squared - nearest) / (_BLUR * self._height) ** 2)
        relief = (share @ near) / share.sum(-1)
        return np.asarray(cv2.resize(relief.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC))


def _noise(chance: np.random.Generator, count: int, sigma: float) -> NDArray[np.float64]:
    """(count, 6) smooth noise at `RATE` of deviation 1, never beyond `_MOST`."""
    reach = int(4 * sigma * RATE)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (sigma * RATE)) ** 2)
    white = chance.standard_normal((count + 2 * reach, len(_SIZES)))
    smooth = np.stack([np.convolve(column, kernel, mode="valid") for column in white.T], 1)
    return np.asarray(_MOST * np.tanh(smooth / np.sqrt(np.square(kernel).sum()) / _MOST))

"""Which part of each frame a tile shows: the face, large and calm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from talkedit_sdk.clip import Clip
from talkedit_sdk.face.smooth import gaussian_mean

_AROUND: Final = 1.65
"""Height of a tile in heights of the face, as far as the frame reaches."""

_CLOSEST: Final = 1.3
"""The same where a frame is narrow: rather a narrower tile than a chin cut off."""

NARROWEST: Final = 0.8
WIDEST: Final = 1.5
"""Aspects between which a face looks well framed."""

_LIFT: Final = 0.08
"""The middle of a tile lies above that of the landmarks, which end below the hair; heights of the face."""

_CALM: Final = 0.9
"""Seconds over which the camera's motion is averaged."""


@dataclass(frozen=True)
class Region:
    """Where the face is in each frame. `faces` is (T, 3): centre x, y and height, pixels; `size` (width, height)."""

    size: tuple[int, int]
    faces: NDArray[np.float32]

    @classmethod
    def of(cls, clip: Clip, index: int) -> Region:
        """Of one face of a clip, where it is not seen that of the nearest frame."""
        track, times = clip.tracking.faces[index], clip.tracking.times
        points = np.asarray(track.landmarks[:, :, :2], np.float32)
        low, high = points.min(1), points.max(1)
        rows = np.concatenate([(low + high) / 2, (high - low)[:, 1:]], 1)
        seen = torch.from_numpy(times[track.frames]), torch.from_numpy(np.array(track.segments))
        calm = gaussian_mean(torch.from_numpy(rows), *seen, sigma=_CALM).numpy()
        nearest = np.abs(np.arange(len(times))[:, None] - track.frames).argmin(1)
        height, width = clip.tracking.size
        return cls((width, height), calm[nearest])

    def widest(self) -> float:
        """The aspect (width / height) of the widest tile into which a face fits."""
        return self.size[0] / min(self.size[1], _CLOSEST * float(np.median(self.faces[:, 2])))

    def face(self, rgb: NDArray[np.uint8], index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The face in frame `index`, drawn at `size` (width, height)."""
        x, y, height = self.faces[index]
        return self._cut(rgb, x, y - _LIFT * height, _AROUND * height, size)

    def whole(self, rgb: NDArray[np.uint8], index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """As much of frame `index` as fits into `size`, with the face in it."""
        x, y, _ = self.faces[index]
        return self._cut(rgb, x, y, float("inf"), size)

    def _cut(
        self, rgb: NDArray[np.uint8], x: float, y: float, height: float, size: tuple[int, int]
    ) -> NDArray[np.uint8]:
        aspect = size[0] / size[1]
        height = min(height, self.size[1], self.size[0] / aspect)
        half = np.array([height * aspect, height]) / 2
        centre = np.clip((x, y), half, np.array(self.size) - half)
        scale = size[1] / height
        if scale < 0.5:  # a shrunk picture is averaged first, on a grid that does not move
            step = (round(2 * scale * self.size[0]), round(2 * scale * self.size[1]))
            rgb = np.asarray(cv2.resize(rgb, step, interpolation=cv2.INTER_AREA), np.uint8)
        across, down = rgb.shape[1] / self.size[0], rgb.shape[0] / self.size[1]
        matrix = np.array(
            [[scale / across, 0, size[0] / 2 - scale * centre[0]], [0, scale / down, size[1] / 2 - scale * centre[1]]]
        )
        matrix[:, 2] += 0.5 * np.array([scale / across - 1, scale / down - 1])  # pixels are where their centres are
        how = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
        picture = cv2.warpAffine(rgb, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(picture, np.uint8)

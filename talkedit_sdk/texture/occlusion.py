"""What is in front of the face (hands, hair, microphones), and where the edit keeps off because of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import max_pool2d

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import gaussian_mean, smoothstep
from talkedit_sdk.face.topology import (
    BROW_LEFT,
    BROW_RIGHT,
    EYE_LEFT,
    EYE_RIGHT,
    LIPS_INNER,
    LIPS_OUTER,
    VERTICES,
)
from talkedit_sdk.face.track import FaceTrack
from talkedit_sdk.texture.appearance import FEWEST_FRAMES, Appearance
from talkedit_sdk.texture.hands import hand_cover
from talkedit_sdk.texture.stains import find_stains
from talkedit_sdk.texture.uv import TexelMap

_CHUNK: Final = 128
_SAMPLE: Final = 200  # frames from which an appearance is learnt
_FACING: Final = (0.30, 0.50)  # cosine; seen too flatly below the first, well above the second
_NEAR, _FAR = 0.03, 0.18  # face heights from what is covered: no edit, full edit
_PART: Final = (0.04, 0.15)  # covered share at which a part of the face begins to be held, and is held
_SIGMA: Final = 0.07  # seconds
_AHEAD: Final = 3 * _SIGMA  # the edit is gone before the hand is there
_LIDS = 0.06  # face heights around the eyes in which lids unfold
_CHIN: Final = (18, 200, 199, 175, 152, 148, 377)
_LIPS: Final = (*LIPS_OUTER, *LIPS_INNER)
_PARTS: Final = ((_LIPS, (*_LIPS, *_CHIN)), *((part, part) for part in (EYE_RIGHT + BROW_RIGHT, EYE_LEFT + BROW_LEFT)))
"""What is held as a whole: vertices that tell whether it is covered, and vertices that are held."""


@dataclass(frozen=True)
class Occlusion:
    """What is in front of one face in N frames.

    Members:
        keep: (N, 468) in [0, 1], share of an edit's motion that remains at each vertex; smooth in space and time.
        covered: (N,) share of the visible face that something is in front of.
    """

    keep: Tensor
    covered: NDArray[np.float32]


@dataclass(frozen=True)
class _Cover:
    """One frame: S texels in [0, 1]."""

    row: int
    hidden: Tensor
    visible: Tensor


class OcclusionFinder:
    """Finds what is in front of faces.

    Hands are recognised in every frame. Anything else is noticed where a face looks unlike itself, if it is seen in 10
    frames or more: what is there all the time, such as a fringe or a headset, counts as face.
    """

    def __init__(self, model: FaceModel, texels: TexelMap) -> None:
        self._texels, self._device = texels, model.device
        self._inside = torch.from_numpy(texels.inside)
        self._places = torch.nonzero(self._inside).flip(1) / (texels.side - 1) * 2 - 1
        mean = model.mean.cpu()
        places = torch.from_numpy(texels.spread(mean.numpy()))
        height = float(mean[:, 1].max() - mean[:, 1].min())
        self._reach = 1 - smoothstep(torch.cdist(mean, places) / height, _NEAR, _FAR)  # (468, S)
        self._parts = [
            (torch.cdist(places, mean[list(seen)]).amin(1) < _NEAR * height, self._near(mean, held, height))
            for seen, held in _PARTS
        ]
        self._steady = torch.cdist(places, mean[list(EYE_RIGHT + EYE_LEFT)]).amin(1) > _LIDS * height
        # The outermost texels show background as soon as the landmarks tremble; those at the openings do not.
        outer = cv2.connectedComponents((~texels.inside).astype(np.uint8))[1]
        self._rim = torch.from_numpy(outer == outer[0, 0])

    def find(self, track: FaceTrack, times: NDArray[np.float64], size: tuple[int, int]) -> Occlusion:
        """track: a face in N frames; without textures and hands everything is kept. times: (N,) seconds. size: height
        and width of the frames."""
        count = len(track.frames)
        covered = np.zeros(count, np.float32)
        held = {}
        for cover in self._covers(track, size):
            covered[cover.row] = float((cover.hidden * cover.visible).sum() / cover.visible.sum().clamp_min(1))
            held[cover.row] = self._held(cover)
        keep = torch.ones(1, 1).expand(count, VERTICES)
        if held:
            keep = keep.clone()
            keep[list(held)] = 1 - torch.stack(list(held.values()))
            keep = _settled(keep, torch.from_numpy(times), torch.from_numpy(np.array(track.segments)))
        return Occlusion(keep.to(self._device), covered)

    def _covers(self, track: FaceTrack, size: tuple[int, int]) -> Iterator[_Cover]:
        """The frames in which something is in front of the face."""
        if track.textures is None or track.hands is None:
            return
        count = len(track.frames)
        appearance = None
        if count >= FEWEST_FRAMES:
            sample = np.unique(np.linspace(0, count - 1, _SAMPLE).astype(np.int64))
            colours, visible, hands = self._read(track, sample, size)
            appearance = Appearance.learn(colours, visible * (1 - hands), self._places)
        for start in range(0, count, _CHUNK):
            first, stop = max(0, start - 1), min(start + _CHUNK, count)
            colours, visible, hidden = self._read(track, np.arange(first, min(stop + 1, count)), size)
            if appearance is not None:
                strange = appearance.strangeness(colours, visible * (1 - hidden))
                hidden = torch.maximum(hidden, find_stains(strange, visible, self._steady, self._inside))
            for row in range(start, stop):
                if bool(hidden[row - first].any()):
                    yield _Cover(row, hidden[row - first], visible[row - first])

    def _read(self, track: FaceTrack, rows: NDArray[np.int64], size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """Colours (T, S, 3) uint8, visibility (T, S) and cover by hands (T, S)."""
        assert track.textures is not None
        assert track.hands is not None
        landmarks = np.array(track.landmarks[rows])
        positions = self._texels.spread(landmarks[:, :VERTICES, :2])
        within = ((positions >= 0) & (positions <= np.array(size)[::-1] - 1)).all(-1)
        facing = smoothstep(torch.from_numpy(self._texels.facing(landmarks)), *_FACING) * torch.from_numpy(within)
        maps = torch.where(self._rim, 0.0, 1.0).repeat(len(rows), 1, 1)
        maps[:, self._inside] = facing
        visible = -max_pool2d(-maps, 3, 1, 1)[:, self._inside]
        hands = np.stack([hand_cover(*frame) for frame in zip(positions, landmarks, track.hands[rows], strict=True)])
        colours = track.textures[rows][:, self._texels.inside]
        return torch.from_numpy(colours), visible, torch.from_numpy(hands)

    def _held(self, cover: _Cover) -> Tensor:
        """(468,) how firmly each vertex is held in place."""
        held = (self._reach * cover.hidden).amax(1)
        for texels, vertices in self._parts:
            seen = cover.visible[texels]
            share = (cover.hidden[texels] * seen).sum() / seen.sum().clamp_min(1)
            held = torch.maximum(held, smoothstep(share, *_PART) * vertices)
        return held

    @staticmethod
    def _near(mean: Tensor, vertices: tuple[int, ...], height: float) -> Tensor:
        """(468,) 1 at some vertices, falling to 0 around them."""
        return 1 - smoothstep(torch.cdist(mean, mean[list(vertices)]).amin(1) / height, _NEAR, _FAR)


def _settled(keep: Tensor, times: Tensor, segments: Tensor) -> Tensor:
    """(T, 468): smooth in time, and nowhere above what it was."""
    lowest = keep.clone()
    for shift in range(1, len(keep)):
        gap = times[shift:] - times[:-shift]
        if float(gap.min()) > _AHEAD:
            break
        apart = ((gap > _AHEAD) | (segments[shift:] != segments[:-shift])).to(keep.dtype)[:, None]
        lowest[shift:] = torch.minimum(lowest[shift:], torch.maximum(keep[:-shift], apart))
        lowest[:-shift] = torch.minimum(lowest[:-shift], torch.maximum(keep[shift:], apart))
    return torch.minimum(gaussian_mean(lowest, times, segments, _SIGMA), keep)

"""Other views of a mouth, hung behind the lips of a frame that opens further than it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.mouths import hollowness
from talkedit_sdk.face.pose import align
from talkedit_sdk.face.smooth import gaussian_mean, smoothstep
from talkedit_sdk.face.topology import CHIN, LIP_PAIRS, MOUTH_CORNERS, OUTER_EYE_CORNERS
from talkedit_sdk.face.track import FaceTrack, MouthView
from talkedit_sdk.render.canvas import Canvas, Window
from talkedit_sdk.render.interior import Interior, Look
from talkedit_sdk.render.nobody import Nobody

STILL: Final = (
    168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 64, 294, 33, 133, 362, 263, 127, 356, 162, 389, 21, 251, 54, 284, 234, 454,
)  # fmt: skip
"""Vertices over bone and the nose, by which the skulls of two pictures are laid over each other."""

SKIN: Final = (
    57, 287, 43, 273, 106, 335, 182, 406, 83, 313, 18, 200, 164, 167, 393, 165, 391, 92, 322, 186, 410, 202, 422, 204,
    424, 194, 418, 201, 421,
)  # fmt: skip
"""Vertices around the lips."""

_GAIN: Final = (0.3, 3.0)  # of a view's colours
_NARROW: Final = 6.0  # cost of a view that is less open than wanted, per unit of openness
_WIDE: Final = 0.25  # more open
_HOLLOW: Final = (0.10, 0.35)  # share of a mouth that is dark: of clenched teeth, and of teeth that part
_CLENCHED: Final = 0.3  # cost of clenched teeth
_TURNED: Final = 1.0  # per sine of the difference in yaw
_STRETCHED: Final = 0.25  # per difference in width
_RESIZED: Final = 0.1  # per factor of e in size
PARTED: Final = 0.92  # where teeth part in a mouth that nobody looked into
_CALM: Final = 3.0  # frames over which the parting is averaged
_STRANGER_MATCHED: Final = 0.6
"""Power of the gain for colours of somebody else: part of the difference is complexion, which teeth do not have."""
_STRANGE: Final = 0.2  # of a view that shows somebody else


@dataclass(frozen=True)
class Behind:
    """What is known of the mouths of a batch of frames beyond the frames themselves.

    Members:
        parting: (T, 5) where the teeth part in the frame, see `MouthView`.
        gallery, chosen: the views, and (T,) which of them is hung behind the lips.
        matrix, offset: (T, 2, 2) and (T, 2), from pixels of the frame to pixels of the view.
        skin: (T, K, 2) pixels of the frame around the lips, by which colours are matched.
        scale: (T,) pixels of the view per pixel of the frame.
        instead: (T,) share by which the view is seen even where the frame shows enough.
    """

    parting: Tensor
    gallery: Gallery
    chosen: Tensor
    matrix: Tensor
    offset: Tensor
    skin: Tensor
    scale: Tensor
    instead: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Behind:
        names = ("parting", "chosen", "matrix", "offset", "skin", "scale", "instead")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def look(self, points: Tensor, chin: Tensor) -> Look:
        """What the view shows at points (T, R, C, 2) with the chin at (T, 2), pixels of the frame; the answer is in
        pixels of the view. Sideways its lower teeth follow the chin, up and down all of them the lips, so that nothing
        is missing between those."""
        inside = torch.einsum("tij,trcj->trci", self.matrix, points) + self.offset[:, None, None]
        jaw = torch.einsum("tij,tj->ti", self.matrix, chin) + self.offset - self.gallery.chins[self.chosen]
        interior = self.gallery.interiors[self.chosen]
        along, down = interior.axes.unbind(1)
        lifted, dropped = interior.uncovered(inside)
        lift = lifted.clamp_min(0)
        aside = torch.einsum("tj,tj->t", along, jaw)
        jaw = aside[:, None] * along + (dropped + lift)[:, None] * down
        return interior.look(inside + (lift[:, None] * down)[:, None, None], jaw)

    def sample(self, canvas: Canvas, shift: Tensor, window: Window) -> Tensor:
        """(B, h, w, 3) float32 levels of the view, in the light of the frame."""
        colour = Canvas(self.gallery.pictures[self.chosen], None).sample(shift, window).float()
        gain = _colour_at(canvas.frames, self.skin) / self.gallery.skin[self.chosen].clamp_min(1)
        matched = gain.clamp(*_GAIN) ** self.gallery.matching[self.chosen, None]
        return colour * matched[:, None, None]


class Gallery:
    """Views into one mouth.

    Args:
        own: of the person.
        others: (together V, at least one) views that fit the person's face but show nobody.
        device: of all tensors.
    """

    def __init__(self, own: Sequence[MouthView], others: Sequence[MouthView], device: torch.device) -> None:
        views = [*own, *others]
        height, width = (max(view.rgb.shape[axis] for view in views) for axis in (0, 1))
        self.pictures = torch.zeros(len(views), height, width, 3, dtype=torch.uint8, device=device)
        for picture, view in zip(self.pictures, views, strict=True):
            rgb = torch.from_numpy(view.rgb.copy()).to(device)
            picture[: rgb.shape[0], : rgb.shape[1]] = rgb
        self.landmarks = torch.stack([torch.from_numpy(view.landmarks.copy()) for view in views]).to(device)
        partings = torch.stack([torch.from_numpy(view.parting.copy()) for view in views]).to(device)
        self.interiors = Interior.of(self.landmarks, partings)
        self.chins = self.landmarks[:, CHIN, :2]
        self.skin = _colour_at(self.pictures, self.landmarks[:, list(SKIN), :2])
        self._strange = torch.tensor([False] * len(own) + [True] * len(others), device=device)
        hollow = torch.tensor([hollowness(view.rgb, view.landmarks) for view in views], device=device)
        self._clenched = 1 - smoothstep(hollow, *_HOLLOW)
        self.matching = torch.where(self._strange, _STRANGER_MATCHED, 1.0)

    def hang(self, landmarks: Tensor, chosen: Tensor | None = None, parting: Tensor | None = None) -> Behind:
        """The views (T,), by default the first one, behind the mouths of frames with landmarks (T, 478, 3), skull over
        skull; `parting` (T, 5) as in `Behind`."""
        if chosen is None:
            chosen = torch.zeros(len(landmarks), dtype=torch.int64, device=landmarks.device)
        if parting is None:
            parting = torch.full((len(landmarks), len(LIP_PAIRS)), PARTED, device=landmarks.device)
        views, still = self.landmarks[chosen], list(STILL)
        pose = align(landmarks[:, still], views[:, still], torch.ones(len(still), device=landmarks.device))
        turn = pose.scale[:, None, None] * pose.rotation
        depth = views[:, list(MOUTH_CORNERS), 2].mean(1)
        matrix = torch.linalg.inv(turn[:, :2, :2])
        moved = pose.translation[:, :2] + turn[:, :2, 2] * depth[:, None]
        offset = -torch.einsum("tij,tj->ti", matrix, moved)
        skin, instead = landmarks[:, list(SKIN), :2], torch.zeros_like(pose.scale)
        return Behind(parting, self, chosen, matrix, offset, skin, 1 / pose.scale, instead)

    def costs(self, landmarks: Tensor, offsets: Tensor) -> Tensor:
        """(T, V) how badly each view suits an edit of frames; landmarks (T, 478, 3) and offsets (T, 468, 3), pixels."""
        before = _Measures.of(landmarks)
        after = _Measures.of(landmarks[:, : offsets.shape[1]] + offsets)
        views = _Measures.of(self.landmarks)
        wider = after.openness[:, None] - views.openness
        cost = _NARROW * wider.clamp_min(0) + _WIDE * (-wider).clamp_min(0) + _STRANGE * self._strange
        cost = cost + _CLENCHED * self._clenched
        for weight, name in ((_STRETCHED, "width"), (_TURNED, "yaw"), (_RESIZED, "scale")):
            cost = cost + weight * (getattr(after, name)[:, None] - getattr(views, name)).abs()
        return cost * ((after.openness - before.openness).clamp_min(0) + 1e-3)[:, None]


@dataclass(frozen=True)
class _Measures:
    """Of T faces: openness and width of the mouth in distances of the outer eye corners, sine of the yaw, logarithm of
    the size."""

    openness: Tensor
    width: Tensor
    yaw: Tensor
    scale: Tensor

    @classmethod
    def of(cls, landmarks: Tensor) -> _Measures:
        eyes, mouth = ((landmarks[:, left] - landmarks[:, right]) for right, left in (OUTER_EYE_CORNERS, MOUTH_CORNERS))
        unit = eyes.norm(dim=-1).clamp_min(1e-3)
        parting = torch.ones(len(landmarks), len(LIP_PAIRS), device=landmarks.device)
        gap = Interior.of(landmarks, parting).gap
        return cls(gap / unit, mouth.norm(dim=-1) / unit, eyes[:, 2] / unit, unit.log())


class TrackMouth:
    """The mouth of one person through a clip. With `instead` one view is seen all the time, not what each frame shows:
    that belongs to other words."""

    def __init__(self, track: FaceTrack, fit: FaceFit, nobody: Nobody, instead: bool = False) -> None:
        self._instead = float(instead)
        device = fit.neutral.device
        self._gallery = Gallery(track.mouths, nobody.views(fit.neutral), device)
        self._segments = torch.from_numpy(np.array(track.segments)).to(device)
        self._chosen = torch.zeros_like(self._segments)
        frames = torch.from_numpy(track.frames.astype(np.float32)).to(device)
        lips = [vertex for pair in LIP_PAIRS for vertex in pair]
        pairs = torch.from_numpy(np.array(track.landmarks[:, lips])).to(device).view(len(frames), -1, 2, 3)
        gap = (pairs[:, :, 1] - pairs[:, :, 0]).norm(dim=-1).clamp_min(0.1)
        partings = np.full((len(frames), len(LIP_PAIRS)), PARTED) if track.partings is None else track.partings
        seen = torch.from_numpy(np.array(partings, np.float32)).to(device)
        # A closed mouth does not tell where its teeth part.
        total, weight = (gaussian_mean(v, frames, self._segments, _CALM) for v in (seen * gap, gap))
        self._partings = total / weight

    def choose(self, rows: slice, landmarks: Tensor, offsets: Tensor) -> None:
        """Picks one view for each segment, so that none pops up in its midst, from some rows (S,) of the track with
        landmarks (S, 478, 3) and offsets (S, 468, 3), pixels."""
        costs = self._gallery.costs(landmarks, offsets)
        labels, segment = torch.unique(self._segments, return_inverse=True)
        # A segment of which no row is given takes what suits the others.
        total = (1e-3 * costs.mean(0)).repeat(len(labels), 1).index_add(0, segment[rows], costs)
        self._chosen = total.argmin(1)[segment]

    def behind(self, rows: slice, landmarks: Tensor) -> Behind:
        """What is known of the mouth in these rows of the track, with their landmarks."""
        behind = self._gallery.hang(landmarks, self._chosen[rows], self._partings[rows])
        return replace(behind, instead=torch.full_like(behind.instead, self._instead))


def _colour_at(pictures: Tensor, points: Tensor) -> Tensor:
    """(B, 3) mean colour of pictures (B, H, W, 3) around points (B, K, 2)."""
    step = torch.arange(-1, 2, device=points.device)
    around = points[..., None, :].round().long() + torch.cartesian_prod(step, step)
    columns = around[..., 0].clamp(0, pictures.shape[2] - 1)
    rows = around[..., 1].clamp(0, pictures.shape[1] - 1)
    mesh = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    return pictures[mesh, rows, columns].float().mean((1, 2))

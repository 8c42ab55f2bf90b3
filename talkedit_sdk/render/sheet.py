"""The meshes that are drawn: the skin with a skirt around it, and what shows through the openings of eyes and mouth.

Each vertex has a place in the source and a place in the result, so that rasterizing tells for every pixel of the result
where in the source frame its colour comes from. The skin has holes where the lids and the inner lips part. An `Opening`
fills a hole in two layers: what lies inside (eyeball, teeth, cavity), which keeps still while lids and lips slide over
it, and the rim, a narrow band of lashes or lip that goes on inwards with the skin and fades out.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, IRIS_LEFT, IRIS_RIGHT, LIPS_INNER, OVAL, VERTICES
from talkedit_sdk.render.eyeball import Eyeball

_SKIRT: Final = ((1.10, 0.72), (1.24, 0.36), (1.42, 0.10), (1.62, 0.0))
"""Rings around the outline: distance from the centre relative to the outline, share of its motion."""

CHIN: Final = 152
_FOREHEAD: Final = 10
_UPPER_LASHES: Final = 0.40  # depth of the rim of an eye, share of the way to its middle line
_LOWER_LASHES: Final = 0.45
_LIP_RIM: Final = 0.008  # depth of the rim of the mouth, face heights
_LIP_EDGE: Final = 0.014  # how far the lips' own colour reaches into the opening, face heights
_GUMS: Final = 0.12  # share of the opening under the upper lip that gives way when the lip lifts
_CLEFT: Final = 0.08  # share of the opening where upper and lower teeth part
_LOWER_TEETH: Final = 0.35  # share of a mouth wide open that moves with the jaw; nothing of one that is hardly open


@dataclass(frozen=True)
class Layer:
    """A mesh in a batch of frames.

    Members:
        vertices: (T, V, 3) pixels in the result, z away from the camera.
        attributes: (T, V, 2 or 3): x and y from the result to the source in pixels, then what the layer's owner says.
        triangles: (F, 3) int32.
    """

    vertices: Tensor
    attributes: Tensor
    triangles: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Layer:
        return Layer(self.vertices[rows], self.attributes[rows], self.triangles)


@dataclass(frozen=True)
class Opening:
    """An eye or the mouth: `inside` (the mouth's with shares of darkness and of gums), `rim` with its
    opacity.
    """

    inside: Layer | Eyeball
    rim: Layer

    def __getitem__(self, rows: slice | Tensor) -> Opening:
        return Opening(self.inside[rows], self.rim[rows])


@dataclass(frozen=True)
class Placement:
    """Everything to draw in a batch of frames. `moved` is (T,), the largest distance of a vertex, pixels."""

    skin: Layer
    openings: tuple[Opening, ...]
    moved: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Placement:
        return Placement(self.skin[rows], tuple(opening[rows] for opening in self.openings), self.moved[rows])


class Sheet:
    """Topology of the drawn meshes and how they follow the landmarks."""

    def __init__(self, model: FaceModel) -> None:
        device = model.device
        self._oval = torch.tensor(OVAL, device=device)
        self._eyes = [
            (torch.tensor(contour, device=device), iris)
            for contour, iris in ((EYE_RIGHT, IRIS_RIGHT), (EYE_LEFT, IRIS_LEFT))
        ]
        corner = len(EYE_LEFT) // 2
        depths = [0.0, *[_UPPER_LASHES] * (corner - 1), 0.0, *[_LOWER_LASHES] * (corner - 1)]
        self._lashes = torch.tensor(depths, device=device)
        half = len(LIPS_INNER) // 2
        self._upper = torch.tensor(LIPS_INNER[: half + 1], device=device)
        self._lower = torch.tensor([LIPS_INNER[0], *LIPS_INNER[half:][::-1]], device=device)
        self._lips = torch.tensor(LIPS_INNER, device=device)
        rings = [[VERTICES + r * len(OVAL) + i for i in range(len(OVAL))] for r in range(len(_SKIRT))]
        bands = [t for inner, outer in zip([list(OVAL), *rings], rings, strict=False) for t in _band(inner, outer)]
        self._skin = torch.cat([model.triangles.long(), torch.tensor(bands, device=device)]).int()
        self._lash_rim = _rows(2, len(EYE_LEFT), True, device)
        self._mouth = _rows(7, half + 1, False, device)
        self._lip_rim = _rows(2, len(LIPS_INNER), True, device)

    def place(self, landmarks: Tensor, offsets: Tensor, jaw: Tensor | None = None) -> Placement:
        """Meshes of T frames.

        Args:
            landmarks: (T, 478, 3) pixels of the source.
            offsets: (T, 468, 3) pixels to the result.
            jaw: (T, 3) pixels by which the bone under the chin moves, and the lower teeth with it; by default the
            chin's
                own offset, which is wrong where its skin alone is pulled up.
        """
        face = landmarks[:, :VERTICES]
        height = (face[:, CHIN, :2] - face[:, _FOREHEAD, :2]).norm(dim=-1)
        around, motion = self._skirt(face, offsets, height)
        result = torch.cat([face + offsets, around + motion], 1)
        shift = -torch.cat([offsets, motion], 1)[..., :2]
        skin = Layer(result, shift.contiguous(), self._skin)
        openings = [self._eye(landmarks, offsets, contour, iris) for contour, iris in self._eyes]
        bone = offsets[:, CHIN] if jaw is None else jaw
        openings.append(self._mouth_opening(face, offsets, bone[:, None], height))
        return Placement(skin, tuple(openings), shift.norm(dim=-1).amax(1))

    def _skirt(self, face: Tensor, offsets: Tensor, height: Tensor) -> tuple[Tensor, Tensor]:
        outline, motion = face[:, self._oval], offsets[:, self._oval]
        centre = outline.mean(1, keepdim=True)
        rings, motions = [], []
        for reach, share in _SKIRT:
            motion = (motion + motion.roll(1, 1) + motion.roll(-1, 1)) / 3
            ring = centre + reach * (outline - centre)
            ring[..., 2] = outline[..., 2] + (reach - 1) * height[:, None]
            rings.append(ring)
            motions.append(share * motion)
        return torch.cat(rings, 1), torch.cat(motions, 1)

    def _eye(self, landmarks: Tensor, offsets: Tensor, contour: Tensor, iris: tuple[int, ...]) -> Opening:
        margin, motion = landmarks[:, contour], offsets[:, contour]
        inward = (_opposite(margin) - margin) / 2
        length = inward.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        lashes = self._lashes[:, None] * inward
        # Where a lid lifts, the strip that it lays bare must not repeat its lashes: the eyeball is continued from below
        # them.
        opened = (-(motion * inward).sum(-1, keepdim=True) / length).clamp_min(0)
        seen = (margin + lashes * (opened / (self._lashes[:, None] * length).clamp_min(1e-3)).clamp(0, 1))[..., :2]
        result = torch.cat([margin, margin + motion], 1)[..., :2]
        half = len(contour) // 2
        outline = landmarks[:, iris[1:], :2]
        across = [(outline[:, i] - outline[:, i + 2]).norm(dim=-1) / 2 for i in (0, 1)]
        inside = Eyeball(
            upper=seen[:, : half + 1],
            lower=torch.cat([seen[:, :1], seen[:, half:].flip(1)], 1),
            centre=landmarks[:, iris[0], :2],
            radius=torch.stack(across).amax(0).clamp_min(1),
            reach=torch.stack([result.amin(1), result.amax(1)], 1),
            bared=opened.amax((1, 2)),
        )
        return Opening(inside, _rim(margin, margin + lashes, motion, self._lash_rim))

    def _unseen(self, source: Tensor, result: Tensor, lower_share: Tensor, height: Tensor) -> Tensor:
        """(T, 7 * N, 2) how much of the mouth interior the frame does not show. Darkness: where jaws part, where the
        lower lip drops off the teeth, and in the last slit of lips that close on teeth. Gums: where the upper lip
        lifts in front; at the sides it lifts over shadow."""
        rows, rows_to = (p.reshape(len(p), 7, -1, 3) for p in (source, result))
        slack = 0.02 * height[:, None]
        cleft, floor = (
            ((_length(rows_to, i, j) - _length(rows, i, j)) / slack - 0.2).clamp(0, 1) for i, j in ((2, 4), (5, 6))
        )
        gap, gap_to = _length(rows, 0, 6), _length(rows_to, 0, 6)
        slit = (1 - gap_to / slack).clamp(0, 1) * ((gap - gap_to) / gap.clamp_min(1e-3)).clamp(0, 1)
        bare = 1 - (lower_share[..., 0] / 0.1).clamp(0, 1)  # of lower teeth
        deep = bare * torch.maximum(cleft, floor)
        darkness = [torch.zeros_like(slit)] * 3 + [
            torch.maximum(cleft, deep),
            torch.maximum(0.9 * cleft, deep),
            deep,
            floor,
        ]
        dark = torch.maximum(torch.stack(darkness, 1), slit[:, None])
        lifted = ((_length(rows_to, 0, 1) - _length(rows, 0, 1)) / (0.01 * height[:, None])).clamp(0, 1)
        aside = torch.linspace(-1, 1, lifted.shape[1], device=lifted.device).abs()
        front = ((0.75 - aside) / 0.35).clamp(0, 1)
        gums = torch.zeros_like(dark)
        gums[:, 0] = front * lifted
        dark[:, 0] = torch.maximum(dark[:, 0], (1 - front) * lifted)
        return torch.stack([dark.flatten(1), gums.flatten(1)], -1)

    def _mouth_opening(self, face: Tensor, offsets: Tensor, jaw: Tensor, height: Tensor) -> Opening:
        """Upper teeth keep still with the skull, lower teeth and tongue follow the jaw, lips slide over both."""
        upper, lower = face[:, self._upper], face[:, self._lower]
        upper_to, lower_to = upper + offsets[:, self._upper], lower + offsets[:, self._lower]
        down = lower - upper
        axis = (face[:, [CHIN]] - face[:, [_FOREHEAD]]) / height[:, None, None]
        gap = down.norm(dim=-1, keepdim=True)
        agape = (
            gap.amax(1, keepdim=True) / (upper[:, -1:] - upper[:, :1]).norm(dim=-1, keepdim=True).clamp_min(1)
        ).clamp(max=1)
        lower_share = _LOWER_TEETH * ((agape - 0.15) / 0.35).clamp(0, 1)
        # What a lip bares must not repeat its own edge, which the landmarks leave inside the opening.
        edge = torch.minimum(_LIP_EDGE * height[:, None, None], 0.3 * gap)
        lifted, dropped = (
            ((move * axis).sum(-1, keepdim=True)).clamp_min(0) for move in (upper - upper_to, lower_to - lower - jaw)
        )
        above, below = upper + torch.minimum(edge, lifted) * axis, lower - torch.minimum(edge, dropped) * axis
        lower_teeth = below - lower_share * down
        gums, teeth = above + _GUMS * down, lower_teeth - _CLEFT * down
        lower_teeth_to = lower_teeth + jaw
        overlap = ((teeth - lower_teeth_to) * axis).sum(-1, keepdim=True).clamp_min(0)
        lower_teeth_to = lower_teeth_to + overlap * axis
        jawline = lower_teeth_to + (below - lower_teeth)
        top, bottom = _further(above, upper_to, -axis), _further(jawline, lower_to, axis)
        middle, middle_to = (torch.lerp(teeth, bound, 0.2) for bound in (lower_teeth, lower_teeth_to))
        source = torch.cat([above, gums, teeth, middle, lower_teeth, below, below], 1)
        result = torch.cat([top, gums, teeth, middle_to, lower_teeth_to, jawline, bottom], 1)
        inside = _layer(source, result, self._unseen(source, result, lower_share, height), self._mouth)
        margin, motion = face[:, self._lips], offsets[:, self._lips]
        inward = (_opposite(margin) - margin) / 2
        length = inward.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        inner = margin + inward * (_LIP_RIM * height[:, None, None] / length).clamp(max=0.5)
        return Opening(inside, _rim(margin, inner, motion, self._lip_rim))


def _rim(margin: Tensor, inner: Tensor, motion: Tensor, triangles: Tensor) -> Layer:
    """The band from a margin to an inner line, all of which moves with the margin and fades out towards the inside."""
    strip = torch.cat([margin, inner], 1)
    opacity = torch.cat([torch.ones_like(margin[..., :1]), torch.zeros_like(inner[..., :1])], 1)
    return _layer(strip, strip + motion.repeat(1, 2, 1), opacity, triangles)


def _layer(source: Tensor, result: Tensor, extra: Tensor, triangles: Tensor) -> Layer:
    shift = (source - result)[..., :2]
    return Layer(result, torch.cat([shift, extra], -1), triangles)


def _length(rows: Tensor, first: int, last: int) -> Tensor:
    """(T, N) distance between two rows of points (T, R, N, 3)."""
    return (rows[:, last] - rows[:, first]).square().sum(-1).sqrt()


def _opposite(margin: Tensor) -> Tensor:
    """Points of a closed contour across the opening: upper against lower, the two corners against themselves."""
    count = margin.shape[1]
    return margin[:, [-i % count for i in range(count)]]


def _further(a: Tensor, b: Tensor, direction: Tensor) -> Tensor:
    """Of each pair the point that lies further in a direction."""
    ahead = ((b - a) * direction).sum(-1, keepdim=True) > 0
    return torch.where(ahead, b, a)


def _rows(count: int, columns: int, closed: bool, device: torch.device) -> Tensor:
    """(F, 3) int32 triangles between rows of vertices that lie one after the other."""
    rows = [list(range(row * columns, (row + 1) * columns)) for row in range(count)]
    faces = [t for above, below in itertools.pairwise(rows) for t in _band(above, below, closed)]
    return torch.tensor(faces, dtype=torch.int32, device=device)


def _band(inner: list[int], outer: list[int], closed: bool = True) -> list[tuple[int, int, int]]:
    """Triangles between two rows of as many vertices."""
    count = len(inner)
    pairs = [(i, (i + 1) % count) for i in range(count if closed else count - 1)]
    return [t for i, j in pairs for t in ((inner[i], inner[j], outer[i]), (inner[j], outer[j], outer[i]))]

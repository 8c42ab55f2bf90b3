"""Where skin folds: lines across which muscles compress it, and how they differ from person to person.

Places and directions follow the muscles: frontalis folds the forehead, corrugator and procerus the glabella and the
root of the nose, levator labii and nasalis the sides of the nose, zygomaticus the cheek beside the mouth, orbicularis
oculi the corner of the eye, depressor anguli oris and mentalis the chin (Hjortsjö, *Man's Face and Mimic Language*,
1969; Ekman, Friesen & Hager, *Facial Action Coding System*, 2002).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.smooth import smoothstep

_Path = tuple[tuple[float, float], ...]
_Muscles = dict[str, float]


@dataclass(frozen=True)
class FoldLook:
    """How one person's skin folds.

    Members:
        age: 0 (a child's skin) to 1 (old): more folds, and deeper ones.
        seed: places, depths and widths of the lines; each number is another person.
    """

    age: float = 0.4
    seed: int = 0


@dataclass(frozen=True)
class Fold:
    """A line along which skin folds.

    Members:
        path: (x, y) on the mean face seen from the front, smoothed through.
        width: from the bottom of the valley to its slope, model units (0.011 is about a millimetre).
        depth: of the valley where the fold is full, as a multiple of its width.
        muscles: how full it is at coefficient 1, sides left out: a line is driven by the side it is on.
        strain: how full it is for each share by which the skin across it is compressed.
        bulge: -1 to 1, how much more one shoulder swells than the other; the one on the right hand of who walks the
            path, seen from in front, is the larger at 1.
        age: at which the line is half as deep as it will get.
        mirrored: there is another one on the other side of the face.
    """

    path: _Path
    width: float
    depth: float
    muscles: _Muscles
    strain: float = 0.0
    bulge: float = 0.0
    age: float = 0.0
    mirrored: bool = True


def _arch(*half: tuple[float, float]) -> _Path:
    """A path over both sides of the face from its left half, which starts in the middle."""
    return (*((-x, y) for x, y in reversed(half[1:])), *half)


_FROWN: Final = {"browDown": 0.95, "noseSneer": 0.15}
_SNEER: Final = {"noseSneer": 0.9}
_SQUINT: Final = {"cheekSquint": 0.75, "eyeSquint": 0.25, "mouthSmile": 0.25}

FOLDS: Final[tuple[Fold, ...]] = (
    # Glabella: furrows from the heads of the brows upwards, a slanting companion over each brow.
    Fold(((0.070, -0.435), (0.075, -0.485), (0.083, -0.540), (0.097, -0.600), (0.116, -0.655)),
         0.0220, 0.36, _FROWN, 1.0, 0.3, -0.2),
    Fold(((0.140, -0.560), (0.165, -0.630), (0.205, -0.685), (0.260, -0.720)), 0.0210, 0.18, _FROWN, 0.5, 0.2, 0.45),
    Fold(((0.010, -0.470), (0.006, -0.540), (0.010, -0.610)), 0.0130, 0.30, _FROWN, 0.5, 0.0, 0.6, mirrored=False),
    # Forehead: lines that follow the brows, dip in the middle and fall off to the sides.
    Fold(_arch((0.0, -0.690), (0.10, -0.697), (0.22, -0.722), (0.34, -0.735), (0.46, -0.715)),
         0.0170, 0.36, {"browInnerUp": 0.10}, 3.6, 0.1, 0.2, mirrored=False),
    Fold(_arch((0.0, -0.755), (0.12, -0.765), (0.26, -0.795), (0.40, -0.800), (0.54, -0.765)),
         0.0180, 0.42, {"browInnerUp": 0.10}, 3.6, 0.1, 0.0, mirrored=False),
    Fold(_arch((0.0, -0.825), (0.12, -0.835), (0.26, -0.860), (0.42, -0.855), (0.54, -0.825)),
         0.0180, 0.38, {"browInnerUp": 0.10}, 3.6, 0.1, 0.1, mirrored=False),
    Fold(_arch((0.0, -0.890), (0.14, -0.900), (0.30, -0.915), (0.44, -0.905)),
         0.0170, 0.28, {"browInnerUp": 0.08}, 3.6, 0.1, 0.5, mirrored=False),
    # Grief and fear: short folds over the heads of the brows.
    Fold(((0.060, -0.655), (0.120, -0.672), (0.185, -0.700)), 0.0150, 0.30, {"browInnerUp": 0.45}, 1.0, 0.2, 0.0),
    # Root of the nose, across.
    Fold(_arch((0.0, -0.400), (0.04, -0.405), (0.08, -0.420)),
         0.0135, 0.34, {"noseSneer": 0.75, "browDown": 0.30}, 0.6, 0.0, 0.0, mirrored=False),
    Fold(_arch((0.0, -0.350), (0.035, -0.355), (0.07, -0.370)),
         0.0130, 0.30, {"noseSneer": 0.85, "browDown": 0.15}, 0.6, 0.0, 0.2, mirrored=False),
    # Sides of the nose, from the bridge downwards and outwards.
    Fold(((0.050, -0.330), (0.090, -0.295), (0.130, -0.245), (0.165, -0.185)), 0.0165, 0.31, _SNEER, 0.4, 0.2, -0.1),
    Fold(((0.100, -0.365), (0.130, -0.315), (0.165, -0.260), (0.205, -0.205)), 0.0160, 0.25, _SNEER, 0.4, 0.2, -0.1),
    Fold(((0.045, -0.265), (0.080, -0.235), (0.115, -0.185)), 0.0150, 0.22, _SNEER, 0.4, 0.1, 0.2),
    # Corner of the eye.
    Fold(((0.550, -0.440), (0.605, -0.470), (0.665, -0.510)), 0.0130, 0.26, _SQUINT, 0.7, 0.0, 0.4),
    Fold(((0.560, -0.405), (0.625, -0.412), (0.695, -0.425)), 0.0140, 0.32, _SQUINT, 0.7, 0.0, 0.2),
    Fold(((0.555, -0.370), (0.620, -0.348), (0.690, -0.325)), 0.0140, 0.32, _SQUINT, 0.7, 0.0, 0.2),
    Fold(((0.530, -0.330), (0.590, -0.290), (0.650, -0.240)), 0.0130, 0.26, _SQUINT, 0.7, 0.0, 0.4),
    # Under the eye: the lid's own crease, and the edge of the raised cheek.
    Fold(((0.190, -0.305), (0.270, -0.262), (0.370, -0.250), (0.470, -0.285)),
         0.0150, 0.34, {"eyeSquint": 0.55, "cheekSquint": 0.45}, 0.3, 0.3, 0.0),
    Fold(((0.215, -0.235), (0.310, -0.190), (0.420, -0.190), (0.520, -0.235), (0.590, -0.280)),
         0.0170, 0.26, {"eyeSquint": 0.15, "cheekSquint": 0.75, "mouthSmile": 0.2}, 0.4, 0.3, 0.3),
    # From the wing of the nose past the corner of the mouth; its upper end belongs to who sneers.
    Fold(((0.235, 0.015), (0.265, 0.070), (0.305, 0.145), (0.345, 0.230), (0.375, 0.315), (0.385, 0.390)),
         0.0250, 0.40, {"mouthSmile": 0.85, "mouthUpperUp": 0.45, "noseSneer": 0.25, "cheekSquint": 0.15},
         0.5, -0.6, -0.3),
    Fold(((0.212, -0.035), (0.232, 0.010), (0.254, 0.065), (0.278, 0.125), (0.318, 0.195), (0.350, 0.260)),
         0.0270, 0.31, {"noseSneer": 0.75, "mouthUpperUp": 0.40}, 0.3, -0.5, -0.3),
    # Beside the mouth: parentheses of a smile, and the line down from the corner of who is sad.
    Fold(((0.410, 0.270), (0.440, 0.350), (0.440, 0.430), (0.415, 0.505)),
         0.0190, 0.26, {"mouthSmile": 0.55, "mouthDimple": 0.5, "mouthStretch": 0.45}, 0.4, -0.3, 0.4),
    Fold(((0.310, 0.425), (0.338, 0.480), (0.348, 0.545), (0.338, 0.620)),
         0.0260, 0.26, {"mouthFrown": 1.0, "mouthShrugLower": 0.3, "mouthPress": 0.3, "mouthStretch": 0.3},
         0.3, -0.3, 0.0),
    # Chin: the crease under the lip, the rim of the raised boss, and its dimples.
    Fold(_arch((0.0, 0.628), (0.07, 0.624), (0.15, 0.605)),
         0.0220, 0.34, {"mouthShrugLower": 0.9, "mouthFrown": 0.45, "mouthPress": 0.4}, 0.3, 0.4, -0.2, mirrored=False),
    Fold(((0.165, 0.640), (0.195, 0.705), (0.185, 0.780), (0.140, 0.840)),
         0.0220, 0.22, {"mouthShrugLower": 0.7, "mouthFrown": 0.6}, 0.2, 0.2, 0.1),
    *(Fold(((x - dx, y - dy), (x, y + 0.006), (x + dx, y + dy)), 0.0250, 0.15,
           {"mouthShrugLower": 1.4, "mouthFrown": 0.5, "mouthPress": 0.25}, 0.0, 0.0, 0.1, mirrored=False)
      for x, y, dx, dy in (
          (-0.085, 0.715, 0.030, 0.014), (0.000, 0.705, 0.030, -0.006), (0.090, 0.725, 0.028, -0.018),
          (-0.045, 0.765, 0.030, 0.010), (0.040, 0.770, 0.032, 0.002), (-0.095, 0.800, 0.022, 0.016),
          (0.000, 0.825, 0.030, -0.008))),
)  # fmt: skip

_STEP = 0.012  # model units between the points of a line
_TAPER = 0.34  # share of a line in which it rises from nothing, at either end
_RIPENING = 0.16  # in which age a fold gets from shallow to deep
_ASTRAY = 0.006  # model units, how far lines lie from where they lie on average
_WAVY = 0.45  # widths
_UNEVEN = 0.35
_WAVES = (0.6, 0.27, 0.16)  # model units, their lengths along a line


@dataclass(frozen=True)
class Line:
    """A fold of one person: `fold` with width as it is there, (M, 2) points along it and (M,) depths where it is full,
    model units."""

    fold: Fold
    points: Tensor
    depth: Tensor


def lines(look: FoldLook) -> Iterator[Line]:
    """All lines of a person."""
    random = torch.Generator().manual_seed(look.seed)
    for fold in FOLDS:
        shared = 0.8 * torch.randn(4, generator=random)
        for side in (1.0, -1.0) if fold.mirrored else (1.0,):
            chance = shared + 0.5 * torch.randn(4, generator=random)
            yield _line(fold, side, look.age, chance, random)


def _line(fold: Fold, side: float, age: float, chance: Tensor, random: torch.Generator) -> Line:
    """side: -1 for the mirrored one. chance: (4,) normal numbers for depth, width and shift."""
    ripeness = 1 / (1 + math.exp(-(age - fold.age - 0.07 * float(chance[0])) / _RIPENING))
    supple = min(1.0, 0.3 + 1.75 * age)  # young skin springs back
    width = fold.width * math.exp(0.15 * float(chance[1]))
    points = _curve(torch.tensor(fold.path)) + _ASTRAY * chance[2:]
    count = len(points)
    along = torch.gradient(points, dim=0)[0]
    across = torch.stack([along[:, 1], -along[:, 0]], -1) / along.norm(dim=-1, keepdim=True)
    points = points + _WAVY * width * _noise(count, random)[:, None] * across
    place = torch.linspace(0, 1, count)
    depth = supple * (0.15 + 1.25 * ripeness) * fold.depth * width * torch.exp(_UNEVEN * _noise(count, random))
    depth = depth * smoothstep(torch.minimum(place, 1 - place), 0, _TAPER)
    return Line(replace(fold, width=width, bulge=side * fold.bulge), points * torch.tensor([side, 1.0]), depth)


def _curve(corners: Tensor) -> Tensor:
    """(C, 2) -> (M, 2) evenly spaced points on the Catmull-Rom spline through them."""
    padded = torch.cat([2 * corners[:1] - corners[1:2], corners, 2 * corners[-1:] - corners[-2:-1]])
    t = torch.linspace(0, 1, 21)[:-1, None]
    spans = []
    for i in range(len(corners) - 1):
        a, b, c, d = padded[i : i + 4]
        spans.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    fine = torch.cat([*spans, corners[-1:]])
    length = torch.cat([torch.zeros(1), (fine[1:] - fine[:-1]).norm(dim=-1).cumsum(0)])
    wanted = torch.linspace(0, float(length[-1]), max(6, math.ceil(float(length[-1]) / _STEP) + 1))
    right = torch.searchsorted(length, wanted).clamp(1, len(fine) - 1)
    share = ((wanted - length[right - 1]) / (length[right] - length[right - 1]))[:, None]
    return fine[right - 1] * (1 - share) + fine[right] * share


def _noise(count: int, random: torch.Generator) -> Tensor:
    """(count,) mostly within -1 to 1, smooth along a line."""
    phases = 2 * math.pi * torch.rand(len(_WAVES), 1, generator=random)
    rates = 2 * math.pi * _STEP / torch.tensor(_WAVES)[:, None]
    return torch.sin(torch.arange(count) * rates + phases).sum(0) / 2

"""The skin of a face as a texture: unrolled with the inside of the mouth, light and skin tone taken out."""

from __future__ import annotations

import itertools
from typing import Final, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.mouths import openness
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import VERTICES
from talkedit_sdk.render.interior import LOWER, UPPER
from talkedit_sdk.texture.light import surface_normals
from talkedit_sdk.texture.types import TOE
from talkedit_sdk.texture.uv import TexelMap

SIDE: Final = 256
"""Side of the textures that are gathered of a few frames of each person; a texel is about 0.8 mm of the face."""

PATCH: Final = (4 / 256, 208 / 256, 72 / 256, 44 / 256)
"""Left, top, width and height of the inside of the mouth, as shares of the side: a corner that the face leaves free."""

_ACROSS: Final = 0.62  # sides of the texture that would do for a face if all of it were as large as its middle
_FACING: Final = (0.15, 0.45)  # cosine; seen too flatly below the first, well above the second
_PARTED: Final = (0.025, 0.08)  # openness of a mouth of which nothing, and enough, of the inside is seen
_RIM: Final = (0.004, 0.024)  # sides from the outline, where background shows as soon as landmarks tremble
_SMOOTH: Final = 1 / 9  # standard deviation of the smooth part, sides
_COARSE: Final = 32  # texels of a side on which the smooth part is found
_LEAST: Final = 0.25  # visibility below which a texel fades out
_AROUND_MOUTH: Final = (0.56, 0.80, 0.36, 0.64)  # rows and columns of the skin that a mouth is compared with, sides

Lines: TypeAlias = tuple[tuple[int, ...], ...]

_REGIONS: Final[dict[str, tuple[Lines, float, float]]] = {
    "forehead": (((104, 69, 108, 151, 337, 299, 333), (103, 67, 109, 10, 338, 297, 332)), 0.06, 0.14),
    "glabella": (((107, 9, 336), (55, 8, 285)), 0.03, 0.10),
    "nose_root": (((193, 168, 417), (122, 6, 351), (196, 197, 419)), 0.03, 0.09),
    "crows_feet": (((226, 35, 143), (31, 111, 34), (446, 265, 372), (261, 340, 264)), 0.04, 0.12),
    "nasolabial": (((129, 203, 206, 216, 212), (358, 423, 426, 436, 432)), 0.05, 0.13),
    "chin": (((83, 18, 313), (201, 200, 421), (208, 199, 428), (171, 175, 396)), 0.04, 0.10),
    "lips": (((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291), (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
              (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308), (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)),
             0.03, 0.07),
}  # fmt: skip
"""Lines of vertices where skin folds, and how far from them a region is whole and has ended, model units."""


class SkinMap(TexelMap):
    """Unrolls faces as `TexelMap` does, and what is between their lips into a corner of the texture: from the right to
    the left corner of the mouth, and from the upper lip to the lower one.

    Members beyond those of `TexelMap`:
        mouth: (N, N) bool, True for the texels between the lips.
    """

    def __init__(self, model: FaceModel, side: int = SIDE) -> None:
        super().__init__(model, side)
        self.mouth = np.zeros_like(self.inside)
        self.mouth[mouth_patch(side)] = self.inside[mouth_patch(side)]
        distance = cv2.distanceTransform(np.pad(self._filled(), 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1] / side
        self._triangles = model.triangles.cpu()
        self._within = torch.where(torch.from_numpy(self.mouth), 1.0, smoothstep(torch.from_numpy(distance), *_RIM))

    def visible(self, landmarks: NDArray[np.float32], size: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """How well each texel is seen.

        Args:
            landmarks: (478, 3) pixels.
            size: height and width of the frame; None if the whole face is in it.

        Returns:
            (N, N) in [0, 1]: 0 where skin is turned away, at the very outline and beyond the frame, and between lips
            that are closed.
        """
        seen = smoothstep(torch.from_numpy(self.spread(self._turned(landmarks[:VERTICES]))[:, 0]), *_FACING)
        if size is not None:
            positions = self.spread(landmarks[:VERTICES, :2])
            seen = seen * torch.from_numpy(((positions >= 0) & (positions <= np.array(size)[::-1] - 1)).all(-1))
        visible = torch.zeros(self.side, self.side)
        visible[torch.from_numpy(self.inside)] = seen
        visible[torch.from_numpy(self.mouth)] *= smoothstep(torch.tensor(openness(landmarks)), *_PARTED)
        return np.asarray((visible * self._within).numpy(), np.float32)

    def regions(self, model: FaceModel) -> dict[str, NDArray[np.float32]]:
        """Where expression changes skin: (N, N) soft masks in [0, 1] of forehead, glabella, nose_root, crows_feet,
        nasolabial, chin, lips, and mouth, which is what lies between them."""
        mean = model.mean.cpu()
        places = torch.from_numpy(self.spread(mean.numpy()))
        masks = {}
        for name, (lines, near, far) in _REGIONS.items():
            mask = torch.zeros(self.side, self.side)
            mask[torch.from_numpy(self.inside)] = 1 - smoothstep(_distance(places, mean, lines), near, far)
            masks[name] = np.asarray(mask.numpy() * ~self.mouth, np.float32)
        return masks | {"mouth": self.mouth.astype(np.float32)}

    def _turned(self, vertices: NDArray[np.float32]) -> NDArray[np.float32]:
        """(468, 3) -> (468, 1) cosine of the angle at which each vertex is seen, below 0 from behind."""
        return np.asarray(-surface_normals(torch.from_numpy(vertices), self._triangles)[:, 2:].numpy(), np.float32)

    def _layout(self, model: FaceModel) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]:
        places, triangles, vertices = super()._layout(model)
        left, top, width, height = PATCH
        along = model.mean.cpu().numpy()[list(UPPER), 0]
        along = (along - along[0]) / (along[-1] - along[0])
        count = len(UPPER)
        across = np.stack([np.zeros(count), np.ones(count)])
        across[:, [0, -1]] = 0.5  # at the corners both lips are one
        lips = np.stack([np.broadcast_to(left + width * along, across.shape), top + height * across], -1)
        upper, lower = (len(places) + side * count + np.arange(count) for side in (0, 1))
        strip = np.concatenate([
            np.stack([upper[:-1], upper[1:], lower[1:]], 1)[:-1],
            np.stack([upper[:-1], lower[1:], lower[:-1]], 1)[1:],
        ])  # fmt: skip
        return (
            np.concatenate([places, lips.reshape(-1, 2)]).astype(np.float32),
            np.concatenate([triangles, strip]).astype(np.int32),
            np.concatenate([vertices, UPPER, LOWER]),
        )

    def _shrink(self, extent: float) -> float:
        return max(1.0, extent / (_ACROSS * self.side))

    def _filled(self) -> NDArray[np.bool_]:
        """(N, N) the face with eyes and mouth, without what is beside it."""
        outer = cv2.connectedComponents((~self.inside).astype(np.uint8))[1]
        return np.asarray((outer != outer[0, 0]) & ~self.mouth)


def mouth_patch(side: int) -> tuple[slice, slice]:
    """Rows and columns of a texture of `side` texels where the inside of the mouth is."""
    left, top, width, height = (round(share * side) for share in PATCH)
    return slice(top, top + height), slice(left, left + width)


def even_light(textures: Tensor, visible: Tensor) -> Tensor:
    """What is left of faces when light and skin tone are taken out: logarithms of the colours less their smooth part, a
    Gaussian mean of what is visible.

    Quotient images: Wang, Li & Wang, *Face recognition under varying lighting conditions using self quotient image*,
    FG 2004. The inside of the mouth is compared with the skin around it.

    Args:
        textures: (T, N, N, 3) uint8, as from `SkinMap`.
        visible: (T, N, N) in [0, 1].

    Returns:
        (T, 3, N, N) float32, mostly within [-1.5, 1.5], 0 where nothing is visible.
    """
    side = textures.shape[1]
    levels = torch.log(textures.permute(0, 3, 1, 2).float() / 255 + TOE)
    weight = visible.float()[:, None]
    mouth = torch.zeros(side, side, dtype=torch.bool, device=levels.device)
    mouth[mouth_patch(side)] = True
    face = weight * ~mouth
    step = max(1, side // _COARSE)
    total, seen = (gaussian_blur(avg_pool2d(each, step), _SMOOTH * side / step) for each in (face * levels, face))
    smooth = interpolate(total / seen.clamp_min(1e-6), (side, side), mode="bilinear", align_corners=False)
    first, last, start, stop = (round(share * side) for share in _AROUND_MOUTH)
    around = smooth[..., first:last, start:stop].mean((2, 3), keepdim=True)
    return (levels - torch.where(mouth, around, smooth)) * (weight / _LEAST).clamp(max=1)


def gaussian_blur(maps: Tensor, sigma: float) -> Tensor:
    """(T, C, h, w) averaged with a Gaussian of `sigma` texels; there is nothing beyond the edges."""
    radius = int(3 * sigma) + 1
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=maps.device) / sigma) ** 2)
    planes = (kernel / kernel.sum()).view(1, 1, 1, -1)
    flat = conv2d(maps.flatten(0, 1)[:, None], planes, padding=(0, radius))
    return conv2d(flat, planes.transpose(2, 3), padding=(radius, 0)).view_as(maps)


def _distance(places: Tensor, mean: Tensor, lines: Lines) -> Tensor:
    """(S,) distance of points (S, 3) from the nearest of some lines of vertices."""
    nearest = torch.full((len(places),), torch.inf)
    for a, b in itertools.chain.from_iterable(itertools.pairwise(line) for line in lines):
        along = mean[b] - mean[a]
        share = ((places - mean[a]) @ along / along.dot(along)).clamp(0, 1)
        nearest = torch.minimum(nearest, (places - mean[a] - share[:, None] * along).norm(dim=1))
    return nearest

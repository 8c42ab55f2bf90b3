"""From where a face is lit, told from its skin."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from talkedit_sdk.face.model import REGIONS, FaceModel
from talkedit_sdk.texture.uv import TexelMap

DIMMEST: Final = 0.1
"""Where the light does not reach, this share of the mean brightness is left."""

STRONGEST: Final = 0.9
"""Length beyond which a light would leave whole cheeks black."""

LUMA: Final = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in luminance as encoded (BT.601)."""

_PRIOR = (0.0, -0.25, -0.45)  # what most faces are lit by: soft light from in front and above
_PRIOR_SPREAD = (0.35, 0.25, 0.15)  # a symmetric face tells left from right well, but depth hardly from paleness
_TOE = 4.0  # levels added before the logarithm, so that noise in the dark counts little
_TOLERANCE = 0.15  # of log luminance: skin is not one colour
_INDEPENDENT = 60.0  # patches of skin that err on their own; texels beside each other err alike
_NO_SKIN = {"brows": 1.0, "eyes": 1.0, "lips": 1.0, "jaw": 0.5}  # of which a beard takes its part
_ROUNDS = 10


def estimate_light(
    textures: NDArray[np.uint8], visible: NDArray[np.float32], model: FaceModel, texels: TexelMap
) -> Tensor:
    """Direction and strength of the light on a face, frame by frame.

    Args:
        textures: (T, N, N, 3) uint8 RGB in the layout of `texels`.
        visible: (T, S) in [0, 1], how well each texel is seen.
        model: tells which way each spot of the skin faces.
        texels: of side N; 48 is enough.

    Returns:
        (T, 3) l in head axes (x right, y down, z away from the camera) on the device of `model`: the luminance as
        encoded in the picture goes like albedo · max(1 + n·l, `DIMMEST`) with outward normals n, |l| at most
        `STRONGEST`. Frames are told apart, so average over time where that is wanted.

    Brows, beards, glasses and shadows are outvoted (weights that redescend); what the skin does not tell is soft light
    from in front and above.
    """
    device = model.device
    colours = torch.from_numpy(textures[:, texels.inside]).to(device, torch.float32)
    brightness = ((colours @ colours.new_tensor(LUMA) + _TOE) / (255 + _TOE)).log()
    normals = torch.from_numpy(texels.spread(surface_normals(model.mean, model.triangles).cpu().numpy())).to(device)
    normals = torch.nn.functional.normalize(normals, dim=-1)
    seen = torch.from_numpy(visible).to(device) * _skin(model, texels)
    weights = _INDEPENDENT * seen / seen.sum(1, keepdim=True).clamp_min(1e-3 * seen.shape[1])
    prior, unit = brightness.new_tensor(_PRIOR), brightness.new_tensor(_PRIOR_SPREAD)
    light = prior.repeat(len(textures), 1)
    level = _median(brightness - _shade(light, normals).log(), seen)
    for _ in range(_ROUNDS):
        shade = _shade(light, normals)
        rest = brightness - level[:, None] - shade.log()
        trusted = weights / (1 + (rest / _TOLERANCE).square()).square() / _TOLERANCE**2
        slope = torch.cat([normals / shade[..., None], torch.ones_like(shade)[..., None]], -1)
        gram = torch.einsum("ts,tsi,tsj->tij", trusted, slope, slope)
        gram += torch.diag(torch.cat([unit**-2, unit.new_tensor([1e-4])]))
        target = torch.einsum("ts,tsi,ts->ti", trusted, slope, rest)
        target[:, :3] += (prior - light) / unit**2
        step = torch.linalg.solve(gram, target)
        light, level = light + step[:, :3].clamp(-0.3, 0.3), level + step[:, 3]
        light = light * (STRONGEST / light.norm(dim=-1, keepdim=True)).clamp_max(1)
    return light


def surface_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """(..., V, 3) -> (..., V, 3) outward unit normals, averaged over the triangles around each vertex by their area."""
    corners = triangles.long().T
    a, b, c = (vertices[..., corner, :] for corner in corners)
    faces = torch.cross(c - a, b - a, dim=-1)
    total = torch.zeros_like(vertices)
    for corner in corners:
        total.index_add_(-2, corner, faces)
    return torch.nn.functional.normalize(total, dim=-1)


def _shade(light: Tensor, normals: Tensor) -> Tensor:
    """(T, 3) and (S, 3) -> (T, S)."""
    return (1 + light @ normals.T).clamp_min(DIMMEST)


def _skin(model: FaceModel, texels: TexelMap) -> Tensor:
    """(S,) in [0, 1], how likely a texel is bare skin."""
    share = model.regions.new_tensor([_NO_SKIN.get(name, 0.0) for name in REGIONS])
    other = (share[:, None] * model.regions).amax(0)
    return 1 - torch.from_numpy(texels.spread(other[:, None].cpu().numpy())[:, 0]).to(model.device).clamp(0, 1)


def _median(values: Tensor, weights: Tensor) -> Tensor:
    """(T, S) -> (T,) over what is seen, 0 where nothing is."""
    return torch.where(weights > 0.2, values, torch.nan).nanmedian(1).values.nan_to_num(0)

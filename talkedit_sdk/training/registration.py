"""Laying textures of one person over each other more exactly than landmarks do, and filling in what they do not show.

Landmarks tremble by a texel or two, which blurs just what is to be learned. Folds must not be explained away by moving
skin, however: flow is as smooth as a third of a cheek, bounded, and what changes does not pull (Lucas & Kanade, *An
iterative image registration technique with an application to stereo vision*, IJCAI 1981, with robust weights).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate, pad

from talkedit_sdk.texture.skin import gaussian_blur, mouth_patch

_SIDE: Final = 128  # texels of the side on which flow is found
_WINDOW: Final = 5.0  # standard deviation of what moves together, texels of that side
_COARSE_WINDOW: Final = 9.0  # the same between people
_BOUND: Final = 2.0  # texels of that side that nothing exceeds
_STILL: Final = 5e-4  # pull towards no flow, in squared gradients of the skin
_CHANGED: Final = 0.2  # difference that is a change rather than a displacement
_STEPS: Final = 4
_ROUNDS: Final = 2
_FULL: Final = 1.0  # views of a texel that make it known
_BATCH: Final = 8


def register(skin: Tensor, visible: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
    """Lays textures of one person over their mean, a single one roughly over that of all people.

    Args:
        skin: (K, 3, N, N) from `even_light`, at any side.
        visible: (K, N, N) in [0, 1].
        usual: (3, N, N) mean skin of people.

    Returns:
        Both, moved. The mouth stays as it is.
    """
    if len(skin) == 1:
        flow = flow_to(skin, visible, usual, torch.ones_like(visible[0]), _COARSE_WINDOW)
        return warp(skin, flow), warp(visible[:, None], flow)[:, 0].clamp(0, 1)
    moved, seen = skin, visible
    for _ in range(_ROUNDS):
        mean, weight = weighted_mean(moved, seen)
        flow = flow_to(skin, visible, mean, weight.clamp(max=1), _WINDOW)
        flow = flow - flow.mean(0)  # the mean stays where it was
        moved, seen = warp(skin, flow), warp(visible[:, None], flow)[:, 0].clamp(0, 1)
    return moved, seen


def flow_to(skin: Tensor, visible: Tensor, target: Tensor, trust: Tensor, window: float) -> Tensor:
    """(K, 2, N, N) texels x, y: the skin found there is that of the target. `target` (3, N, N) counts as far as `trust`
    (N, N) goes; `window` is the standard deviation of what moves together."""
    side = skin.shape[-1]
    step = max(1, side // _SIDE)
    scale, sigma = side / (step * _SIDE), window * side / (step * _SIDE)
    goal = _grey(target[None], step)
    flows = []
    for start in range(0, len(skin), _BATCH):
        source, seen = _grey(skin[start : start + _BATCH], step), visible[start : start + _BATCH, None] * trust
        seen[..., mouth_patch(side)[0], mouth_patch(side)[1]] = 0
        flows.append(_flow(source, goal, avg_pool2d(seen, step), sigma, _BOUND * scale))
    flow = step * interpolate(torch.cat(flows), (side, side), mode="bicubic", align_corners=False)
    flow[..., mouth_patch(side)[0], mouth_patch(side)[1]] = 0
    return flow


def warp(maps: Tensor, flow: Tensor) -> Tensor:
    """(K, C, N, N) maps as found at (K, 2, N, N) flow from each texel."""
    side = maps.shape[-1]
    axis = torch.arange(side, device=maps.device, dtype=flow.dtype)
    places = torch.stack([flow[:, 0] + axis, flow[:, 1] + axis[:, None]], -1)
    grid = (2 * places + 1) / side - 1
    return grid_sample(maps, grid, mode="bicubic", padding_mode="border", align_corners=False)


def weighted_mean(skin: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """(3, N, N) mean of what is visible, and (N, N) how much that is."""
    weight = visible.sum(0)
    return (visible[:, None] * skin).sum(0) / weight.clamp_min(1e-6), weight


def mirrored(maps: Tensor) -> Tensor:
    """(..., N, N) textures of the mirrored face."""
    rows, columns = mouth_patch(maps.shape[-1])
    flipped = maps.flip(-1)
    mouth = maps[..., rows, columns].flip(-1)
    right = slice(maps.shape[-1] - columns.stop, maps.shape[-1] - columns.start)
    flipped[..., rows, right] = 0
    flipped[..., rows, columns] = mouth
    return flipped


def fill(skin: Tensor, visible: Tensor, usual: Tensor) -> Tensor:
    """(K, 3, N, N) skin with what is not visible taken from the other side of the same face, else from other views of
    the person, else from all people. Mouths that are closed are filled from people's open ones."""
    mean, weight = weighted_mean(skin, visible)
    share = (weight / _FULL).clamp(max=1)
    known = share * mean + (1 - share) * usual
    other_share = mirrored(share)
    known = known + (1 - share) * other_share * (mirrored(mean) - usual)
    across, beside = mirrored(skin), (1 - visible) * mirrored(visible)
    beside[..., mouth_patch(skin.shape[-1])[0], mouth_patch(skin.shape[-1])[1]] = 0
    rest = 1 - visible - beside
    return visible[:, None] * skin + beside[:, None] * across + rest[:, None] * known


def _grey(skin: Tensor, step: int) -> Tensor:
    return gaussian_blur(avg_pool2d(skin.mean(1, keepdim=True), step), 1.0)


def _flow(source: Tensor, goal: Tensor, seen: Tensor, sigma: float, bound: float) -> Tensor:
    flow = torch.zeros_like(source).expand(-1, 2, -1, -1)
    total = gaussian_blur(seen, sigma).clamp_min(1e-4)
    for _ in range(_STEPS):
        there = warp(source, flow)
        rest = there - goal
        across, down = _gradient((there + goal) / 2)
        weight = seen / (1 + (rest / _CHANGED).square()).square()
        products = torch.cat([across * across, across * down, down * down, across * rest, down * rest], 1)
        xx, xy, yy, xt, yt = (gaussian_blur(weight * products, sigma) / total).unbind(1)
        xx, yy = xx + _STILL, yy + _STILL
        right, below = -xt - _STILL * flow[:, 0], -yt - _STILL * flow[:, 1]
        step = torch.stack([yy * right - xy * below, xx * below - xy * right], 1) / (xx * yy - xy * xy)[:, None]
        flow = flow + step
        flow = flow / (1 + flow.square().sum(1, keepdim=True) / bound**2).sqrt()
    return flow


def _gradient(maps: Tensor) -> tuple[Tensor, Tensor]:
    wide = pad(maps, (1, 1, 1, 1), mode="replicate")
    return (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2, (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2

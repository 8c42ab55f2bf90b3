"""From how strange each texel looks to what is not face: stains of some size on what the camera sees well."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from talkedit_sdk.face.smooth import smoothstep

_MOST: Final = 6.0  # strangeness beyond which nothing gets stranger
_FAINT, _STRANGE = 1.8, 2.8  # where a stain ends, and what makes it one
_SMALL, _LARGE = 16, 32  # texels: no stain, surely a stain
_SPREAD: Final = 3  # texels
_WHOLE: Final = (0.60, 0.40)  # share of the face: so much at once is other light, not something in front


def find_stains(strangeness: Tensor, visible: Tensor, steady: Tensor, inside: Tensor) -> Tensor:
    """Stains in frames that follow each other.

    Args:
        strangeness: (T, S), see `Appearance.strangeness`.
        visible: (T, S) in [0, 1].
        steady: (S,) bool, False where colours tell nothing, as on lids that unfold; a stain beside them spreads there.
        inside: (N, N) bool, places of the S texels.

    Returns:
        (T, S) in [0, 1]. What is seen in a single frame only is none.
    """
    maps = strangeness.new_zeros(2, len(strangeness), *inside.shape)
    maps[1, :, inside] = visible * steady
    maps[0, :, inside] = strangeness.clamp(max=_MOST) * maps[1, :, inside]
    sums = avg_pool2d(maps, 3, 1, 1, count_include_pad=False)
    smooth = (sums[0] / sums[1].clamp_min(0.15))[:, inside]
    stains = torch.zeros_like(smooth)
    for row in torch.nonzero((smooth > _STRANGE).sum(1) > 1)[:, 0].tolist():
        stains[row] = _large_enough(smooth[row], inside)
    share = (stains * visible).sum(1) / visible.sum(1).clamp_min(1)
    stains *= smoothstep(share, *_WHOLE)[:, None]
    grown = torch.zeros_like(maps[0])
    grown[:, inside] = stains
    grown = max_pool2d(grown, 2 * _SPREAD + 1, 1, _SPREAD)[:, inside]
    stains = torch.where(steady, stains, grown)
    before, after = torch.cat([stains[:1], stains[:-1]]), torch.cat([stains[1:], stains[-1:]])
    return torch.minimum(stains, torch.maximum(before, after))


def _large_enough(smooth: Tensor, inside: Tensor) -> Tensor:
    picture = np.zeros(inside.shape, np.uint8)
    picture[inside.numpy()] = (smooth > _FAINT).numpy()
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(picture, connectivity=4)
    blobs = torch.from_numpy(labels)[inside]
    areas = torch.from_numpy(statistics[:, cv2.CC_STAT_AREA].astype(np.float32))
    peaks = torch.zeros(len(areas)).scatter_reduce_(0, blobs.long(), smooth, "amax")
    share = smoothstep(areas, _SMALL, _LARGE) * smoothstep(peaks, _FAINT, _STRANGE)
    share[0] = 0  # the background
    return share[blobs.long()] * smoothstep(smooth, _FAINT - 0.5, _FAINT)

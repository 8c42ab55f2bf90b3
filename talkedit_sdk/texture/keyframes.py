"""How the skin of one face changes over a clip: worked out at key frames, blended between them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import gaussian_mean
from talkedit_sdk.texture.feather import Feather
from talkedit_sdk.texture.types import Change

STEP: Final = 0.05
"""Model units, root mean square over the face, by which source and result together move from key to key at most."""

SECONDS: Final = 0.4
"""Longest time between two keys."""

_SIDE: Final = 256  # to which coarser maps are enlarged, so that no texel shows on a large face
_SMOOTHING: Final = 0.06  # seconds; what trembles faster than keys are set would beat with them
_TOGETHER: Final = 16  # keys worked out at once on a GPU
_KEPT: Final = 64  # keys
_MOST: Final = 2.0  # of the logarithm of a gain


@dataclass(frozen=True)
class Expressions:
    """What one face does in T frames, and what it is to do.

    Members:
        before, after: (T, 52) coefficients.
        light: (T, 3), see `estimate_light`.
        scale: (T,) pixels per model unit.
        times: (T,) seconds; segments: (T,) int64, motion is continuous within equal values.
    """

    before: Tensor
    after: Tensor
    light: Tensor
    scale: Tensor
    times: NDArray[np.float64]
    segments: NDArray[np.int64]


class KeyedGain:
    """The gain of a face's skin in any frame, as `Renderer.draw` wants it.

    Keys are chosen once for the whole clip and worked out when they are asked for: whoever asks in whatever order gets
    the same. May be asked by several threads.

    Args:
        model: of the face.
        change: of this person.
        feather: where it ends.
        expressions: of the clip.
        detail: share of the change that is drawn.
    """

    def __init__(
        self, model: FaceModel, change: Change, feather: Feather, expressions: Expressions, detail: float
    ) -> None:
        self._change, self._feather, self._detail = change, feather, detail
        self._light, self._times = expressions.light, expressions.times
        self._before, self._after = _steadied(expressions)
        self._pitch = _texel_pitch(model) * expressions.scale.cpu().numpy()
        changed = (self._before != self._after).any(1)
        self._changed: NDArray[np.bool_] = changed.cpu().numpy()
        on_cpu = model.device.type == "cpu"
        self._keys = self._choose(model, expressions.segments) if on_cpu else np.arange(len(changed))
        self._group = 1 if on_cpu else _TOGETHER
        self._maps: OrderedDict[int, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def at(self, rows: Sequence[int]) -> Tensor | None:
        """(B, N, N, 3) float32 of frames; None if the skin of none of them changes."""
        found = [self._at(row) for row in rows]
        like = next((gain for gain in found if gain is not None), None)
        if like is None:
            return None
        return torch.stack([torch.zeros_like(like) if gain is None else gain for gain in found])

    def _choose(self, model: FaceModel, segments: NDArray[np.int64]) -> NDArray[np.int64]:
        basis = model.rendered.flatten(1)
        metric = torch.linalg.cholesky(basis @ basis.T / len(model.mean) + 1e-8 * torch.eye(len(basis)))
        states = torch.cat([self._before @ metric, self._after @ metric], 1)
        return choose_keys(states.numpy(), self._changed, self._times, segments)

    def _at(self, row: int) -> Tensor | None:
        right = int(np.searchsorted(self._keys, row))
        keys = [right] if self._keys[right] == row else [right - 1, right]
        if not self._changed[self._keys[keys]].any():
            return None
        gain = self._map(keys[0]).float()
        if len(keys) > 1:
            begin, end = self._times[self._keys[keys]]
            gain = torch.lerp(gain, self._map(right).float(), float((self._times[row] - begin) / (end - begin)))
        return prefiltered(gain, float(self._pitch[row]) / len(gain))

    def _map(self, key: int) -> Tensor:
        """(N, N, 3) float16."""
        group, place = divmod(key, self._group)
        with self._lock:
            if group not in self._maps:
                self._maps[group] = self._work_out(self._keys[group * self._group : (group + 1) * self._group])
                if len(self._maps) * self._group > _KEPT:
                    self._maps.popitem(last=False)
            self._maps.move_to_end(group)
            return self._maps[group][place]

    def _work_out(self, rows: NDArray[np.int64]) -> Tensor:
        chosen = torch.from_numpy(rows).to(self._before.device)
        with torch.no_grad():
            gain = self._change(self._before[chosen], self._after[chosen], self._light[chosen])
        if gain.shape[-1] < _SIDE:
            gain = interpolate(gain, (_SIDE, _SIDE), mode="bicubic", align_corners=False)
        gain = (self._detail * gain).clamp(-_MOST, _MOST) * self._feather(gain.shape[-1])
        return torch.expm1(gain).permute(0, 2, 3, 1).contiguous().half()


def choose_keys(
    states: NDArray[np.float32], changed: NDArray[np.bool_], times: NDArray[np.float64], segments: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rows of the key frames, the first and the last frame included.

    Args:
        states: (T, C) what moves, model units.
        changed: (T,) whether there is any change; both sides of its begin and end are keys.
        times: (T,) seconds.
        segments: (T,) labels; so are both sides of a border between them, and of a leap.
    """
    path = np.linalg.norm(np.diff(states, axis=0), axis=1)
    advance = np.maximum(path / STEP, np.diff(times) / SECONDS)
    clock = np.floor(np.concatenate([[0.0], np.cumsum(advance)]))
    apart = (advance >= 1) | (np.diff(segments) != 0) | (changed[1:] != changed[:-1])
    keys = np.zeros(len(states), bool)
    keys[0] = keys[-1] = True
    keys[1:] |= (np.diff(clock) > 0) | apart
    keys[:-1] |= apart
    return np.flatnonzero(keys)


def prefiltered(gain: Tensor, pitch: float) -> Tensor:
    """(N, N, 3) without what is finer than pixels, continuous in `pitch`, the size of a texel in pixels."""
    level = float(np.clip(-np.log2(max(pitch, 1e-6)), 0, np.log2(len(gain)) - 1))
    if level == 0:
        return gain
    planes = gain.permute(2, 0, 1)[None]
    finer, coarser = (_averaged(planes, 2 ** (int(level) + more)) for more in (0, 1))
    return torch.lerp(finer, coarser, level % 1)[0].permute(1, 2, 0).contiguous()


def _averaged(planes: Tensor, texels: int) -> Tensor:
    if texels == 1:
        return planes
    side = planes.shape[-1]
    return interpolate(avg_pool2d(planes, texels), (side, side), mode="bilinear", align_corners=False)


def _steadied(expressions: Expressions) -> tuple[Tensor, Tensor]:
    """Coefficients before and after that do not tremble; still equal where they were."""
    before, after = expressions.before, expressions.after
    times, segments = (
        torch.from_numpy(np.array(a)).to(before.device) for a in (expressions.times, expressions.segments)
    )
    steady = gaussian_mean(before, times, segments, _SMOOTHING)
    return steady, (steady + (after - before)).clamp(0, 1)


def _texel_pitch(model: FaceModel) -> float:
    """Model units that the width of a texture spans on the face, on average."""
    corners = model.triangles.long()
    on_face, on_map = (_areas(points[corners]) for points in (model.mean, torch.nn.functional.pad(model.uv, (0, 1))))
    return float((on_face.sum() / on_map.sum()).sqrt())


def _areas(corners: Tensor) -> Tensor:
    """(F, 3, 3) -> (F,) twice the area."""
    a, b, c = corners.unbind(1)
    areas: Tensor = torch.cross(b - a, c - a, dim=-1).norm(dim=-1)
    return areas

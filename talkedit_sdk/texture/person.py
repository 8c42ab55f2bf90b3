"""What is known of one person's skin: how it changes with expression, and how it is lit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import gaussian_mean, smoothstep
from talkedit_sdk.face.track import FaceTrack
from talkedit_sdk.motion.windows import interpolate
from talkedit_sdk.texture.light import estimate_light
from talkedit_sdk.texture.skin import SkinMap, even_light
from talkedit_sdk.texture.types import Change, TextureEditor
from talkedit_sdk.texture.uv import TexelMap

_EVERY: Final = 0.5  # seconds between two looks at the light
_STEADY: Final = 1.0  # seconds, standard deviation of its mean
_FACING: Final = (0.30, 0.50)  # cosine; seen too flatly below the first, well above the second


@dataclass(frozen=True)
class Person:
    """One person in N frames. `light` is (N, 3), see `estimate_light`, smooth over time."""

    change: Change
    light: Tensor


class PersonReader:
    """Gets to know the people of a clip, each of them once.

    Args:
        model: of the face.
        texels: of `FaceTrack.textures`.
        skin: of `FaceTrack.views`.
        editor: knows how skin changes.
    """

    def __init__(self, model: FaceModel, texels: TexelMap, skin: SkinMap, editor: TextureEditor) -> None:
        self._model, self._texels, self._skin, self._editor = model, texels, skin, editor
        self._known: WeakKeyDictionary[FaceFit, Person] = WeakKeyDictionary()

    def read(self, track: FaceTrack, fit: FaceFit, times: NDArray[np.float64], keep: Tensor) -> Person:
        """track: a face in N frames; fit: of it; times: (N,) seconds; keep: (N, 468), see `Occlusion`."""
        if fit not in self._known:
            self._known[fit] = Person(self._change(track, fit), self._light(track, times, keep))
        return self._known[fit]

    def _change(self, track: FaceTrack, fit: FaceFit) -> Change:
        side, device, views = self._skin.side, self._model.device, track.views
        visible, textures = torch.zeros(len(views), side, side), torch.zeros(len(views), side, side, 3)
        for place, view in enumerate(views):
            visible[place] = torch.from_numpy(self._skin.visible(view.landmarks))
            textures[place] = torch.from_numpy(view.texture)
        seen = visible.to(device)
        skin = even_light(textures.to(device), seen)
        return self._editor.know(skin, seen, fit.coefficients[[view.row for view in views]])

    def _light(self, track: FaceTrack, times: NDArray[np.float64], keep: Tensor) -> Tensor:
        looked = _moments(times, track.segments)
        shape = (len(looked), self._texels.side, self._texels.side, 3)
        textures = np.zeros(shape, np.uint8) if track.textures is None else np.array(track.textures[looked])
        landmarks = np.array(track.landmarks[looked], np.float32)
        seen = smoothstep(torch.from_numpy(self._texels.facing(landmarks)), *_FACING).numpy()
        free = self._texels.spread(keep[torch.from_numpy(looked).to(keep.device)].cpu().numpy()[..., None])[..., 0]
        visible = np.asarray(seen * free if track.textures is not None else 0 * seen, np.float32)
        light = estimate_light(textures, visible, self._model, self._texels)
        seconds, segments = (torch.from_numpy(np.array(a)).to(light.device) for a in (times, track.segments))
        rows = torch.from_numpy(looked).to(light.device)
        steady = gaussian_mean(light, seconds[rows], segments[rows], _STEADY)
        return interpolate(steady, seconds[rows], seconds)


def _moments(times: NDArray[np.float64], segments: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows at which the light is looked at: every now and then, and first and last in each segment."""
    chosen = np.zeros(len(times), bool)
    apart = np.diff(segments) != 0
    chosen[0] = chosen[-1] = True
    chosen[1:] |= (np.diff(np.floor(times / _EVERY)) != 0) | apart
    chosen[:-1] |= apart
    return np.flatnonzero(chosen)

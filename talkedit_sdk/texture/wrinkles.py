"""Folds and shading that come with an expression, worked out from the strain of the skin and the light.

The graphics way, as in Bickel et al., *Multi-scale capture of facial geometry and motion* (SIGGRAPH 2007): compression
of the moved mesh across known lines raises folds along them; their slopes are lit, their valleys are dark.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, softplus

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import BROW_LEFT, BROW_RIGHT
from talkedit_sdk.texture.folds import FoldLook, lines
from talkedit_sdk.texture.light import DIMMEST, LUMA, surface_normals
from talkedit_sdk.texture.relief import Relief, Surface, raise_folds
from talkedit_sdk.texture.skin import gaussian_blur
from talkedit_sdk.texture.types import Change
from talkedit_sdk.texture.uv import TexelMap

_CAVITY = 0.62  # log darkening of a valley as deep as it is wide
_DARKEST, _BRIGHTEST = 0.50, 0.10
_LIT = 0.75  # share of the shading of slopes that shows: skin lets light through
_CAVITY_TINT = (0.64, 1.06, 1.12)  # light that is left in a valley has gone through skin
_SLOPE_TINT = (0.90, 1.02, 1.04)

_FORM, _FORM_LIMIT = 0.6, 0.25
_FORM_FADE = (0.03, 0.14)  # model units from lids, lips and outline within which the form is not shaded, and from where

_GRAIN = (1.2 / 256, 4.0 / 256)  # sides of the texture, between which lies the roughness of skin
_ROUGHNESS = (0.008, 0.024, 0.07)  # of log luminance: smoothed by a filter or a lens, an adult's, weathered or bearded
_AGES = (0.1, 0.4, 0.8)
_BARE = 0.09  # model units from brows, lids, lips and outline where roughness is that of skin
_FEWEST_TEXELS = 500


class WrinkleRenderer:
    """Renders the change of skin between two expressions, for anybody: a `TextureEditor` that learnt nothing.

    Args:
        model: of the face.
        texels: the layout of the textures, of any side.
    """

    def __init__(self, model: FaceModel, texels: TexelMap) -> None:
        self._model, self._side = model, texels.side
        self._surface = Surface(model, texels)
        self._relief = lru_cache(maxsize=8)(self._raise)

    def know(self, skin: Tensor, visible: Tensor, coefficients: Tensor) -> Change:
        """See `TextureEditor`. All that it learns of a person is how smooth the skin is, by youth or by a filter:
        smooth skin folds less."""
        return partial(self.change, look=self._look(skin, visible))

    def change(self, before: Tensor, after: Tensor, light: Tensor, look: FoldLook | None = None) -> Tensor:
        """See `Change`.

        Args:
            before, after: (T, 52) coefficients.
            light: (T, 3), see `estimate_light`.
            look: how this person's skin folds, an adult in the middle if None.
        """
        relief = self._relief(look or FoldLook())
        logs = self._form(before, after, light)
        logs[:, :, relief.texels] += _folded(relief, before, after, light)
        maps = logs.new_zeros(len(before), 3, self._side**2)
        maps[:, :, self._surface.where] = logs
        return maps.view(len(before), 3, self._side, self._side)

    def _form(self, before: Tensor, after: Tensor, light: Tensor) -> Tensor:
        """(T, 3, S) what cheeks, brows and chin gain and lose by facing elsewhere."""
        shades = []
        for coefficients in (before, after):
            vertices = self._model.mean + self._model.motion(coefficients)
            normals = surface_normals(vertices, self._model.triangles)
            shades.append(_brightness((normals * light[:, None]).sum(-1)).log())
        change = self._surface.spread((shades[1] - shades[0])[..., None])[..., 0]
        change = _FORM_LIMIT * torch.tanh(_FORM * change / _FORM_LIMIT) * smoothstep(self._surface.clear, *_FORM_FADE)
        return change[:, None] * change.new_tensor(_SLOPE_TINT)[:, None]

    def _raise(self, look: FoldLook) -> Relief:
        return raise_folds(self._model, self._surface, lines(look))

    def _look(self, skin: Tensor, visible: Tensor) -> FoldLook:
        """skin: (K, 3, n, n), visible: (K, n, n)."""
        side = skin.shape[-1]
        brows = self._model.mean[[*BROW_LEFT, *BROW_RIGHT]]
        places, clear = self._surface.places, self._surface.clear
        upper = (places[:, 1] < 0.3) & ((places[:, 1] < -0.6) | (places[:, 1] > -0.3)) & (places[:, 0].abs() < 0.65)
        bare = upper & (clear > _BARE) & (torch.cdist(places, brows).amin(1) > _BARE)
        mask = skin.new_zeros(1, 1, self._side**2)
        mask[..., self._surface.where] = bare.to(mask)
        mask = interpolate(mask.view(1, 1, self._side, self._side), (side, side), mode="bilinear")[0]
        grey = (skin * skin.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
        fine, coarse = (gaussian_blur(grey, sigma * side) for sigma in _GRAIN)
        seen = (fine - coarse)[:, 0][(mask * visible) > 0.5]
        if len(seen) < _FEWEST_TEXELS:
            return FoldLook()
        roughness = 1.48 * float(seen.abs().median())  # as a standard deviation, whatever moles and hairs there are
        return FoldLook(round(float(np.interp(roughness, _ROUGHNESS, _AGES)), 2))


def _folded(relief: Relief, before: Tensor, after: Tensor, light: Tensor) -> Tensor:
    """(T, 3, S') what folds add. Folds that go are left to who has seen them: nobody knows where exactly they were."""
    end = relief.fullness(after)
    begin = relief.fullness(before).minimum(end)
    cavity, slope = relief.fields(torch.cat([begin, end]))
    cavity = _DARKEST * torch.tanh(_CAVITY * cavity / _DARKEST)
    bent = relief.normals.T[:, :, None] - slope
    bent = bent / bent.norm(dim=0)
    cosine = torch.einsum("cst,tc->ts", bent, light.repeat(2, 1))
    lit = _LIT * _brightness(cosine).log()
    count = len(before)
    darker, turned = (cavity[:, count:] - cavity[:, :count]).T, lit[count:] - lit[:count]
    tints = darker.new_tensor([_CAVITY_TINT, _SLOPE_TINT])[:, None, :, None]
    change = tints[1] * turned[:, None] - tints[0] * darker[:, None]
    return torch.where(change > 0, _BRIGHTEST * torch.tanh(change / _BRIGHTEST), change)


def _brightness(cosine: Tensor) -> Tensor:
    """1 + n·l, kept above `DIMMEST` without a corner."""
    return DIMMEST + softplus(12 * (1 + cosine - DIMMEST)) / 12

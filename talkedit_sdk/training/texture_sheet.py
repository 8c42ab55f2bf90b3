"""What the texture networks make, side by side, to look at while they learn."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from talkedit_sdk.texture.learned import TextureNetwork
from talkedit_sdk.texture.network import LATENT
from talkedit_sdk.training.texture_pairs import TextureLesson

_GREY, _RANGE = 0.55, 0.7  # level of log skin 0, and of a unit of it
_STRONGER: Final = 1.5  # changes are shown so much larger


@torch.no_grad()
def write_sheet(path: Path, network: TextureNetwork, lesson: TextureLesson) -> None:
    """One row for each of the lesson's people: the source as it is and as rebuilt; the change that is wanted and that
    which is made; the source with either; a sample. Texels that do not count are grey."""
    base, offsets = network.encoder(lesson.skin, lesson.visible)
    w = network.assembled(base, offsets)
    after = network.moved(w, lesson.own, lesson.goal, lesson.light)
    random = torch.Generator().manual_seed(0)
    drawn = network.mapping(torch.randn(len(w), LATENT, generator=random).to(w.device))
    rebuilt, edited, sampled = network.generator(torch.cat([w, after, network.spread(drawn)])).chunk(3)
    visible = lesson.visible[:, None]
    shown = (lesson.trust[:, None] > 0).float()
    wanted, made = lesson.change * shown, (edited - rebuilt) * shown
    columns = (
        lesson.skin, rebuilt * visible, _STRONGER * wanted, _STRONGER * made, lesson.skin + wanted, lesson.skin + made,
        sampled,
    )  # fmt: skip
    rows = torch.cat([_picture(column) for column in columns], -1)
    picture: NDArray[np.uint8] = torch.cat(list(rows), 1).permute(1, 2, 0).cpu().numpy()
    path.write_bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())


def _picture(maps: Tensor) -> Tensor:
    """(B, 3, N, N) logarithms -> uint8, 0 in the middle."""
    return ((_GREY + _RANGE * maps).clamp(0, 1) * 255).to(torch.uint8)

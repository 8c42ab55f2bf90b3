"""Chooses the rasterizer of a device."""

from __future__ import annotations

from typing import Any

import torch

from talkedit_sdk.errors import OptionError
from talkedit_sdk.render.types import Rasterizer


def make_rasterizer(device: str | torch.device) -> Rasterizer[Any]:
    """The fastest rasterizer for a device: of NumPy arrays on the CPU, of tensors on that device elsewhere.

    Raises OptionError if there can be no such device.
    """
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise OptionError(f"Name a device such as 'cpu' or 'cuda', not {device!r}.") from error
    if kind == "cpu":
        from talkedit_sdk.render.raster_numba import NumbaRasterizer

        return NumbaRasterizer()
    from talkedit_sdk.render.raster_torch import TorchRasterizer

    return TorchRasterizer()

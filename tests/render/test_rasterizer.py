from __future__ import annotations

import pytest
import torch

from talkedit_sdk.errors import OptionError
from talkedit_sdk.render.raster_numba import NumbaRasterizer
from talkedit_sdk.render.raster_torch import TorchRasterizer
from talkedit_sdk.render.rasterizer import make_rasterizer


def test_numba_on_the_cpu_and_torch_elsewhere():
    assert isinstance(make_rasterizer("cpu"), NumbaRasterizer)
    assert isinstance(make_rasterizer(torch.device("cpu")), NumbaRasterizer)
    assert isinstance(make_rasterizer("cuda:0"), TorchRasterizer)


def test_unknown_device():
    with pytest.raises(OptionError, match="'toaster'"):
        make_rasterizer("toaster")

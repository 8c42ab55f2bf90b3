from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from talkedit_sdk.face.topology import VERTICES
from talkedit_sdk.texture.person import PersonReader, _moments
from talkedit_sdk.texture.skin import SkinMap
from talkedit_sdk.texture.uv import TexelMap


class Memory:
    """A texture editor that remembers whom it was shown."""

    def __init__(self):
        self.shown = []

    def know(self, skin, visible, coefficients):
        self.shown.append((skin, visible, coefficients))
        return lambda before, after, light: torch.zeros(len(before), 3, 8, 8)


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def read(model, watched, memory):
    reader = PersonReader(model, TexelMap(model), SkinMap(model), memory)
    (track,), (fit,) = watched.tracking.faces, watched.fits

    def read(track=track, fit=fit):
        return reader.read(track, fit, watched.tracking.times[track.frames], torch.ones(len(track.frames), VERTICES))

    return read


def test_everybody_is_looked_at_once(watched, memory, read):
    person = read()
    assert read() is person
    (shown,) = memory.shown
    assert read(fit=replace(watched.fits[0])) is not person
    assert len(memory.shown) == 2
    skin, visible, coefficients = shown
    count = len(watched.tracking.faces[0].views)
    assert count > 0
    assert (skin.shape, visible.shape) == ((count, 3, 256, 256), (count, 256, 256))
    assert coefficients.shape == (count, 52)
    assert skin.dtype == torch.float32
    assert skin.isfinite().all()
    assert 0.1 < float(skin.abs().max()) < 5


def test_the_light_is_told_for_every_frame_and_steady(watched, read):
    light = read().light
    assert light.shape == (24, 3)
    assert light.norm(dim=1).max() <= 0.9
    assert light.diff(dim=0).norm(dim=1).max() < 0.02


def test_tracks_without_textures_and_views(watched, memory, read):
    bare = replace(watched.tracking.faces[0], textures=None, views=())
    person = read(track=bare)
    ((skin, visible, coefficients),) = memory.shown
    assert (skin.shape, visible.shape, coefficients.shape) == ((0, 3, 256, 256), (0, 256, 256), (0, 52))
    assert person.light.shape == (24, 3)
    assert person.light.diff(dim=0).abs().max() < 1e-5


def test_the_light_is_looked_at_now_and_then_and_at_cuts():
    times = np.arange(100) / 25
    moments = _moments(times, (np.arange(100) > 40).astype(np.int64)).tolist()
    assert {0, 40, 41, 99} <= set(moments)
    assert max(np.diff(moments)) <= 13
    assert len(moments) < 15
    assert _moments(np.zeros(1), np.zeros(1, np.int64)).tolist() == [0]

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from talkedit_sdk.render import raster_torch
from talkedit_sdk.render.raster_numba import NumbaRasterizer
from talkedit_sdk.render.raster_torch import TorchRasterizer


@st.composite
def scenes(draw):
    """Up to two meshes whose vertices often lie on pixel centres or on each other, so that edges and depths tie."""
    batch, count, faces = draw(st.integers(1, 2)), draw(st.integers(3, 9)), draw(st.integers(0, 20))
    size = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    coordinate = st.one_of(
        st.integers(-6, 30).map(float), st.integers(-12, 60).map(lambda half: half / 2), st.floats(-6, 30, width=32)
    )
    vertices = draw(hnp.arrays(np.float32, (batch, count, 3), elements=coordinate))
    triangles = draw(hnp.arrays(np.int32, (faces, 3), elements=st.integers(0, count - 1)))
    return vertices, triangles, size


def compare(vertices, triangles, size, device="cpu"):
    expected = NumbaRasterizer().rasterize(vertices, triangles, size)
    attributes = np.concatenate((vertices, vertices[..., :1] * 3 - 7), -1)
    tensors = [torch.from_numpy(array).to(device) for array in (vertices, triangles, attributes)]
    fragments = TorchRasterizer().rasterize(tensors[0], tensors[1], size)
    assert fragments.face_index.dtype == torch.int32
    assert fragments.depth.dtype == fragments.barycentric.dtype == torch.float32
    np.testing.assert_array_equal(fragments.face_index.cpu(), expected.face_index)
    np.testing.assert_allclose(fragments.depth.cpu(), expected.depth, atol=1e-4)
    np.testing.assert_allclose(fragments.barycentric.cpu(), expected.barycentric, atol=1e-4)
    mapped, covered = TorchRasterizer().map(*tensors, size)
    expected_map, expected_covered = NumbaRasterizer().map(vertices, triangles, attributes, size)
    np.testing.assert_allclose(mapped.cpu(), expected_map, atol=1e-3)
    np.testing.assert_array_equal(covered.cpu(), expected_covered)


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_same_as_numba_ties_included(scene):
    compare(*scene)


def test_minus_zero_is_no_nearer_than_zero():
    vertices = np.zeros((1, 6, 3), np.float32)
    vertices[0, :, :2] = [[0, 0], [9, 0], [0, 9]] * 2
    vertices[0, 3:, 2] = -0.0
    compare(vertices, np.array([[0, 1, 2], [3, 4, 5]], np.int32), (10, 10))


def large_scene(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.uniform((-20, -20, -5), (150, 120, 5), (2, 200, 3)).astype(np.float32)
    vertices[0, 0] = np.nan
    return vertices, rng.integers(0, 200, (120, 3)).astype(np.int32), (101, 131)


@pytest.mark.parametrize("chunk", [997, 1 << 21])
def test_chunks_do_not_show(monkeypatch, chunk):
    """The smaller one cuts through single triangles."""
    vertices, triangles, size = large_scene(0)
    monkeypatch.setattr(raster_torch, "CHUNK", chunk)
    if chunk < 1000:
        triangles = triangles[:20]
    compare(vertices, triangles, size)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("seed", range(2))
def test_same_on_the_gpu(seed):
    compare(*large_scene(seed), device="cuda")

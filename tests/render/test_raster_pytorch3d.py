"""PyTorch3D has no wheel here, so most of this runs on a stand-in that follows its documented conventions."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from talkedit_sdk.errors import OptionError
from talkedit_sdk.render.raster_pytorch3d import PyTorch3DRasterizer
from talkedit_sdk.render.raster_torch import TorchRasterizer

INSTALLED = importlib.util.find_spec("pytorch3d") is not None


def rasterize_meshes(meshes, image_size, blur_radius, faces_per_pixel, perspective_correct):
    """Brute force. In normalised coordinates x points left and y up; the shorter side of the picture spans -1 to 1."""
    assert faces_per_pixel == 1
    assert not perspective_correct
    height, width = image_size
    centre_x = (width - 1 - 2 * np.arange(width)) / min(image_size)
    centre_y = (height - 1 - 2 * np.arange(height)) / min(image_size)
    points = np.stack(np.meshgrid(centre_x, centre_y), -1)
    faces = np.full((len(meshes.vertices), height, width), -1)
    for mesh, vertices in enumerate(meshes.vertices.double().numpy()):
        nearest = np.full(image_size, np.inf)
        for index, triangle in enumerate(meshes.faces[mesh].numpy()):
            corners = vertices[triangle]
            area = np.cross(corners[1, :2] - corners[0, :2], corners[2, :2] - corners[0, :2])
            if abs(area) <= 1e-8:
                continue
            weights, distance = [], np.full(image_size, np.inf)
            for start, end in ((1, 2), (2, 0), (0, 1)):
                along, to = corners[end, :2] - corners[start, :2], points - corners[start, :2]
                weights.append((along[0] * to[..., 1] - along[1] * to[..., 0]) / area)
                share = np.clip(to @ along / (along @ along), 0, 1)
                distance = np.minimum(distance, ((to - share[..., None] * along) ** 2).sum(-1))
            depth = np.stack(weights, -1) @ corners[:, 2]
            shown = ((np.min(weights, 0) > 0) | (distance < blur_radius)) & (depth >= 0) & (depth < nearest)
            nearest[shown] = depth[shown]
            faces[mesh][shown] = index + mesh * meshes.faces.shape[1]
    return torch.from_numpy(faces)[..., None], None, None, None


@pytest.fixture
def stand_in(monkeypatch):
    modules = {
        "pytorch3d": {},
        "pytorch3d.structures": {"Meshes": lambda verts, faces: SimpleNamespace(vertices=verts, faces=faces)},
        "pytorch3d.renderer": {},
        "pytorch3d.renderer.mesh": {},
        "pytorch3d.renderer.mesh.rasterize_meshes": {"rasterize_meshes": rasterize_meshes},
    }
    for name, members in modules.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)


def compare(vertices, triangles, size):
    found = PyTorch3DRasterizer().rasterize(vertices, triangles, size)
    expected = TorchRasterizer().rasterize(vertices, triangles, size)
    assert (expected.face_index >= 0).any()
    assert found.face_index.dtype == torch.int32
    # Where an edge runs through a pixel or two depths are equal, either may win.
    same = found.face_index == expected.face_index
    assert same.float().mean() > 0.999
    torch.testing.assert_close(found.depth[same], expected.depth[same])
    torch.testing.assert_close(found.barycentric[same], expected.barycentric[same])


def scene(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.uniform((-8, -8, -50), (60, 44, 50), (2, 20, 3)).astype(np.float32)
    triangles = np.array([rng.choice(20, 3, replace=False) for _ in range(15)], np.int32)
    return torch.from_numpy(vertices), torch.from_numpy(triangles)


SIZES = [(36, 36), (33, 52), (50, 28)]


@pytest.mark.skipif(not INSTALLED, reason="pytorch3d has no wheel for this Python and torch")
@pytest.mark.parametrize("size", SIZES)
def test_same_as_torch(size):
    compare(*scene(0), size)


@pytest.mark.skipif(INSTALLED, reason="pytorch3d is installed")
def test_its_absence_is_told():
    with pytest.raises(OptionError, match="Install pytorch3d"):
        PyTorch3DRasterizer()


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("size", SIZES)
def test_pixels_and_depths_are_converted_both_ways(size):
    compare(*scene(1), size)


@pytest.mark.usefixtures("stand_in")
def test_edges_through_pixel_centres_leave_no_holes():
    vertices = torch.tensor([[[0, 0, 3], [10, 0, 3], [0, 10, 3], [10, 10, 3], [5, 5, 2]]], dtype=torch.float32)
    triangles = torch.tensor([[0, 1, 4], [1, 3, 4], [3, 2, 4], [2, 0, 4]], dtype=torch.int32)
    _, covered = PyTorch3DRasterizer().map(vertices, triangles, vertices, (11, 11))
    assert covered.all()
    _, covered = PyTorch3DRasterizer().map(vertices, triangles[:0], vertices, (11, 11))
    assert not covered.any()

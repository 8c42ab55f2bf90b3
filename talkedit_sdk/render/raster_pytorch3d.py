"""Rasterizer that adapts PyTorch3D, where it is installed."""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor

from talkedit_sdk.errors import OptionError
from talkedit_sdk.render.raster_torch import TorchRasterizer

ON_EDGE = 1e-12
"""Squared distance, in normalised device coordinates, up to which a pixel counts as lying on an edge: 0.0005 pixels in
a picture of 1000. At 0, PyTorch3D would leave holes where an edge runs exactly through a pixel."""


class PyTorch3DRasterizer(TorchRasterizer):
    """`Rasterizer` of tensors in which PyTorch3D chooses the triangle of each pixel.

    Depth and weights are then computed as in `TorchRasterizer`, because PyTorch3D adds 1e-8 to the area that it divides
    by, which shows in small triangles. It skips triangles under about 0.003 square pixels (in a picture of 1000).
    """

    def __init__(self) -> None:
        """Raises OptionError if PyTorch3D is not installed."""
        if importlib.util.find_spec("pytorch3d") is None:
            raise OptionError("Install pytorch3d to use its rasterizer, or take TorchRasterizer, which gives the same.")

    def nearest_faces(self, vertices: Tensor, triangles: Tensor, size: tuple[int, int]) -> Tensor:
        """The `face_index` of `Fragments`."""
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.structures import Meshes

        batch, faces = len(vertices), len(triangles)
        if faces == 0:
            return torch.full((batch, *size), -1, dtype=torch.int32, device=vertices.device)
        meshes = Meshes(_normalised(vertices, size), triangles.long().expand(batch, -1, -1))
        packed, _, _, _ = rasterize_meshes(
            meshes, image_size=size, blur_radius=ON_EDGE, faces_per_pixel=1, perspective_correct=False
        )
        packed = packed[..., 0]
        first = torch.arange(batch, device=packed.device)[:, None, None] * faces  # PyTorch3D counts through the batch
        return torch.where(packed < 0, -1, packed - first).int()


def _normalised(vertices: Tensor, size: tuple[int, int]) -> Tensor:
    """Pixels -> PyTorch3D's normalised device coordinates: x left, y up, the shorter side from -1 to 1
    between the outer borders of its pixels, z > 0 (what lies behind 0 is not drawn)."""
    height, width = size
    x, y, z = vertices.unbind(2)
    return torch.stack((width - 1 - 2 * x, height - 1 - 2 * y, z - z.amin() + 1), 2) / min(size)

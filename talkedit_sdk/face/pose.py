"""Where a face is in the picture: similarity transforms between the face model and pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pose:
    """picture = scale · rotation @ model + translation, per frame.

    Members:
        scale: (T,) pixels per model unit.
        rotation: (T, 3, 3) from model to picture axes.
        translation: (T, 3) pixels.
    """

    scale: Tensor
    rotation: Tensor
    translation: Tensor

    def to_model(self, points: Tensor) -> Tensor:
        """(T, V, 3) pixels -> (T, V, 3) model units."""
        centred = points - self.translation[:, None]
        return torch.einsum("tji,tvj->tvi", self.rotation, centred) / self.scale[:, None, None]

    def to_picture(self, points: Tensor) -> Tensor:
        """(T, V, 3) or (V, 3) model units -> (T, V, 3) pixels."""
        return self.rotate(points) + self.translation[:, None]

    def rotate(self, offsets: Tensor) -> Tensor:
        """(T, V, 3) or (V, 3) offsets in model units -> (T, V, 3) offsets in pixels."""
        offsets = offsets.expand(len(self.scale), -1, -1)
        return self.scale[:, None, None] * torch.einsum("tij,tvj->tvi", self.rotation, offsets)

    def __getitem__(self, index: slice | Tensor) -> Pose:
        return Pose(self.scale[index], self.rotation[index], self.translation[index])


def align(points: Tensor, reference: Tensor, weights: Tensor) -> Pose:
    """The pose that carries `reference` onto `points` with the least weighted squared error.

    Umeyama, *Least-squares estimation of transformation parameters between two point patterns*, TPAMI 1991, batched.

    Args:
        points: (T, V, 3) pixels.
        reference: (V, 3) or (T, V, 3) model units.
        weights: (V,) or (T, V), not all zero.
    """
    reference = reference.expand(points.shape[0], -1, -1) if reference.ndim == 2 else reference
    share = (weights / weights.sum(-1, keepdim=True)).expand(points.shape[0], -1)[..., None]
    mean_points, mean_reference = (share * points).sum(1), (share * reference).sum(1)
    centred_points, centred_reference = points - mean_points[:, None], reference - mean_reference[:, None]
    covariance = torch.einsum("tvi,tvj->tij", share * centred_points, centred_reference)
    u, singular, vt = torch.linalg.svd(covariance)
    signs = torch.ones_like(singular)
    signs[:, 2] = torch.sign(torch.linalg.det(u @ vt))
    rotation = (u * signs[:, None]) @ vt
    variance = (share * centred_reference**2).sum((1, 2))
    scale = (singular * signs).sum(1) / variance.clamp_min(1e-12)
    translation = mean_points - scale[:, None] * torch.einsum("tij,tj->ti", rotation, mean_reference)
    return Pose(scale, rotation, translation)

"""What follows from the mean face and the landmark graph: triangles, UV layout, regions."""

from __future__ import annotations

import torch
from torch import Tensor

from talkedit_sdk.face import topology
from talkedit_sdk.face.topology import VERTICES

_STILL = (
    ((168, 6, 197, 195, 133, 362), 0.045),  # nose bridge, inner eye corners
    ((10, 338, 109, 297, 67, 332, 103, 284, 54, 251, 21, 389, 162, 356, 127), 0.12),  # hairline, temples
    ((234, 454, 93, 323), 0.22),  # skin before the ears, which slides little over the joint of the jaw
)
"""Vertices that keep still, and how far they hold the skin around them, in outer eye corner distances."""
# Three landmarks around each nostril wing are joined pairwise but span no face of the mesh.
_NO_FACES = frozenset({frozenset((49, 64, 129)), frozenset((279, 294, 358))})


def triangles_of(mean: Tensor) -> Tensor:
    """(852, 3) int32 triangles of the FaceMesh graph, holes for eyes and mouth, wound clockwise in the picture."""
    from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION

    neighbours: dict[int, set[int]] = {vertex: set() for vertex in range(VERTICES)}
    for a, b in FACEMESH_TESSELATION:
        neighbours[a].add(b)
        neighbours[b].add(a)
    found = {
        frozenset((a, b, c)) for a in range(VERTICES) for b in neighbours[a] for c in neighbours[a] & neighbours[b]
    }
    triangles = torch.tensor(sorted(sorted(face) for face in found - _NO_FACES))
    a, b, c = (mean[triangles[:, i], :2] for i in range(3))
    backwards = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] < 0
    triangles[backwards] = triangles[backwards][:, [0, 2, 1]]
    return triangles.int()


def uv_of(mean: Tensor, triangles: Tensor) -> Tensor:
    """(468, 2) in [0, 1]: the face unrolled from a cylinder, then relaxed where it folds (under the nose, at the
    lips).
    """
    axis_depth = mean[:, 2].max() + 0.6
    angle = torch.atan2(mean[:, 0], axis_depth - mean[:, 2])
    radius = (axis_depth - mean[:, 2]).mean()
    uv = torch.stack([angle * radius, mean[:, 1]], 1)
    neighbours = torch.zeros(VERTICES, VERTICES)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        neighbours[triangles[:, i].long(), triangles[:, j].long()] = 1
        neighbours[triangles[:, j].long(), triangles[:, i].long()] = 1
    average = neighbours / neighbours.sum(1, keepdim=True)
    border = set(topology.OVAL)
    fixed = torch.tensor([vertex in border for vertex in range(VERTICES)])
    for _ in range(200):
        small = _area(uv, triangles) < 2e-5
        if not bool(small.any()):
            break
        loose = torch.zeros(VERTICES, dtype=torch.bool)
        loose[triangles[small].long().flatten()] = True
        loose &= ~fixed
        uv[loose] = 0.5 * uv[loose] + 0.5 * (average @ uv)[loose]
    low, high = uv.min(0).values, uv.max(0).values
    return 0.5 + 0.96 * (uv - (low + high) / 2) / (high - low).max()


def mobility_of(mean: Tensor) -> Tensor:
    """(468,) 0 on bone (nose bridge, inner eye corners, hairline, temples, ears), 1 where skin moves freely."""
    nearest = torch.stack([torch.cdist(mean, mean[list(still)]).min(1).values / radius for still, radius in _STILL])
    return 1 - torch.exp(-0.5 * nearest.min(0).values ** 2)


def regions_of(mean: Tensor) -> Tensor:
    """(7, 468) soft membership in `talkedit_sdk.face.model.REGIONS`; the columns sum to 1."""
    seeds = (
        topology.BROW_LEFT + topology.BROW_RIGHT,
        topology.EYE_LEFT + topology.EYE_RIGHT,
        (1, 2, 4, 5, 6, 19, 48, 64, 98, 115, 131, 168, 195, 197, 278, 294, 327, 344, 360),
        (50, 101, 117, 118, 205, 207, 280, 330, 346, 347, 425, 427),
        topology.LIPS_OUTER + topology.LIPS_INNER,
        (18, 83, 175, 199, 200, 208, 313, 396, 406, 428, 171, 182, 194, 418, 421, 201),
        topology.OVAL,
    )
    nearest = torch.stack([torch.cdist(mean, mean[list(seed)]).min(1).values for seed in seeds])
    return torch.softmax(-nearest / 0.05, dim=0)


def _area(points: Tensor, triangles: Tensor) -> Tensor:
    a, b, c = (points[triangles[:, i].long()] for i in range(3))
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2

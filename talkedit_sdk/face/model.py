"""The 3D morphable face model: what shapes a face can take, and how the 52 coefficients move it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.regressor import CoefficientRegressor
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import BLENDSHAPES, VERTICES
from talkedit_sdk.weights_files import read_config, read_tensors

FORMAT: Final = 1
POSE_TERMS: Final = 9
REACH: Final = 1.35
"""Displacement at coefficient 1 relative to that at a teacher score of 1. Scores saturate and regression on them comes
out short, so that a face in earnest goes further than the basis at score 1; the coefficients keep room for it."""
_UPPER_FACE: Final = (0.1, -0.2)  # y on the mean face to which brows and lids move nothing, and from where all
_MAX_BYTES: Final = 64 * 2**20
_VERTEX_NUMBERS: Final = frozenset({"triangles", "mirror"})


@dataclass(frozen=True)
class FaceModel:
    """FaceMesh topology with linear bases. x right, y down, z away from the camera, as in the picture; lengths in units
    of the distance between the outer eye corners of the mean face.

        vertices = mean + identity · α + pose · π(rotation) + expression · β

    Members:
        mean: (468, 3) neutral mean face, seen from the front.
        identity: (K, 468, 3) directions in which neutral faces differ, scaled so that α ~ N(0, 1).
        expression: (52, 468, 3) displacement at coefficient 1, order `BLENDSHAPES`.
        pose: (9, 468, 3) what the landmark detector itself bends when the head turns (see `pose_terms`); not a movement
            of the face, so it is explained away and never rendered.
        precision: (468, 3) inverse variance of the residual, relative to the median vertex.
        gamma: (52,) exponent that maps a teacher score to a coefficient, β = score^gamma / REACH.
        spread: () typical offset of a vertex from the mean, the input scale of the regressor.
        triangles: (852, 3) int32, with holes for eyes and mouth.
        uv: (468, 2) in [0, 1], x right, y down.
        mirror: (468,) int64, the vertex on the other side.
        regions: (7, 468) soft membership, order `REGIONS`.
        mobility: (468,) in [0, 1], how much of a fitted displacement is rendered: nothing on bone, where only the
        detector moves. regressor: first guess of β from aligned vertices.
    """

    mean: Tensor
    identity: Tensor
    expression: Tensor
    pose: Tensor
    precision: Tensor
    gamma: Tensor
    spread: Tensor
    triangles: Tensor
    uv: Tensor
    mirror: Tensor
    regions: Tensor
    mobility: Tensor
    regressor: CoefficientRegressor

    @property
    def device(self) -> torch.device:
        return self.mean.device

    def to(self, device: torch.device | str) -> FaceModel:
        """The same model on another device."""
        moved = {
            field.name: getattr(self, field.name).to(device) for field in fields(self) if field.name != "regressor"
        }
        regressor = CoefficientRegressor()
        regressor.load_state_dict(self.regressor.state_dict())
        return replace(self, **moved, regressor=regressor.to(device).eval())

    def displacement(self, coefficients: Tensor) -> Tensor:
        """(..., 52) coefficients, or differences of them -> (..., 468, 3) offsets in model units, as landmarks show
        them.
        """
        return torch.einsum("...k,kvc->...vc", coefficients, self.expression)

    def motion(self, change: Tensor) -> Tensor:
        """(..., 52) difference of coefficients -> (..., 468, 3) offsets in model units to be rendered."""
        return torch.einsum("...k,kvc->...vc", change, self.rendered)

    @cached_property
    def rendered(self) -> Tensor:
        """(52, 468, 3) the part of `expression` that is rendered: nothing on bone, and nothing of brows and lids from
        the tip of the nose downwards. There the landmarks sink when brows go up, but no muscle of them pulls."""
        upper = torch.tensor([name.startswith(("brow", "eye")) for name in BLENDSHAPES], device=self.device)
        share = torch.where(upper[:, None], smoothstep(self.mean[:, 1], *_UPPER_FACE), 1.0)
        return self.expression * (share * self.mobility)[..., None]

    def save(self, folder: Path, summary: dict[str, object]) -> None:
        """Writes `face.safetensors` (half precision where that is exact enough) and `face.json` into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "regressor"}
        tensors |= {f"regressor.{name}": value for name, value in self.regressor.state_dict().items()}
        halves = {name for name in tensors if name in {"identity", "pose"} or name.startswith("regressor.")}
        packed = {name: (t.half() if name in halves else t).contiguous().cpu() for name, t in tensors.items()}
        save_file(packed, folder / "face.safetensors")
        config = {"format": FORMAT, "blendshapes": list(BLENDSHAPES), **summary}
        (folder / "face.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> FaceModel:
        """Reads what `save` wrote.

        Raises:
            WeightsError: files are missing, damaged, too large, or of another format.
        """
        read_config(folder / "face.json", "face model", FORMAT)
        tensors = read_tensors(folder / "face.safetensors", "face model", _MAX_BYTES)
        regressor = CoefficientRegressor()
        prefix = "regressor."
        try:
            state = {
                name[len(prefix) :]: tensors.pop(name).float() for name in list(tensors) if name.startswith(prefix)
            }
            regressor.load_state_dict(state, strict=True)
            model = cls(
                **{n: t if n in _VERTEX_NUMBERS else t.float() for n, t in tensors.items()}, regressor=regressor.eval()
            )
        except (RuntimeError, TypeError) as error:
            raise WeightsError(f"The face model in {folder} is incomplete ({error}); reinstall talkedit.") from None
        model._check(folder)
        return model

    def _check(self, folder: Path) -> None:
        identities, faces, count = self.identity.shape[:1], self.triangles.shape[:1], len(BLENDSHAPES)
        shapes = {
            "mean": (VERTICES, 3), "identity": (*identities, VERTICES, 3), "expression": (count, VERTICES, 3),
            "pose": (POSE_TERMS, VERTICES, 3), "precision": (VERTICES, 3), "gamma": (count,), "spread": (),
            "triangles": (*faces, 3), "uv": (VERTICES, 2), "mirror": (VERTICES,),
            "regions": (len(REGIONS), VERTICES), "mobility": (VERTICES,),
        }  # fmt: skip
        for name, shape in shapes.items():
            tensor: Tensor = getattr(self, name)
            sound = tuple(tensor.shape) == shape and tensor.numel() > 0 and bool(torch.isfinite(tensor).all())
            if sound and name in _VERTEX_NUMBERS:
                sound = not tensor.is_floating_point() and int(tensor.min()) >= 0 and int(tensor.max()) < VERTICES
            if not sound:
                raise WeightsError(f"'{name}' in the face model of {folder} is damaged; reinstall talkedit.")
        if not all(bool(torch.isfinite(value).all()) for value in self.regressor.parameters()):
            raise WeightsError(f"'regressor' in the face model of {folder} is damaged; reinstall talkedit.")


REGIONS: Final = ("brows", "eyes", "nose", "cheeks", "lips", "jaw", "oval")


def pose_terms(rotation: Tensor) -> Tensor:
    """(..., 3, 3) rotation from model to picture -> (..., 9) terms of pitch, yaw and roll up to third order in yaw.

    Angles of a turned head in radians; the detector's landmarks bend smoothly with them.
    """
    pitch, yaw, roll = euler_angles(rotation).unbind(-1)
    return torch.stack([pitch, yaw, roll, pitch**2, yaw**2, pitch * yaw, yaw * roll, yaw**3, pitch * yaw**2], dim=-1)


def euler_angles(rotation: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 3) pitch (chin down positive), yaw (towards picture left positive), roll (clockwise in the
    picture positive), radians, R = Rz(roll) · Ry(yaw) · Rx(pitch) in picture axes."""
    yaw = -torch.asin(rotation[..., 2, 0].clamp(-1, 1))
    pitch = torch.atan2(rotation[..., 2, 1], rotation[..., 2, 2])
    roll = torch.atan2(rotation[..., 1, 0], rotation[..., 0, 0])
    return torch.stack([pitch, yaw, roll], dim=-1)

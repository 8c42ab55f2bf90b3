"""Fitting the face model to tracked landmarks: one neutral shape per person, pose and coefficients per frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from talkedit_sdk.face.model import FaceModel, pose_terms
from talkedit_sdk.face.pose import Pose, align
from talkedit_sdk.face.smooth import gaussian_mean
from talkedit_sdk.face.topology import MIRRORED, RIGID, VERTICES
from talkedit_sdk.face.track import FaceTrack

CHUNK: Final = 512
"""Frames solved together; bounds the memory of long clips."""

_NEUTRAL_FRAMES: Final = 240
_NEUTRAL_ROUNDS: Final = 5
_FRAME_ROUNDS: Final = 3
_PRECISION: Final = 1.9e3  # of the mean squared distance of the vertices, against a prior of the coefficients of 1
_OUTLIER: Final = 0.05  # model units; a residual beyond it pulls no harder (Huber)
_SMOOTHING: Final = 0.018  # seconds; below the shortest articulation


@dataclass(frozen=True, eq=False)
class FaceFit:
    """One person through a clip, explained by the face model. Two are equal only if they are the same.

    Members:
        neutral: (468, 3) the person's face at rest, model units.
        pose: T poses.
        coefficients: (T, 52) in [0, 1].
        error: (T,) root mean square distance of the landmarks from the fitted vertices, model units.
    """

    neutral: Tensor
    pose: Pose
    coefficients: Tensor
    error: Tensor


def fit(model: FaceModel, track: FaceTrack, times: NDArray[np.float64]) -> FaceFit:
    """Fits a tracked face.

    Args:
        model: face model; the work runs on its device.
        track: landmarks of one person in N frames.
        times: (N,) seconds of those frames.

    Returns:
        A fit of N frames, smoothed within each segment without lag.
    """
    neutral = fit_neutral(model, _sample(model, track))
    poses, coefficients, errors = [], [], []
    for start in range(0, len(track.frames), CHUNK):
        vertices = _vertices(model, track.landmarks[start : start + CHUNK])
        pose, beta, error = fit_frames(model, neutral, vertices)
        poses.append(pose)
        coefficients.append(beta)
        errors.append(error)
    pose = Pose(*(torch.cat([getattr(p, name) for p in poses]) for name in ("scale", "rotation", "translation")))
    seconds, segments = (torch.from_numpy(np.array(a)).to(model.device) for a in (times, track.segments))
    beta = gaussian_mean(torch.cat(coefficients), seconds, segments, _SMOOTHING)
    return FaceFit(neutral, pose, beta, torch.cat(errors))


def fit_neutral(model: FaceModel, vertices: Tensor) -> Tensor:
    """(S, 468, 3) pixels of one person -> (468, 3) neutral shape, model units.

    Alternates pose, coefficients and shape. Few frames lean on the identity basis, many frames on themselves.
    """
    guess, pose = first_guess(model, vertices)
    neutral, trust = model.mean, len(vertices) / (len(vertices) + 20.0)
    beta = guess
    for _ in range(_NEUTRAL_ROUNDS):
        rest = pose.to_model(vertices) - bend(model, pose) - model.displacement(beta)
        sample = rest.median(0).values if len(rest) > 4 else rest.mean(0)
        within = _project(model, sample, len(vertices))
        neutral = within + trust * (sample - within)
        pose, beta, _ = _refine(model, neutral, vertices, guess, pose, rounds=1)
    return neutral


def fit_frames(model: FaceModel, neutral: Tensor, vertices: Tensor) -> tuple[Pose, Tensor, Tensor]:
    """Pose, coefficients (T, 52) and error (T,) of (T, 468, 3) pixels, each frame on its own."""
    guess, pose = first_guess(model, vertices)
    return _refine(model, neutral, vertices, guess, pose, rounds=_FRAME_ROUNDS)


def first_guess(model: FaceModel, vertices: Tensor) -> tuple[Tensor, Pose]:
    """Coefficients by the regressor and the pose by the rigid points alone, knowing nothing of the person."""
    weights = torch.zeros(VERTICES, device=model.device)
    weights[list(RIGID)] = 1
    pose = align(vertices, model.mean, weights)
    with torch.no_grad():
        offsets = (pose.to_model(vertices) - model.mean) / model.spread
        mirrored = offsets[:, model.mirror] * torch.tensor([-1.0, 1.0, 1.0], device=model.device)
        guess = (model.regressor(offsets) + model.regressor(mirrored)[:, list(MIRRORED)]) / 2
    return guess.clamp(0, 1), pose


def solve_bounded(gram: Tensor, target: Tensor, start: Tensor, iterations: int = 60) -> Tensor:
    """Minimises ½ βᵀ gram β - targetᵀ β over 0 <= β <= 1 for each row of `target` (T, K).

    Accelerated projected gradient: Beck & Teboulle, *FISTA*, SIAM J. Imaging Sciences 2009.
    """
    step = 1.0 / torch.linalg.eigvalsh(gram)[-1]
    beta, ahead, momentum = start, start, 1.0
    for _ in range(iterations):
        moved = (ahead - step * (ahead @ gram - target)).clamp(0, 1)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = moved + (momentum - 1) / following * (moved - beta)
        beta, momentum = moved, following
    return beta


def _refine(
    model: FaceModel, neutral: Tensor, vertices: Tensor, guess: Tensor, pose: Pose, rounds: int
) -> tuple[Pose, Tensor, Tensor]:
    basis = model.expression.flatten(1)
    weighted = basis * (_PRECISION / VERTICES * model.precision.flatten())
    gram = weighted @ basis.T + torch.eye(len(basis), device=model.device)
    weights = model.precision.mean(1)
    beta = guess
    for _ in range(rounds):
        pose = align(vertices, neutral + bend(model, pose) + model.displacement(beta), weights)
        offset = pose.to_model(vertices) - neutral - bend(model, pose)
        explained = model.displacement(beta)
        offset = explained + (offset - explained).clamp(-_OUTLIER, _OUTLIER)
        target = offset.flatten(1) @ weighted.T + guess
        beta = solve_bounded(gram, target, beta)
    rest = pose.to_model(vertices) - neutral - bend(model, pose) - model.displacement(beta)
    return pose, beta, rest.square().sum(-1).mean(-1).sqrt()


def bend(model: FaceModel, pose: Pose) -> Tensor:
    return torch.einsum("tp,pvc->tvc", pose_terms(pose.rotation), model.pose)


def _project(model: FaceModel, shape: Tensor, frames: int) -> Tensor:
    """The likeliest shape of the identity basis behind an average of `frames` frames."""
    basis = model.identity.flatten(1)
    noise = basis.square().mean() * len(basis) * (0.3 + 2.0 / frames)
    gram = basis @ basis.T / basis.shape[1] + noise / len(basis) * torch.eye(len(basis), device=model.device)
    alpha = torch.linalg.solve(gram, basis @ (shape - model.mean).flatten() / basis.shape[1])
    return torch.as_tensor(model.mean + (alpha @ basis).reshape(VERTICES, 3))


def _vertices(model: FaceModel, landmarks: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.array(landmarks[:, :VERTICES], dtype=np.float32)).to(model.device)


def _sample(model: FaceModel, track: FaceTrack) -> Tensor:
    """Frames for the neutral shape: spread over the clip, the most frontal of each stretch."""
    count = len(track.frames)
    if count <= _NEUTRAL_FRAMES:
        return _vertices(model, track.landmarks)
    picks = np.linspace(0, count - 1, _NEUTRAL_FRAMES).round().astype(int)
    return _vertices(model, track.landmarks[picks])

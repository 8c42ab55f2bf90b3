"""Learning the face model from video: mean, identity and expression basis, detector bend, regressor.

Every recording is landmarks (T, 468, 3) of one person with the teacher's blendshape scores (T, 52). The expression
basis is a ridge regression of rigidly aligned landmark motion on the scores, with three refinements over the plain one:

1. The pose is estimated against the shape that the current basis predicts, not against the neutral face, so that raised
   brows and open jaws do not leak into it (four fifths of what can be gained).
2. What the landmark detector bends when a head turns is regressed along with the expression and then set aside.
3. Scores become coefficients through a power per blendshape, since the teacher's scores grow faster than the motion.

A last round lets the coefficients of each frame move away from the teacher where the landmarks say so, and learns the
basis again from those.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.fit import solve_bounded
from talkedit_sdk.face.model import POSE_TERMS, pose_terms
from talkedit_sdk.face.pose import Pose, align
from talkedit_sdk.face.topology import BLENDSHAPES, BONE, MIRRORED, OUTER_EYE_CORNERS, RIGID, VERTICES
from talkedit_sdk.training.anatomy import prior

_RIDGE: Final = 10.0
_POSE_RIDGE: Final = 1.0
_FOREIGN: Final = 300.0  # times the ridge, where a muscle has no business
_K: Final = len(BLENDSHAPES)


@dataclass(frozen=True)
class Recording:
    """Landmarks and teacher scores of one person in one file.

    Members:
        name: file name, for reports.
        person: one id per person.
        vertices: (T, 468, 3) float32 pixels.
        scores: (T, 52) float32 teacher scores, 0 where the teacher has no such score.
    """

    name: str
    person: str
    vertices: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Aligned:
    """A recording in model space: `shape` (T, 468, 3), pose terms (T, 9), and the pose itself."""

    shape: Tensor
    terms: Tensor
    pose: Pose


@dataclass(frozen=True)
class Basis:
    """What linear regression yields: expression (52, 468, 3) and pose (9, 468, 3)."""

    expression: Tensor
    pose: Tensor

    def predict(self, coefficients: Tensor, terms: Tensor) -> Tensor:
        """(T, 52), (T, 9) -> (T, 468, 3) offsets from the neutral face."""
        offsets = torch.cat([coefficients, terms], 1) @ torch.cat([self.expression, self.pose]).flatten(1)
        return offsets.reshape(-1, VERTICES, 3)


def mean_face(recordings: list[Recording], rounds: int = 4) -> Tensor:
    """(468, 3) mean of the people's mean faces, frontal, centred, outer eye corners one unit apart."""
    weights = rigid_weights()
    mean = recordings[0].vertices[0]
    for _ in range(rounds):
        mean = mean - mean.mean(0)
        mean = mean / (mean[OUTER_EYE_CORNERS[1]] - mean[OUTER_EYE_CORNERS[0]]).norm()
        people: dict[str, list[Tensor]] = {}
        for recording in recordings:
            shape = align(recording.vertices, mean, weights).to_model(recording.vertices)
            people.setdefault(recording.person, []).append(shape.mean(0))
        mean = torch.stack([torch.stack(shapes).mean(0) for shapes in people.values()]).mean(0)
    return mean


def mirror_of(mean: Tensor) -> Tensor:
    """(468,) the vertex on the other side: the one-to-one matching of the mean face with its mirror image."""
    from scipy.optimize import linear_sum_assignment

    mirror = torch.arange(VERTICES)
    flipped = mean * torch.tensor([-1.0, 1.0, 1.0])
    for _ in range(4):
        distance = torch.cdist(mean, flipped).square()
        mirror = torch.from_numpy(linear_sum_assignment((distance + distance.T).numpy())[1])
        flipped = align(mean[mirror][None], flipped, torch.ones(VERTICES)).to_picture(flipped)[0]
    if not bool((mirror[mirror] == torch.arange(VERTICES)).all()):
        raise ValueError("the mean face is too lopsided to find mirrored vertices")
    return mirror


def symmetric(mean: Tensor, mirror: Tensor) -> Tensor:
    """The mean face and its mirror image averaged, turned and tilted so that x = 0 is its plane of symmetry."""
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for _ in range(4):
        twice = align(mean[None], (mean * flip)[mirror], torch.ones(VERTICES)).rotation[0]
        u, _, vt = torch.linalg.svd(torch.eye(3) + twice)  # u vt is half that rotation, the turn of the face itself
        mean = mean @ (u @ vt)
        mean = mean - torch.tensor([1.0, 0.0, 0.0]) * mean.mean(0)
        mean = (mean + (mean * flip)[mirror]) / 2
    return mean


def rigid_weights() -> Tensor:
    """(468,) 1 at the points that expressions hardly move."""
    weights = torch.zeros(VERTICES)
    weights[list(RIGID)] = 1
    return weights


def with_mirrored(recordings: list[Recording], mirror: Tensor) -> list[Recording]:
    """Every recording and its mirror image, so that all that is learned is symmetric."""
    flip = torch.tensor([-1.0, 1.0, 1.0])
    return recordings + [
        replace(r, vertices=r.vertices[:, mirror] * flip, scores=r.scores[:, list(MIRRORED)]) for r in recordings
    ]


class BasisLearner:
    """Ridge regression of motion on coefficients, with any one person left out at no extra cost.

    Keeps the normal equations per person, so that leaving a person out is a subtraction.
    """

    def __init__(self, mean: Tensor, mirror: Tensor, recordings: list[Recording], ridge: float = _RIDGE) -> None:
        self.mean, self.recordings = mean, with_mirrored(recordings, mirror)
        self.prior = prior(mean, mirror)
        self.gamma = torch.full((_K,), 0.55)
        self._zones = _zones(mean, ridge)
        weights = rigid_weights()
        self.weights = weights
        self.aligned = [self._align(r, mean.expand_as(r.vertices), weights) for r in self.recordings]
        self.coefficients = [r.scores**self.gamma for r in self.recordings]
        self.bases: dict[str | None, Basis] = {}

    @property
    def people(self) -> list[str]:
        return sorted({r.person for r in self.recordings if len(r.vertices) > 1})

    def solve(self) -> None:
        """Learns one basis from everybody (key None) and one without each person."""
        equations: dict[str, tuple[Tensor, Tensor]] = {}
        for recording, aligned, coefficients in zip(self.recordings, self.aligned, self.coefficients, strict=True):
            if len(aligned.shape) < 2:
                continue
            x = torch.cat([coefficients, aligned.terms], 1)
            x = (x - x.mean(0)).double()
            y = (aligned.shape - aligned.shape.mean(0)).flatten(1).double()
            y = y - x[:, :_K] @ self.prior.flatten(1).double()
            xx, xy = x.T @ x, x.T @ y
            if recording.person in equations:
                xx, xy = xx + equations[recording.person][0], xy + equations[recording.person][1]
            equations[recording.person] = (xx, xy)
        all_xx, all_xy = (torch.stack([e[i] for e in equations.values()]).sum(0) for i in (0, 1))
        self.bases = {}
        for person in [None, *equations]:
            xx, xy = equations[person] if person else (torch.zeros_like(all_xx), torch.zeros_like(all_xy))
            solution = torch.zeros(_K + POSE_TERMS, VERTICES, 3)
            for zone, ridge in self._zones:
                found = torch.linalg.solve(all_xx - xx + torch.diag(ridge).double(), all_xy - xy).float()
                solution += zone[:, None] * found.reshape(-1, VERTICES, 3)
            expression = _without_bone(solution[:_K], self.mean) + self.prior
            self.bases[person] = Basis(expression, solution[_K:])

    def realign(self) -> None:
        """Estimates each pose against the shape that the basis learned without that person predicts."""
        residual = torch.zeros(VERTICES)
        following = []
        for recording, aligned, coefficients in zip(self.recordings, self.aligned, self.coefficients, strict=True):
            predicted = self.predict(recording, aligned, coefficients)
            residual += (aligned.shape - predicted).square().sum(-1).mean(0) / len(self.recordings)
            following.append((recording, predicted))
        self.weights = 1 / (residual + 0.2 * residual.median())
        self.aligned = [self._align(recording, predicted, self.weights) for recording, predicted in following]

    def predict(self, recording: Recording, aligned: Aligned, coefficients: Tensor) -> Tensor:
        """(T, 468, 3) shapes by the basis learned without this person, with the neutral that fits best."""
        basis = self.bases.get(recording.person) or self.bases[None]
        moved = basis.predict(coefficients, aligned.terms)
        return (aligned.shape - moved).mean(0) + moved

    def refine(self, trust: float) -> None:
        """Moves the coefficients from the teacher's towards what the landmarks say; `trust` is the precision of the
        data.
        """
        seen = torch.cat([r.scores**self.gamma for r in self.recordings]).std(0)
        doubt = torch.diag((0.1 / (seen + 1e-3)).square().clamp(1, 1e4))  # keeps what the teacher never shows at rest
        refined = []
        for recording, aligned in zip(self.recordings, self.aligned, strict=True):
            basis = self.bases.get(recording.person) or self.bases[None]
            teacher = recording.scores**self.gamma
            flat = basis.expression.flatten(1)
            neutral = (aligned.shape - basis.predict(teacher, aligned.terms)).mean(0)
            offset = aligned.shape - neutral - basis.predict(torch.zeros_like(teacher), aligned.terms)
            gram = trust / VERTICES * flat @ flat.T + doubt
            refined.append(
                solve_bounded(gram, trust / VERTICES * offset.flatten(1) @ flat.T + teacher @ doubt, teacher, 40)
            )
        self.coefficients = refined

    def explained(self, coefficients: list[Tensor] | None = None) -> dict[str, tuple[float, float]]:
        """Share of the variance of aligned motion explained for each recording by a basis that never saw its person:
        by coefficients and detector bend together, and by the coefficients of what remains after the bend."""
        shares = {}
        values = coefficients or [r.scores**self.gamma for r in self.recordings]
        half = len(self.recordings) // 2
        for recording, aligned, beta in list(zip(self.recordings, self.aligned, values, strict=True))[:half]:
            if len(beta) < 20:
                continue
            rest = aligned.shape - self.predict(recording, aligned, beta)
            motion = aligned.shape - aligned.shape.mean(0)
            basis = self.bases.get(recording.person) or self.bases[None]
            bend = basis.predict(torch.zeros_like(beta), aligned.terms)
            unbent = motion - (bend - bend.mean(0))
            error = rest.square().sum()
            shares[recording.name] = (
                float(1 - error / motion.square().sum()),
                float(1 - error / unbent.square().sum()),
            )
        return shares

    def _align(self, recording: Recording, reference: Tensor, weights: Tensor) -> Aligned:
        pose = align(recording.vertices, reference, weights)
        return Aligned(pose.to_model(recording.vertices), pose_terms(pose.rotation), pose)


def _zones(mean: Tensor, ridge: float) -> list[tuple[Tensor, Tensor]]:
    """Pairs of (468,) weights that sum to 1 and (61,) ridges: mouth and jaw hardly move the forehead, lids and brows
    hardly move the mouth. Without this rare coefficients pick up what heads happened to do at the time."""
    eyes, nose = mean[[33, 133, 263, 362], 1].mean(), mean[2, 1]
    above = torch.sigmoid((eyes - 0.06 - mean[:, 1]) / 0.02)
    below = torch.sigmoid((mean[:, 1] - nose) / 0.02)
    plain = torch.cat([torch.full((_K,), 2 * ridge), torch.full((POSE_TERMS,), 2 * _POSE_RIDGE)])
    zones = [(1 - above - below, plain)]
    for weight, foreign in ((above, ("mouth", "jaw", "cheekPuff")), (below, ("brow", "eye"))):
        tight = torch.tensor([_FOREIGN if name.startswith(foreign) else 1.0 for name in BLENDSHAPES])
        zones.append((weight, plain * torch.cat([tight, torch.ones(POSE_TERMS)])))
    return zones


def _without_bone(expression: Tensor, mean: Tensor) -> Tensor:
    """(52, 468, 3) displacements that turn, shift and scale the skull as little as a muscle does, which is not at all.

    Regression cannot tell a nod from a smile when people smile and nod together. What a displacement does to the bony
    points as a rigid whole belongs to the pose and is taken out.
    """
    bone = list(BONE)
    points = mean[bone] - mean[bone].mean(0)
    eye = torch.eye(3)
    spins = torch.linalg.cross(eye[:, None].expand(3, len(bone), 3), points[None].expand(3, len(bone), 3))
    moves = torch.cat([spins, eye[:, None].expand(3, len(bone), 3), points[None]])  # 3 turns, 3 shifts, 1 scale
    solution = torch.linalg.lstsq(moves.flatten(1).T, expression[:, bone].flatten(1).T).solution
    everywhere = mean - mean[bone].mean(0)
    shape = (3, VERTICES, 3)
    turns = torch.linalg.cross(eye[:, None].expand(shape), everywhere[None].expand(shape))
    whole = torch.cat([turns, eye[:, None].expand(shape), everywhere[None]])
    return expression - torch.einsum("mk,mvc->kvc", solution, whole)

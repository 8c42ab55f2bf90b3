"""Training the face model that ships in `talkedit_sdk/weights`, and measuring it on people it never saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from talkedit_sdk.errors import OptionError
from talkedit_sdk.face import fit as fitting
from talkedit_sdk.face.model import REACH, FaceModel
from talkedit_sdk.face.pose import align
from talkedit_sdk.face.topology import INDEX, OUTER_EYE_CORNERS, VERTICES
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.manifest import write_manifest
from talkedit_sdk.training.basis import BasisLearner, Recording, mean_face, mirror_of, symmetric
from talkedit_sdk.training.card import write_section
from talkedit_sdk.training.dataset import Teacher, list_items, recordings
from talkedit_sdk.training.layout import mobility_of, regions_of, triangles_of, uv_of
from talkedit_sdk.training.regressor import offsets_of, train_regressor

IDENTITIES: Final = 32
_ROUNDS: Final = 3
_TRUST: Final = 2e4
_LEAST_PEOPLE: Final = 3
_LEAST_FRAMES: Final = 20
REPORTED: Final = (
    "jawOpen", "mouthSmileLeft", "mouthFrownLeft", "mouthPucker", "browInnerUp", "browDownLeft", "eyeBlinkLeft",
    "eyeSquintLeft",
)  # fmt: skip
Results = dict[str, dict[str, float]]
"""What was measured, by recording and name."""


def train_face_model(
    recordings: list[Recording], epochs: int = 25, seed: int = 0, say: Callable[[str], None] = lambda text: None
) -> tuple[FaceModel, BasisLearner]:
    """Learns every part of the face model.

    Args:
        recordings: landmarks and scores; at least three people, one of them moving.
        epochs: passes of the regressor over the data.
        seed: same seed, same model.
        say: receives a line of progress now and then.

    Raises:
        OptionError: there is too little to learn from.
    """
    people = {r.person for r in recordings}
    if len(people) < _LEAST_PEOPLE or not any(len(r.vertices) >= _LEAST_FRAMES for r in recordings):
        raise OptionError(f"Only {len(people)} people with a face were found; add videos of at least {_LEAST_PEOPLE}.")
    mean = mean_face(recordings)
    mirror = mirror_of(mean)
    mean = symmetric(mean, mirror)
    learner = BasisLearner(mean, mirror, recordings)
    for number in range(_ROUNDS):
        learner.solve()
        learner.realign()
        say(f"Pose round {number + 1} of {_ROUNDS} done.")
    learner.solve()
    learner.refine(_TRUST)
    learner.solve()
    neutrals = torch.stack(list(_neutrals(learner).values()))
    unit = (neutrals.mean(0)[OUTER_EYE_CORNERS[1]] - neutrals.mean(0)[OUTER_EYE_CORNERS[0]]).norm()
    neutral_mean = symmetric(neutrals.mean(0) / unit, mirror)
    basis = learner.bases[None]
    spread = torch.cat([offsets_of(r, neutral_mean) for r in recordings]).std()
    say("Training the regressor.")
    triangles = triangles_of(neutral_mean)
    precision = learner.weights / learner.weights.median()
    model = FaceModel(
        mean=neutral_mean,
        identity=_identity_basis(neutrals / unit, neutral_mean),
        expression=REACH * basis.expression / unit,
        pose=basis.pose / unit,
        precision=precision.clamp(0.2, 5.0)[:, None].expand(-1, 3).contiguous(),
        gamma=learner.gamma,
        spread=spread,
        triangles=triangles,
        uv=uv_of(neutral_mean, triangles),
        mirror=mirror,
        regions=regions_of(neutral_mean),
        mobility=mobility_of(neutral_mean),
        regressor=train_regressor(recordings, neutral_mean, mirror, learner.gamma, spread, epochs, seed),
    )
    return model, learner


def leave_people_out(
    recordings: list[Recording],
    learner: BasisLearner,
    model: FaceModel,
    folds: int,
    epochs: int,
    say: Callable[[str], None] = lambda text: None,
) -> Results:
    """Accuracy on each recording of at least 20 frames, by parts that never saw its person.

    The expression basis leaves out one person at a time; the regressor, which has to be trained again, a fold of
    people.

    Returns:
        Per recording: `teacher`, the share of variance of aligned landmark motion explained by teacher scores times the
        basis (the detector's bend included; `teacher_unbent` without it), `fitted` the same by the coefficients that
        `fit` finds without the teacher, and `r_<blendshape>`, their correlation with the teacher's coefficients where
        the teacher's deviate by at least 0.08.
    """
    shares = learner.explained()
    people = sorted({r.person for r in recordings})
    order = np.random.default_rng(0).permutation(len(people))
    fold_of = {people[person]: place % folds for place, person in enumerate(order)}
    unit = float(learner.bases[None].pose.norm() / model.pose.norm())
    results: Results = {}
    for fold in range(folds):
        say(f"Fold {fold + 1} of {folds}.")
        others = [r for r in recordings if fold_of[r.person] != fold]
        regressor = train_regressor(others, model.mean, model.mirror, model.gamma, model.spread, epochs, fold)
        for recording in recordings:
            if fold_of[recording.person] != fold or recording.name not in shares:
                continue
            basis = learner.bases.get(recording.person) or learner.bases[None]
            blind = replace(
                model, expression=REACH * basis.expression / unit, pose=basis.pose / unit, regressor=regressor
            )
            teacher, unbent = shares[recording.name]
            results[recording.name] = {"teacher": teacher, "teacher_unbent": unbent, **measure(blind, recording)}
    return results


def measure(model: FaceModel, recording: Recording) -> dict[str, float]:
    """`fitted`, `error` and `r_<blendshape>` as in `leave_people_out`, by a model that never saw the person."""
    count = len(recording.vertices)
    sample = recording.vertices[torch.linspace(0, count - 1, min(count, 240)).round().long()]
    neutral = fitting.fit_neutral(model, sample)
    pose, beta, error = fitting.fit_frames(model, neutral, recording.vertices)
    shape = pose.to_model(recording.vertices)
    motion = (shape - shape.mean(0)).square().sum(-1).mean()
    rest = shape - neutral - fitting.bend(model, pose) - model.displacement(beta)
    found = {"fitted": float(1 - (rest - rest.mean(0)).square().sum(-1).mean() / motion), "error": float(error.mean())}
    teacher = recording.scores**model.gamma
    for name in REPORTED:
        column = INDEX[name]
        if float(teacher[:, column].std()) >= 0.08:
            pair = torch.stack([beta[:, column], teacher[:, column]])
            found[f"r_{name}"] = float(torch.nan_to_num(torch.corrcoef(pair))[0, 1])
    return found


def _neutrals(learner: BasisLearner) -> dict[str, Tensor]:
    """Neutral face of each person and mirror image, averaged over that person's recordings."""
    shapes: dict[str, list[Tensor]] = {}
    basis, half = learner.bases[None], len(learner.recordings) // 2
    for place, recording in enumerate(learner.recordings):
        aligned, beta = learner.aligned[place], recording.scores**learner.gamma
        neutral = (aligned.shape - basis.predict(beta, aligned.terms)).mean(0)
        side = "" if place < half else " mirrored"
        shapes.setdefault(recording.person + side, []).append(neutral)
    return {person: torch.stack(found).mean(0) for person, found in shapes.items()}


def _identity_basis(neutrals: Tensor, mean: Tensor) -> Tensor:
    """(K, 468, 3) principal directions of neutral faces, each as long as one standard deviation."""
    weights = torch.ones(VERTICES)
    shapes = align(neutrals, mean, weights).to_model(neutrals) - mean
    _, singular, directions = torch.linalg.svd(shapes.flatten(1), full_matrices=False)
    keep = min(IDENTITIES, len(neutrals) // 2)
    scaled = directions[:keep] * singular[:keep, None] / len(neutrals) ** 0.5
    return torch.as_tensor(scaled.reshape(keep, VERTICES, 3))


def summary_of(results: Results) -> dict[str, float]:
    """Mean and median of what `leave_people_out` measured; correlations as the mean over recordings that have them."""
    summary: dict[str, float] = {"recordings": len(results)}
    for key in ("teacher", "teacher_unbent", "fitted"):
        values = np.array([row[key] for row in results.values() if key in row])
        if not len(values):
            continue
        summary |= {f"{key}_mean": float(values.mean()), f"{key}_median": float(np.median(values))}
    for name in REPORTED:
        values = np.array([row[f"r_{name}"] for row in results.values() if f"r_{name}" in row])
        if len(values):
            summary |= {f"r_{name}": float(values.mean()), f"n_{name}": len(values)}
    return {key: round(value, 3) for key, value in summary.items()}


def train_from_folder(
    data: Path,
    teacher: Path,
    out: Path,
    cache: Path,
    epochs: int = 25,
    folds: int = 8,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, float]:
    """Tracks, scores, learns, measures and saves: `talkedit train face`.

    Recordings of a role other than `train` never touch the weights; they are measured with the finished model.

    Args:
        data: folder of videos and photos, see `list_items`.
        teacher: path of `face_landmarker.task`.
        out: folder for `face.safetensors`, `face.json`, the model card and the manifest.
        cache: folder for landmarks and scores, so that a second run starts at once.
        epochs, seed: of the regressor.
        folds: groups of people left out in turn when measuring; 0 to skip measuring.
        say: receives a line of progress now and then.

    Returns:
        What `summary_of` tells of the recordings of role `train`, each measured without its person.

    Raises:
        OptionError: the folder or the teacher is missing, or there are too few people.
    """
    found = list(recordings(list_items(data), FaceMeshTracker(), Teacher(teacher), cache))
    own = [recording for item, recording in found if item.role == "train"]
    others = [
        recording for item, recording in found if item.role != "train" and len(recording.vertices) >= _LEAST_FRAMES
    ]
    model, learner = train_face_model(own, epochs, seed, say)
    summary: dict[str, float] = {}
    tables: dict[str, Results] = {}
    if folds:
        tables["people left out of training in turn"] = leave_people_out(own, learner, model, folds, epochs, say)
        summary = summary_of(tables["people left out of training in turn"])
        if others:
            tables["people of role `eval`, never trained on"] = {r.name: measure(model, r) for r in others}
    people = len({r.person for r in own})
    model.save(out, {"people": people, "recordings": len(own), "measured": summary})
    write_section(out, section_of(people, own, tables))
    write_manifest(out)
    return summary


def section_of(people: int, recordings: list[Recording], tables: dict[str, Results]) -> str:
    """The section of the model card: how the model was made, from what, and how exact it is, by groups of people."""
    videos = [r for r in recordings if len(r.vertices) > 1]
    return SECTION.format(
        people=people,
        videos=len(videos),
        frames=sum(len(r.vertices) for r in videos),
        photos=len(recordings) - len(videos),
        tables="\n\n".join(_table(title, results) for title, results in tables.items()) or "Not measured.",
    )


def _table(title: str, results: Results) -> str:
    columns = list(dict.fromkeys(name for row in results.values() for name in row))
    lines = [
        f"### {title.capitalize()} ({len(results)} recordings)",
        "",
        "| measure | mean | median | lowest | recordings |",
    ]
    lines.append("| --- | --- | --- | --- | --- |")
    for column in columns:
        values = sorted(row[column] for row in results.values() if column in row)
        mean, middle = sum(values) / len(values), values[len(values) // 2]
        lines.append(f"| {column} | {mean:.3f} | {middle:.3f} | {values[0]:.3f} | {len(values)} |")
    return "\n".join(lines)


SECTION: Final = """\
# talkedit face model

A linear 3D morphable model of the face in FaceMesh topology (468 vertices, 852 triangles): mean, identity basis, a
basis of the 52 ARKit blendshapes, and a small network that guesses the coefficients of a stranger. Written by `talkedit
train face`; read by `talkedit_sdk.face.model.FaceModel`.

## Made from
{videos} videos ({frames} frames) and {photos} photos of {people} people. No picture of them is contained or can be
recovered: what is kept are averages and principal directions of landmark positions over all people.

Landmarks come from MediaPipe FaceMesh. Blendshape scores come from MediaPipe's Face Landmarker (Apache-2.0), which
taught the basis and the network and is not part of the software.

## How
Ridge regression of rigidly aligned landmark motion on the scores, every recording mirrored as well. The pose is
estimated against the predicted shape rather than the neutral one (three rounds), the way the detector bends its
landmarks on turned heads is regressed along and set aside, and a score s counts as coefficient s^0.55 / 1.35, which
leaves room above what the teacher reports. One more round learns the basis from coefficients that were refined on the
landmarks. cheekPuff, cheekSquint, noseSneer and jawForward, which the teacher never reports, and mouthFrown,
mouthDimple and mouthStretch, which it reports weakly, lean on hand-set displacements (`training/anatomy.py`); tongueOut
is empty.

## Measured
Nobody below was seen by the part that is measured. `teacher`: share of the variance of rigidly aligned landmark motion
(468 vertices, x, y and z, no smoothing) explained by teacher scores times the basis together with the detector's bend;
`teacher_unbent`: by the scores alone, of what remains without the bend; `fitted`: by the coefficients that talkedit
fits without the teacher. `error`: root mean square distance in outer eye corner distances (0.01 is about 0.9 mm).
`r_...`: correlation of fitted coefficients with the teacher's where a recording has such motion.

{tables}

## Limits
Depth comes from a detector that guesses it from one picture. People are mostly adults in Western media. On heads turned
by more than about 40 degrees the hidden half is a guess. Brows under hair or thick glasses are seen poorly, and squints
are told from half-closed lids only roughly. Asymmetric expressions are learned as mirror images of each other.
"""

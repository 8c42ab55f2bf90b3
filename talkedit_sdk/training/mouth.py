"""Learning what lies behind people's lips: the mouth of nobody that ships in `talkedit_sdk/weights`.

Open mouths of many people are brought into the space of the face model and divided by the colour of the skin around
them. Upper teeth are laid over each other tooth by tooth, so that their mean stays crisp; what moves with the jaw is
laid over each other by the lower lip. The two means and the darkness between them make one mouth wide open.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from talkedit_sdk.errors import InputError, OptionError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.mouths import openness, parting
from talkedit_sdk.face.pose import align
from talkedit_sdk.face.topology import MOUTH_CORNERS, VERTICES
from talkedit_sdk.face.track import LANDMARKS, MouthView
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.manifest import write_manifest
from talkedit_sdk.render.gallery import SKIN, STILL
from talkedit_sdk.render.interior import LOWER, UPPER
from talkedit_sdk.render.nobody import Nobody
from talkedit_sdk.training.card import write_section
from talkedit_sdk.training.dataset import Item, list_items
from talkedit_sdk.video.source import open_source

LEAST_PEOPLE: Final = 15
_UNIT: Final = 192.0  # pixels between the outer eye corners
_SIZE: Final = (192, 192)  # rows and columns of the picture
_SKIN: Final = np.array((188.0, 150.0, 130.0), np.float32)
_FRAMES: Final = 400  # of each file that are looked at
_SMALLEST: Final = 90  # pixels of a view's width
_OPEN: Final = 0.08  # openness of views that show upper teeth
_WIDE: Final = 0.19  # and of those that show what is behind
_BRIGHTER: Final = 1.7  # upper teeth than what is below them
_MIDDLE: Final = 0.09  # half the width of the front teeth that are looked at, model units
_BETWEEN_TEETH: Final = (0.0, 0.094, 0.163, 0.218)  # distance from the middle, model units
_FRONT: Final = 0.2  # half the width of the teeth that are laid over each other
_TOOTH: Final = (0.075, 0.012)  # their part that is compared, above their edge
_SEARCH: Final = (0.045, 0.01)  # how far to both sides, and up and down
_SCALES: Final = (0.82, 0.88, 0.94, 1.0, 1.06, 1.12, 1.18)
_ROUNDS: Final = 4
_ALIKE: Final = 0.6  # share of the people, those most like the mean, who make it up
_SHARPER: Final = 1.0
_BRIGHTEST: Final = 2.5  # relative to the skin
_UNDER: Final = 0.012  # what belongs to the teeth under their edge, model units
_FEATHER: Final = 0.02
_DULLER: Final = 0.85  # upper teeth than the mean, in which smiles in full light have the larger share
_DARK: Final = 0.35  # light in the depth of the mouth relative to the mean
_FLOOR: Final = 1.25  # how fast it rises towards the lower lip
_INSET: Final = 0.012  # of the lips' own colour, model units

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Mouth:
    """One open mouth in the space of the face model.

    Members:
        person: who it is.
        rgb: (192, 192, 3) float32, colour relative to the skin.
        seen: (192, 192) float32, 1 between the lips.
        shape: (468, 3) float32 landmarks in the pixels of `rgb`.
        edge: row where the upper teeth end in the middle; None if none are seen.
        openness: of the lips.
    """

    person: str
    rgb: Picture
    seen: Picture
    shape: NDArray[np.float32]
    edge: float | None
    openness: float


def straightened(person: str, view: MouthView, model: FaceModel) -> Mouth:
    """A view as seen from the front, in common size and light."""
    still = list(STILL)
    landmarks = torch.from_numpy(view.landmarks[None, :VERTICES])
    pose = align(landmarks[:, still], model.mean[still], torch.ones(len(still)))
    shape = _pixels(model, pose.to_model(landmarks)[0])
    # The plane of the lips as the two pictures show it.
    lips = [*UPPER, *LOWER, *MOUTH_CORNERS]
    matrix, _ = cv2.estimateAffine2D(shape[lips, :2], view.landmarks[lips, :2], method=cv2.LMEDS)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(view.rgb, matrix, _SIZE[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    points = np.rint(view.landmarks[list(SKIN), :2]).astype(np.int64)
    columns, rows = (points[:, axis].clip(0, view.rgb.shape[1 - axis] - 1) for axis in (0, 1))
    rgb = (picture / view.rgb[rows, columns].mean(0).clip(1)).astype(np.float32)
    seen = _between_lips(shape)
    return Mouth(person, rgb, seen, shape, _teeth_edge(rgb, seen), openness(view.landmarks))


def _pixels(model: FaceModel, points: torch.Tensor) -> NDArray[np.float32]:
    """(V, 3) model units -> pixels of the picture, which the resting mouth is in the upper middle of."""
    rest = model.mean[list(MOUTH_CORNERS)].mean(0)
    corner = torch.tensor([_SIZE[1] / 2, _SIZE[0] * 0.4, 0.0])
    return np.asarray((_UNIT * (points - rest) + corner).numpy(), np.float32)


def _between_lips(shape: NDArray[np.float32]) -> Picture:
    mask = np.zeros(_SIZE, np.uint8)
    contour = np.concatenate([shape[list(UPPER), :2], shape[list(LOWER)[::-1], :2]])
    cv2.fillPoly(mask, [np.rint(contour).astype(np.int32)], [1])
    side = 2 * round(_INSET * _UNIT) + 1
    return cv2.erode(mask, np.ones((side, side), np.uint8)).astype(np.float32)


def _teeth_edge(rgb: Picture, seen: Picture) -> float | None:
    """The row at which bright upper teeth end in darkness, in the middle of the mouth."""
    middle = slice(round(_SIZE[1] / 2 - _MIDDLE * _UNIT), round(_SIZE[1] / 2 + _MIDDLE * _UNIT))
    weight = seen[:, middle].sum(1)
    rows = np.flatnonzero(weight > 0.5 * weight.max()) if weight.max() > 0 else np.zeros(0, np.int64)
    if len(rows) < 5:
        return None
    light = (rgb.mean(-1)[:, middle] * seen[:, middle]).sum(1)[rows] / weight[rows]
    darkest = int(light.argmin())
    if darkest < 3:
        return None
    top = int(light[:darkest].argmax())
    if light[top] < _BRIGHTER * light[darkest]:
        return None
    half = (light[top] + light[darkest]) / 2
    return float(rows[top + int(np.argmax(light[top:] < half))])


def mean_teeth(mouths: list[Mouth]) -> tuple[Picture, float, int]:
    """Upper teeth of nobody: colours (192, 192, 3), the row of their edge, and the number of people. Each mouth is
    moved and scaled to where the lines between its teeth meet those of the mean of the others, which at first is a
    drawing of teeth of usual width."""
    row = float(np.median([m.edge for m in mouths if m.edge is not None]))
    level = [_shifted(m, 0.0, row - m.edge, 1.0) for m in mouths if m.edge is not None]
    level += [_mirrored(m) for m in level]
    lines = _usual_lines()
    for _ in range(_ROUNDS):
        fitted = sorted((_fitted(m, lines, row) for m in level), key=lambda pair: -pair[1])
        scores: dict[str, float] = {}
        for mouth, score in fitted:
            scores.setdefault(mouth.person, score)
        if len(scores) < LEAST_PEOPLE:
            raise OptionError(f"Only {len(scores)} people show upper teeth in these files; add {LEAST_PEOPLE} or more.")
        least = sorted(scores.values())[-max(LEAST_PEOPLE, round(_ALIKE * len(scores)))]
        mean = _mean([m for m, score in fitted if score >= least])
        lines = _lines(mean)
    sharper = np.exp(_SHARPER * lines)[..., None]
    return (mean * sharper).astype(np.float32), row, sum(score >= least for score in scores.values())


def _usual_lines() -> Picture:
    """(192, 192) dark lines between teeth of usual width."""
    columns = (np.arange(_SIZE[1]) - _SIZE[1] / 2 + 0.5) / _UNIT
    lines = sum(-np.exp(-0.5 * ((np.abs(columns) - at) / 0.006) ** 2) for at in _BETWEEN_TEETH)
    return np.repeat(np.asarray(lines, np.float32)[None], _SIZE[0], 0)


def _lines(rgb: Picture) -> Picture:
    """(192, 192) what stands out along the rows: dark where teeth meet."""
    light = np.log(rgb.mean(-1).clip(0.02, 3)).astype(np.float32)
    fine = cv2.GaussianBlur(light, (0, 0), 0.8) - cv2.GaussianBlur(light, (0, 0), sigmaX=0.035 * _UNIT, sigmaY=0.8)
    return np.asarray(fine, np.float32)


def _fitted(mouth: Mouth, lines: Picture, row: float) -> tuple[Mouth, float]:
    """A mouth moved and scaled so that its front teeth meet these lines best, and how well they do."""
    above, below = round(row - _TOOTH[0] * _UNIT), round(row - _TOOTH[1] * _UNIT)
    aside, level = (round(v * _UNIT) for v in _SEARCH)
    centre, half = _SIZE[1] // 2, round(_FRONT * _UNIT)
    template = lines[above:below, centre - half : centre + half]
    best, score = mouth, -1.0
    for scale in _SCALES:
        detail = _lines(_shifted(mouth, 0.0, 0.0, scale, (centre, row)).rgb)
        area = detail[above - level : below + level, centre - half - aside : centre + half + aside]
        _, value, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(area, template, cv2.TM_CCOEFF_NORMED))
        if value > score:
            best, score = _shifted(mouth, float(aside - x), float(level - y), scale, (centre, row)), float(value)
    return best, score


def _shifted(mouth: Mouth, right: float, down: float, scale: float, about: tuple[float, float] = (0.0, 0.0)) -> Mouth:
    matrix = np.array(
        [[scale, 0, (1 - scale) * about[0] + right], [0, scale, (1 - scale) * about[1] + down]], np.float32
    )
    rgb, seen = (cv2.warpAffine(p, matrix, _SIZE[::-1], flags=cv2.INTER_CUBIC) for p in (mouth.rgb, mouth.seen))
    return replace(mouth, rgb=np.asarray(rgb, np.float32), seen=np.asarray(seen.clip(0, 1), np.float32))


def _mirrored(mouth: Mouth) -> Mouth:
    rgb, seen = (np.ascontiguousarray(p[:, ::-1]) for p in (mouth.rgb, mouth.seen))
    return replace(mouth, rgb=rgb, seen=seen)


def _mean(mouths: list[Mouth]) -> Picture:
    """Mean colour of each pixel over the people who show it and over both sides, everybody having one voice on each;
    where fewer than 15 voices are heard, what is nearest to it."""
    voices: dict[str, float] = {}
    for mouth in mouths:
        voices[mouth.person] = voices.get(mouth.person, 0.0) + 1
    weights = np.stack([m.seen / voices[m.person] for m in mouths])
    colours = np.stack([m.rgb.clip(0, _BRIGHTEST) for m in mouths])
    count = weights.sum(0)
    total = (colours * weights[..., None]).sum(0)
    count, total = count + count[:, ::-1], total + total[:, ::-1]
    few = (count < LEAST_PEOPLE).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(few, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    known = np.zeros((labels.max() + 1, 3), np.float32)
    known[labels[few == 0]] = (total / count[..., None].clip(1e-3))[few == 0]
    mean = known[labels]
    return np.where(few[..., None] > 0, cv2.GaussianBlur(mean, (0, 0), 2.0), mean).astype(np.float32)


def mean_jaw(mouths: list[Mouth], lip: float) -> Picture:
    """What moves with the jaw, of nobody, with the lower lip in row `lip`: colours (192, 192, 3)."""
    middle = LOWER[len(LOWER) // 2]
    return _mean([_shifted(m, 0.0, lip - float(m.shape[middle, 1]), 1.0) for m in mouths])


def nobody_of(mouths: list[Mouth], model: FaceModel) -> tuple[Nobody, int]:
    """One mouth of all, wide open, and how many people made up the part with the fewest.

    Raises:
        OptionError: there are too few people.
    """
    wide = [m for m in mouths if m.openness >= _WIDE]
    people = len({m.person for m in wide})
    if people < LEAST_PEOPLE:
        raise OptionError(
            f"Only {people} people open their mouths in these files; add videos of at least {LEAST_PEOPLE}."
        )
    shape = torch.from_numpy(np.stack([m.shape for m in wide]).mean(0))
    flipped = shape[model.mirror] * torch.tensor([-1.0, 1.0, 1.0]) + torch.tensor([_SIZE[1] - 1.0, 0.0, 0.0])
    landmarks = ((shape + flipped) / 2).numpy()
    lip = float(landmarks[LOWER[len(LOWER) // 2], 1])
    (teeth, row, smiling), jaw = mean_teeth(mouths), mean_jaw(wide, lip)
    rows = np.arange(_SIZE[0], dtype=np.float32)[:, None, None]
    inner = row + _UNDER * _UNIT
    depth = ((rows - inner) / (lip - inner)).clip(0, 1)
    below = (depth * _FLOOR).clip(0, 1)
    below = below * below * (3 - 2 * below)
    upper = (1 - (rows - inner) / (_FEATHER * _UNIT)).clip(0, 1)
    cavity = jaw * (_DARK + (1 - _DARK) * below)
    ratio = cavity + upper * (_DULLER * teeth - cavity)
    rgb = (ratio * _SKIN).clip(0, 255).astype(np.uint8)
    ring = 1 - cv2.GaussianBlur(cv2.dilate(_between_lips(landmarks), np.ones((5, 5))), (0, 0), 1.0)[..., None]
    rgb = (rgb + ring * (_SKIN - rgb)).round().clip(0, 255).astype(np.uint8)
    padded = np.zeros((LANDMARKS, 3), np.float32)
    padded[:VERTICES] = landmarks
    nobody = Nobody(
        rgb=torch.from_numpy(rgb)[None],
        landmarks=torch.from_numpy(landmarks)[None].float(),
        rest=torch.from_numpy(_pixels(model, model.mean)),
        partings=torch.from_numpy(parting(rgb, padded))[None],
    )
    return nobody, min(people, smiling)


def views_of(items: list[Item]) -> Iterator[tuple[str, MouthView]]:
    """The open mouths of the largest face in each file, with the person's name."""
    tracker = FaceMeshTracker()
    for item in tqdm(items, desc="Mouths", unit="file", disable=None):
        try:
            source = open_source(item.path)
        except InputError as error:
            tqdm.write(f"skipped {item.path.name}: {error}")
            continue
        try:
            faces = tracker.track(itertools.islice(source.frames(), _FRAMES)).faces
        finally:
            source.close()
        yield from ((item.person, view) for face in faces[:1] for view in face.mouths)


def learn(views: Iterator[tuple[str, MouthView]], model: FaceModel) -> tuple[Nobody, int]:
    """The mouth of nobody from views of many people, and of how many at least.

    Raises:
        OptionError: there are too few people.
    """
    large = ((p, v) for p, v in views if v.rgb.shape[1] >= _SMALLEST and openness(v.landmarks) >= _OPEN)
    return nobody_of([straightened(person, view, model) for person, view in large], model)


def train_from_folder(data: Path, weights: Path, out: Path) -> dict[str, int]:
    """Tracks, learns and saves: `talkedit train mouth`. Only files of role `train` are looked at.

    Args:
        data: folder of videos and photos, see `list_items`.
        weights: folder of the face model.
        out: folder for `mouth.safetensors`, its section of the model card, and the manifest.

    Returns:
        How many views and people there were.

    Raises:
        OptionError: the folder is missing, or there are too few people.
        WeightsError: there is no face model.
    """
    model = FaceModel.load(weights)
    views = list(views_of([item for item in list_items(data) if item.role == "train"]))
    nobody, people = learn(iter(views), model)
    out.mkdir(parents=True, exist_ok=True)
    nobody.save(out)
    found = {"views": len(views), "people": len({person for person, _ in views}), "people_in_a_mean": people}
    write_section(out, SECTION.format(**found, least=LEAST_PEOPLE))
    write_manifest(out)
    return found


SECTION: Final = """\
# talkedit mouth of nobody

`mouth.safetensors`: one picture (192x192) of a mouth wide open, for photos and clips in which a person never opens
theirs. Read by `talkedit_sdk.render.nobody.Nobody`, trained by `talkedit train mouth` on the open mouths of people of
role `train` ({views} views of {people} people): upper teeth laid over each other tooth by tooth, and what moves with
the jaw laid over each other by the lower lip, of {people_in_a_mean} people or more, each divided by the colour of the
skin around it and mirrored. No pixel is the mean of fewer than {least} pictures, both sides of a face counted, so that
it looks like a mouth and like nobody's. Colours are those of lighter skin in soft light; a frame's own light is put on
when it is drawn.
"""

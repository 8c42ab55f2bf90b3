"""Skin of people in many expressions: what the texture model learns from.

Of each video those frames are kept that differ most in expression, unrolled once and cached as they are; light is taken
out and textures are laid over each other when they are read, which is cached too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from talkedit_sdk.errors import InputError
from talkedit_sdk.face.fit import FaceFit, fit
from talkedit_sdk.face.model import FaceModel, euler_angles
from talkedit_sdk.face.topology import BLENDSHAPES, OVAL, VERTICES
from talkedit_sdk.face.track import LANDMARKS, FaceTrack, Tracker, Tracking
from talkedit_sdk.motion.fade import visibility
from talkedit_sdk.texture.light import estimate_light
from talkedit_sdk.texture.occlusion import OcclusionFinder
from talkedit_sdk.texture.skin import SIDE, SkinMap, even_light
from talkedit_sdk.texture.uv import TexelMap
from talkedit_sdk.texture.views import sharpness
from talkedit_sdk.training.dataset import Arrays, Item, measured
from talkedit_sdk.training.registration import fill, mirrored, register, weighted_mean
from talkedit_sdk.video.source import open_source

_VERSION: Final = "skins 1"
_LONGEST: Final = 400  # frames of a file that are looked at
_TURNED: Final = 0.6  # radians of yaw or pitch, about 35 degrees
_NARROWEST: Final = 90.0  # pixels of a face
_HASTY: Final = 0.03  # widths of the face by which landmarks move from frame to frame where it is blurred
_SEEN: Final = 0.5  # visibility of the face as a whole
_DISTINCT: Final = 0.006  # model units of root mean square motion: frames that differ less are the same expression
_BLURRED: Final = 0.6  # of the usual sharpness of the person in a file
_LIGHT_SIDE: Final = 64
_SAMPLE: Final = 4  # views of each person in the mean of people


@dataclass(frozen=True)
class Skins:
    """Views of one person, K of them.

    Members:
        person: who it is. role: `train` if weights may be learned from it.
        skin: (K, 3, N, N) float16 from `even_light`, laid over each other; what is not visible is filled.
        visible: (K, N, N) float16 in [0, 1], what was really seen.
        coefficients: (K, 52).
        light: (K, 3), see `estimate_light`.
        labels: expression of each view in words, empty where nobody said so.
    """

    person: str
    role: str
    skin: Tensor
    visible: Tensor
    coefficients: Tensor
    light: Tensor
    labels: tuple[str, ...]


def read_skins(
    items: list[Item], model: FaceModel, tracker: Tracker, cache: Path, side: int = SIDE, frames: int = 24
) -> Iterator[Skins]:
    """Unrolls the largest face of every file; what was done before is read from `cache`.

    Args:
        items: files; those of one person come out together. Give all of them and choose by role afterwards: the mean of
            people, taken over role `train`, is what unseen skin is filled from.
        model: on the CPU.
        tracker: one that finds hands keeps them out.
        cache: folder, made if it is not there.
        side: N texels of the result.
        frames: views of each video, at most.
    """
    cache.mkdir(parents=True, exist_ok=True)
    reader = _Reader([item for item in items if item.path.is_file()], model, tracker, cache, side, frames)
    for person in tqdm(reader.people, desc="Skin", unit="person", disable=None):
        found = reader.read(person)
        if len(found.skin):
            yield found


class _Reader:
    def __init__(
        self, items: list[Item], model: FaceModel, tracker: Tracker, cache: Path, side: int, frames: int
    ) -> None:
        self._model, self._tracker, self._cache, self._side, self._frames = model, tracker, cache, side, frames
        self._unrolled = max(side, SIDE)
        self._texels, self._coarse = SkinMap(model, self._unrolled), SkinMap(model, _LIGHT_SIDE)
        self._occlusion = OcclusionFinder(model, TexelMap(model))
        self.people: dict[str, list[Item]] = {}
        for item in items:
            self.people.setdefault(item.person, []).append(item)
        digest = hashlib.sha256(model.expression.numpy().tobytes()).hexdigest()
        self._version = f"{_VERSION}:{digest}:{frames}:{self._unrolled}:"
        names = sorted(f"{i.path.resolve()}:{i.person}:{i.role}" for i in items)
        self._together = hashlib.sha256("\n".join(names).encode()).hexdigest()

    def read(self, person: str) -> Skins:
        items = self.people[person]
        version = f"{self._version}{self._side}:{self._together}:"
        found = measured(items[0].path, self._cache, lambda _: self._joined(items), version)
        skin, visible, beta, light = (
            torch.from_numpy(found[name]) for name in ("skin", "visible", "coefficients", "light")
        )
        labels = tuple(items[index].expression for index in found["items"].tolist())
        return Skins(person, items[0].role, skin, visible, beta, light, labels)

    def _joined(self, items: list[Item]) -> Arrays:
        files = [self._unroll(item) for item in items]
        joined = {name: np.concatenate([file[name] for file in files]) for name in files[0]}
        owners = np.repeat(np.arange(len(files)), [len(file["coefficients"]) for file in files])
        skin, visible = self._even(joined)
        if len(skin):
            skin, visible = register(skin, visible, self._usual)
            skin, visible = fill(skin, visible, self._usual) * self._inside, visible * self._inside
        return {
            "skin": skin.half().numpy(),
            "visible": visible.half().numpy(),
            "coefficients": joined["coefficients"],
            "light": self._light(joined).numpy(),
            "items": owners,
        }

    def _unroll(self, item: Item) -> Arrays:
        """The sharp views of one file."""
        found = measured(item.path, self._cache, self._measure, self._version)
        if not len(found["textures"]):
            return found
        detail = np.array([sharpness(texture, self._texels) for texture in found["textures"]])
        return {name: array[detail >= _BLURRED * np.median(detail)] for name, array in found.items()}

    @cached_property
    def _inside(self) -> Tensor:
        return torch.from_numpy(SkinMap(self._model, self._side).inside)

    @cached_property
    def _usual(self) -> Tensor:
        """(3, N, N) mean skin of the people to learn from, the same on both sides."""
        total, weight = torch.zeros(3, self._side, self._side), torch.zeros(self._side, self._side)
        for items in tqdm(self.people.values(), desc="Mean skin", unit="person", disable=None):
            if items[0].role != "train":
                continue
            file = self._unroll(items[0])
            rows = np.unique(np.linspace(0, len(file["coefficients"]) - 1, _SAMPLE).astype(np.int64).clip(0))
            skin, visible = self._even({n: a[rows] if len(a) else a for n, a in file.items()})
            if len(skin):
                mean, seen = weighted_mean(skin, visible)
                total, weight = total + mean * seen.clamp(max=1), weight + seen.clamp(max=1)
        total, weight = total + mirrored(total), weight + mirrored(weight)
        return total / weight.clamp_min(1e-3)

    def _even(self, arrays: Arrays) -> tuple[Tensor, Tensor]:
        textures = _resized(arrays["textures"], self._side)
        visible = _resized(arrays["visible"], self._side)
        seen = torch.from_numpy(visible).float() / 255
        return even_light(torch.from_numpy(textures), seen), seen

    def _light(self, arrays: Arrays) -> Tensor:
        textures, visible = (_resized(arrays[name], _LIGHT_SIDE) for name in ("textures", "visible"))
        seen = (visible.astype(np.float32) / 255 * ~self._coarse.mouth)[:, self._coarse.inside]
        return estimate_light(textures, seen, self._model, self._coarse)

    def _measure(self, path: Path) -> Arrays:
        nothing: Arrays = {
            "textures": np.zeros((0, self._unrolled, self._unrolled, 3), np.uint8),
            "visible": np.zeros((0, self._unrolled, self._unrolled), np.uint8),
            "coefficients": np.zeros((0, len(BLENDSHAPES)), np.float32),
            "landmarks": np.zeros((0, LANDMARKS, 3), np.float32),
        }
        try:
            source = open_source(path)
        except InputError as error:
            tqdm.write(f"skipped {path.name}: {error}")
            return nothing
        try:
            tracking = self._tracker.track(islice(source.frames(), _LONGEST))
            if not tracking.faces:
                return nothing
            track = tracking.faces[0]
            found = fit(self._model, track, tracking.times[track.frames])
            rows = self._choose(track, found, tracking)
            if not len(rows):
                return nothing
            keep = self._occlusion.find(track, tracking.times[track.frames], tracking.size).keep
            pictures = {int(track.frames[row]): row for row in rows}
            views = []
            for frame in islice(source.frames(), _LONGEST):
                if frame.index in pictures:
                    row = pictures[frame.index]
                    views.append((row, *self._view(frame.rgb, track.landmarks[row], keep[row])))
        except InputError as error:
            tqdm.write(f"skipped {path.name}: {error}")
            return nothing
        finally:
            source.close()
        rows = np.array([row for row, _, _ in views])
        return {
            "textures": np.stack([texture for _, texture, _ in views]),
            "visible": np.stack([visible for _, _, visible in views]),
            "coefficients": found.coefficients[rows].numpy(),
            "landmarks": np.array(track.landmarks[rows], np.float32),
        }

    def _choose(self, track: FaceTrack, found: FaceFit, tracking: Tracking) -> NDArray[np.int64]:
        """Rows that differ most in expression, among those that show the face well."""
        times, points = tracking.times[track.frames], np.array(track.landmarks[:, :VERTICES, :2], np.float32)
        width = np.ptp(points[:, list(OVAL), 0], axis=1)
        haste = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(1) / width[1:].clip(1)
        haste[np.diff(track.segments) != 0] = 0
        calm = np.maximum(np.append(0, haste), np.append(haste, 0)) < _HASTY
        turned = euler_angles(found.pose.rotation)[:, :2].abs().amax(1).numpy()
        good = (width >= _NARROWEST) & (turned < _TURNED) & (visibility(found, times, track.segments) > _SEEN) & calm
        rows = np.flatnonzero(good)
        if not len(rows):
            return rows
        motion = self._model.motion(found.coefficients[rows]).flatten(1) / VERTICES**0.5
        return rows[np.sort(farthest(motion, self._frames))]

    def _view(
        self, rgb: NDArray[np.uint8], landmarks: NDArray[np.float32], keep: Tensor
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Texture (N, N, 3) and what of it is visible (N, N), in levels up to 255."""
        landmarks = np.array(landmarks, np.float32)
        visible = self._texels.visible(landmarks, (rgb.shape[0], rgb.shape[1]))
        visible[self._texels.inside] *= self._texels.spread(keep.numpy()[:, None])[:, 0]
        return self._texels.unwrap(rgb, landmarks), np.rint(255 * visible).astype(np.uint8)


def farthest(points: Tensor, count: int) -> NDArray[np.int64]:
    """At most `count` rows of (P, D) points, beginning with the one nearest to the origin, each as far as can be from
    those before it (Gonzalez, *Clustering to minimize the maximum intercluster distance*, 1985). Ends where all others
    are nearly the same as one of them."""
    chosen = [int(points.norm(dim=1).argmin())]
    distance = (points - points[chosen[0]]).norm(dim=1)
    while len(chosen) < count and float(distance.max()) > _DISTINCT:
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (points - points[chosen[-1]]).norm(dim=1))
    return np.array(chosen)


def _resized(maps: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(K, M, M, ...) averaged to (K, side, side, ...)."""
    if maps.shape[1] == side:
        return maps
    if not len(maps):
        return np.zeros((0, side, side, *maps.shape[3:]), np.uint8)
    small = [cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA) for each in maps]
    return np.asarray(np.stack(small), np.uint8)

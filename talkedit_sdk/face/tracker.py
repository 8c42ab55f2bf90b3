"""The tracker: faces found, followed, told apart and stored, for a whole clip in one pass."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import UnreadableInputError
from talkedit_sdk.face.cuts import CutDetector
from talkedit_sdk.face.detector import Detector
from talkedit_sdk.face.follower import Follower, Trace
from talkedit_sdk.face.hands import HAND_POINTS, HANDS, HandFinder
from talkedit_sdk.face.identity import Tracklet, same_person
from talkedit_sdk.face.landmarker import Landmarker
from talkedit_sdk.face.mouths import MouthCollector, parting
from talkedit_sdk.face.store import RowStore
from talkedit_sdk.face.track import LANDMARKS, FaceTrack, Tracking
from talkedit_sdk.texture.glasses import EyeFrame, EyeViews
from talkedit_sdk.texture.skin import SkinMap
from talkedit_sdk.texture.uv import TexelMap
from talkedit_sdk.texture.views import SkinCollector
from talkedit_sdk.video.types import Frame

_NO_HANDS = np.zeros((0, HAND_POINTS, 2), np.float32)
_DOUBTFUL = 0.4  # mean confidence below which a tracklet is no face
_FEWEST_FRAMES = 8  # in which a person has to be seen, or a quarter of a shorter clip


class FaceMeshTracker:
    """Tracks with mediapipe's FaceMesh, on the CPU, one clip at a time. May be used for any number of clips.

    Args:
        texels: how the faces are unrolled; None to gather landmarks only, neither textures nor hands.
        eyes: how their eyes are looked at; None to leave that out.
        skin: how the best views of them are unrolled; None to gather none.

    Raises:
        WeightsError: mediapipe or its models are missing or damaged.
    """

    def __init__(
        self, texels: TexelMap | None = None, eyes: EyeFrame | None = None, skin: SkinMap | None = None
    ) -> None:
        self._landmarker = Landmarker()
        self._detector = Detector()
        self._eyes, self._skin = eyes, skin
        self._surface = None if texels is None else (texels, HandFinder())

    def track(self, frames: Iterable[Frame], on_frame: Callable[[int], None] | None = None) -> Tracking:
        """Reads all frames once, in order. `on_frame` is called with the number of frames done and may raise to stop.

        A clip without a face gives a tracking without faces.

        Raises:
            UnreadableInputError: there are no frames, or they differ in size.
            OutputError: the temporary folder cannot take what is found in a long clip.
        """
        with ExitStack() as stores:
            surface = None if self._surface is None else _Surface(*self._surface, stores)
            landmarks = stores.enter_context(RowStore((LANDMARKS, 3), np.float32))
            recording = _Recording(landmarks, surface, self._eyes, self._skin)
            return self._track(frames, on_frame, recording)

    def _track(
        self, frames: Iterable[Frame], on_frame: Callable[[int], None] | None, recording: _Recording
    ) -> Tracking:
        follower, cuts = Follower(self._landmarker, self._detector), CutDetector()
        times = array("d")
        size: tuple[int, int] | None = None
        for index, frame in enumerate(frames):
            rgb = np.ascontiguousarray(frame.rgb)
            if size is None:
                size = (rgb.shape[0], rgb.shape[1])
            elif rgb.shape[:2] != size:
                raise UnreadableInputError(
                    f"Frame {index} is {rgb.shape[1]}x{rgb.shape[0]} while the video began with {size[1]}x{size[0]}; "
                    "convert it to one size first."
                )
            cut = cuts.update(rgb)
            recording.add(rgb, index, frame.time, cut, follower.advance(rgb, frame.time, cut))
            times.append(frame.time)
            if on_frame is not None:
                on_frame(index + 1)
        if size is None:
            raise UnreadableInputError("The video has no frames; choose another file.")
        return Tracking(size, np.array(times), cuts.flags, recording.faces(cuts.flags))


class _Surface:
    """What the faces look like and which hands are around, row by row as in `_Recording`."""

    def __init__(self, texels: TexelMap, finder: HandFinder, stores: ExitStack) -> None:
        self._texels, self._finder = texels, finder
        self._textures = stores.enter_context(RowStore((texels.side, texels.side, 3), np.uint8))
        self._hands = stores.enter_context(RowStore((HANDS, HAND_POINTS, 2), np.float32))
        finder.forget()

    def add(self, rgb: NDArray[np.uint8], time: float, cut: bool, traces: list[Trace]) -> NDArray[np.float32]:
        """Returns the hands."""
        if cut:
            self._finder.forget()
        hands = self._finder.find(rgb, time, [trace.sighting.region for trace in traces])
        for trace in traces:
            self._textures.append(self._texels.unwrap(rgb, trace.sighting.landmarks))
            self._hands.append(hands)
        return hands

    def rows(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        return self._textures.rows(indices), self._hands.rows(indices)


class _Recording:
    """All that was seen, row by row; `faces` puts it in order."""

    def __init__(
        self, landmarks: RowStore, surface: _Surface | None, eyes: EyeFrame | None, skin: SkinMap | None
    ) -> None:
        self._landmarks, self._surface, self._eyes = landmarks, surface, eyes
        self._frames, self._owners, self._confidence = array("q"), array("q"), array("f")
        self._tracklets: dict[int, Tracklet] = {}
        self._mouths: dict[int, MouthCollector] = {}
        self._views: dict[int, EyeViews] = {}
        self._partings: list[NDArray[np.float32]] = []
        self._skins = None if skin is None else SkinCollector(skin)

    def add(self, rgb: NDArray[np.uint8], index: int, time: float, cut: bool, traces: list[Trace]) -> None:
        hands = _NO_HANDS if self._surface is None else self._surface.add(rgb, time, cut, traces)
        for trace in traces:
            self._add(rgb, index, trace, hands)

    def _add(self, rgb: NDArray[np.uint8], index: int, trace: Trace, hands: NDArray[np.float32]) -> None:
        sighting = trace.sighting
        self._landmarks.append(sighting.landmarks)
        self._frames.append(index)
        self._owners.append(trace.tracklet)
        self._confidence.append(sighting.confidence)
        if trace.tracklet not in self._tracklets:
            self._tracklets[trace.tracklet] = Tracklet(index, trace.time, sighting.region)
        self._tracklets[trace.tracklet].add(rgb, index, trace.time, sighting)
        landmarks = sighting.landmarks.astype(np.float32)
        self._mouths.setdefault(trace.tracklet, MouthCollector()).add(rgb, landmarks, sighting.confidence, hands)
        self._partings.append(parting(rgb, landmarks))
        if self._eyes is not None:
            self._views.setdefault(trace.tracklet, EyeViews(self._eyes)).add(rgb, landmarks)
        if self._skins is not None:
            row = len(self._owners) - 1
            self._skins.add(rgb, landmarks, sighting.confidence, trace.tracklet, trace.time, row, hands)

    def faces(self, cuts: NDArray[np.bool_]) -> tuple[FaceTrack, ...]:
        kept = {n: t for n, t in self._tracklets.items() if t.confidence >= _DOUBTFUL * t.count}
        shots = np.cumsum(cuts)
        labels = same_person(list(kept.values()), [int(shots[t.first]) for t in kept.values()])
        people: dict[int, list[int]] = {}
        for tracklet, label in zip(kept, labels, strict=True):
            people.setdefault(label, []).append(tracklet)
        fewest = min(_FEWEST_FRAMES, math.ceil(len(cuts) / 4))
        present = [p for p in people.values() if sum(kept[n].count for n in p) >= fewest]
        present.sort(key=lambda p: -sum(kept[n].area for n in p))
        return tuple(self._face(identity, tracklets) for identity, tracklets in enumerate(present))

    def _face(self, identity: int, tracklets: list[int]) -> FaceTrack:
        owners = np.array(self._owners)
        rows = np.flatnonzero(np.isin(owners, tracklets))
        textures, hands = (None, None) if self._surface is None else self._surface.rows(rows)
        return FaceTrack(
            identity,
            np.array(self._frames)[rows],
            self._landmarks.rows(rows),
            np.array(self._confidence)[rows],
            np.unique(owners[rows], return_inverse=True)[1].astype(np.int64),
            textures,
            hands,
            mouths=reduce(MouthCollector.merge, (self._mouths[n] for n in tracklets)).views,
            eyes=None if self._eyes is None else reduce(EyeViews.merge, (self._views[n] for n in tracklets)).views,
            partings=np.array(self._partings)[rows],
            views=() if self._skins is None else self._skins.views(rows),
        )

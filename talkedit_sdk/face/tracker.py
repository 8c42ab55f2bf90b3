"""The tracker: faces found, followed, told apart and stored, for a whole clip in one pass."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import UnreadableInputError
from talkedit_sdk.face.cuts import CutDetector
from talkedit_sdk.face.detector import Detector
from talkedit_sdk.face.follower import Follower, Trace
from talkedit_sdk.face.identity import Tracklet, same_person
from talkedit_sdk.face.landmarker import Landmarker
from talkedit_sdk.face.store import LandmarkStore
from talkedit_sdk.face.track import FaceTrack, Tracking
from talkedit_sdk.video.types import Frame

_DOUBTFUL = 0.4  # mean confidence below which a tracklet is no face
_FEWEST_FRAMES = 8  # in which a person has to be seen, or a quarter of a shorter clip


class FaceMeshTracker:
    """Tracks with mediapipe's FaceMesh, on the CPU, one clip at a time. May be used for any number of clips.

    Raises:
        WeightsError: mediapipe or its models are missing or damaged.
    """

    def __init__(self) -> None:
        self._landmarker = Landmarker()
        self._detector = Detector()

    def track(self, frames: Iterable[Frame], on_frame: Callable[[int], None] | None = None) -> Tracking:
        """Reads all frames once, in order. `on_frame` is called with the number of frames done and may raise to stop.

        A clip without a face gives a tracking without faces.

        Raises:
            UnreadableInputError: there are no frames, or they differ in size.
            OutputError: the temporary folder cannot take the landmarks of a long clip.
        """
        with LandmarkStore() as store:
            return self._track(frames, on_frame, _Recording(store))

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
            for trace in follower.advance(rgb, frame.time, cuts.update(rgb)):
                recording.add(rgb, index, trace)
            times.append(frame.time)
            if on_frame is not None:
                on_frame(index + 1)
        if size is None:
            raise UnreadableInputError("The video has no frames; choose another file.")
        return Tracking(size, np.array(times), cuts.flags, recording.faces(cuts.flags))


class _Recording:
    """All that was seen, row by row; `faces` puts it in order."""

    def __init__(self, landmarks: LandmarkStore) -> None:
        self._landmarks = landmarks
        self._frames, self._owners, self._confidence = array("q"), array("q"), array("f")
        self._tracklets: dict[int, Tracklet] = {}

    def add(self, rgb: NDArray[np.uint8], index: int, trace: Trace) -> None:
        sighting = trace.sighting
        self._landmarks.append(sighting.landmarks)
        self._frames.append(index)
        self._owners.append(trace.tracklet)
        self._confidence.append(sighting.confidence)
        if trace.tracklet not in self._tracklets:
            self._tracklets[trace.tracklet] = Tracklet(index, trace.time, sighting.region)
        self._tracklets[trace.tracklet].add(rgb, index, trace.time, sighting)

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
        return FaceTrack(
            identity,
            np.array(self._frames)[rows],
            self._landmarks.rows(rows),
            np.array(self._confidence)[rows],
            np.unique(owners[rows], return_inverse=True)[1].astype(np.int64),
        )

"""Finds faces and follows them from frame to frame, without knowing who they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.detector import Detection, Detector
from talkedit_sdk.face.landmarker import Landmarker, Sighting
from talkedit_sdk.face.region import Region

_MOST_FACES = 8
_SMALLEST = 36.0  # pixels of a region's side: below that too many patterns look like a face
_SLACK = 0.01  # of the region's side: less than the landmarks tremble, and too little to harm them
_CONTINUOUS = 0.5  # no head moves or grows by more than that part of its region between two frames
_CONVINCING, _TOLERABLE = 0.3, 0.15  # confidence to begin with, and to go on with
_CERTAIN, _LIKELY = 0.7, 0.6  # detector's scores: enough alone, enough as a second opinion

# Seconds between looks for new faces.
_CALM, _ANXIOUS = 0.5, 0.1
_PATIENCE, _LONGEST_PATIENCE = 0.25, 2.0  # between looks at tiles, doubled each time that nothing is found
_HOPE = 1.0  # for how long a lost face is expected near the place where it was lost
_FASTEST = 60  # frames a second; timestamps that say more are not believed


@dataclass(frozen=True)
class Trace:
    """A face that is being followed.

    Members:
        tracklet: counts up; stays the same as long as motion is continuous.
        sighting: what was seen last.
        region: where to look next.
        time: of the sighting, in seconds.
    """

    tracklet: int
    sighting: Sighting
    region: Region
    time: float


class Follower:
    """The faces of one clip, frame by frame."""

    def __init__(self, landmarker: Landmarker, detector: Detector) -> None:
        self._landmarker = landmarker
        self._detector = detector
        self._live: list[Trace] = []
        self._lost: list[Trace] = []
        self._tracklets = 0
        self._whole = _Timer()
        self._tiles = _Timer()
        self._patience = _PATIENCE

    def advance(self, rgb: NDArray[np.uint8], time: float, cut: bool) -> list[Trace]:
        """The faces in the next (H, W, 3) frame, at `time` seconds; `cut` says that a new shot begins with it."""
        if cut:
            self._lost, self._live = self._live, []
            self._whole, self._tiles, self._patience = _Timer(), _Timer(), _PATIENCE
        self._follow(rgb, time)
        for candidate in self._candidates(rgb, time):
            if len(self._live) < _MOST_FACES and not self._known(candidate.region):
                sighting = self._verified(rgb, candidate)
                if sighting is not None and not self._known(sighting.region):
                    self._live.append(Trace(self._next_tracklet(), sighting, sighting.region, time))
        hopeful = [trace for trace in self._lost if time - trace.time <= _HOPE and not self._known(trace.region)]
        self._lost = hopeful[-_MOST_FACES:]
        if self._live:
            self._patience = _PATIENCE
        return list(self._live)

    def _follow(self, rgb: NDArray[np.uint8], time: float) -> None:
        seen: list[tuple[Trace, Sighting]] = []
        for trace in self._live:
            sighting = self._seen_again(rgb, trace)
            if sighting is None:
                self._lost.append(trace)
            else:
                seen.append((trace, sighting))
        self._live = []
        # Where two traces end on one face, it is that of the trace which had the shorter way.
        for trace, sighting in sorted(seen, key=lambda pair: pair[0].region.distance(pair[1].region)):
            if self._known(sighting.region):
                self._lost.append(trace)
            elif trace.sighting.region.agrees(sighting.region, _CONTINUOUS):
                region = trace.region.followed(sighting.region, _SLACK)
                self._live.append(Trace(trace.tracklet, sighting, region, time))
            else:
                self._live.append(Trace(self._next_tracklet(), sighting, sighting.region, time))

    def _seen_again(self, rgb: NDArray[np.uint8], trace: Trace) -> Sighting | None:
        sighting = self._landmarker.locate(rgb, trace.region)
        if sighting is not None and sighting.confidence >= _TOLERABLE:
            return sighting
        # It may have left its region within one frame: the detector looks further.
        for detection in self._detector.around(rgb, trace.region):
            sighting = self._landmarker.locate(rgb, detection.region)
            if sighting is not None and sighting.confidence >= _CONVINCING:
                return sighting
        return None

    def _candidates(self, rgb: NDArray[np.uint8], time: float) -> Iterator[Detection]:
        """From cheap to expensive; what is found on the way decides whether to go on."""
        for trace in self._lost:
            yield from self._detector.around(rgb, trace.region)
        if self._whole.due(time, _CALM if self._live and not self._lost else _ANXIOUS):
            self._whole.start(time)
            yield from self._detector.whole(rgb)
        # Once in each shot for those in the background, and again as long as there is nobody at all.
        if self._tiles.due(time, math.inf if self._live else self._patience):
            self._tiles.start(time)
            self._patience = min(2 * self._patience, _LONGEST_PATIENCE)
            yield from self._detector.tiles(rgb)

    def _verified(self, rgb: NDArray[np.uint8], candidate: Detection) -> Sighting | None:
        """Landmarks where both networks see a face, the detector also at the best scale."""
        opinions = self._detector.around(rgb, candidate.region)
        for region in (candidate.region, *(d.region for d in opinions)):
            sighting = self._landmarker.locate(rgb, region)
            if sighting is None or sighting.confidence < _CONVINCING or sighting.region.side < _SMALLEST:
                continue
            seconds = (d.score for d in opinions if d.region.overlaps(sighting.region))
            if candidate.score >= _CERTAIN or max(seconds, default=0.0) >= _LIKELY:
                return sighting
        return None

    def _known(self, region: Region) -> bool:
        return any(region.overlaps(trace.sighting.region) for trace in self._live)

    def _next_tracklet(self) -> int:
        self._tracklets += 1
        return self._tracklets - 1


class _Timer:
    def __init__(self) -> None:
        self._time = -math.inf
        self._calls = math.inf

    def start(self, time: float) -> None:
        self._time = time
        self._calls = 0

    def due(self, time: float, interval: float) -> bool:
        """To be asked once a frame."""
        self._calls += 1
        return time - self._time >= interval or self._calls >= interval * _FASTEST

"""Where an edit has to be weaker than asked for: at the ends of a track, on turned heads, where the fit is poor."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.model import euler_angles
from talkedit_sdk.face.smooth import gaussian_mean, smoothstep
from talkedit_sdk.face.track import FaceTrack, Tracking

FADE_SECONDS: Final = 0.30
_YAW: Final = (1.15, 0.85)  # radians; no edit above the first, a full one below the second
_PITCH: Final = (0.95, 0.60)
_ERROR: Final = (0.070, 0.035)  # model units of root mean square fit error
_SMOOTHING: Final = 0.08


def visibility(fit: FaceFit, times: NDArray[np.float64], segments: NDArray[np.int64]) -> NDArray[np.float32]:
    """(N,) 1 where the face is seen well enough to be edited in full, 0 where it is turned away or the fit failed."""
    pitch, yaw, _ = euler_angles(fit.pose.rotation).abs().unbind(-1)
    seen = smoothstep(yaw, *_YAW) * smoothstep(pitch, *_PITCH) * smoothstep(fit.error, *_ERROR)
    return _lowest_nearby(seen.cpu().numpy(), times, segments)


def edge_fade(track: FaceTrack, tracking: Tracking) -> NDArray[np.float32]:
    """(N,) rises from 0 after the face appears and falls to 0 before it goes.

    Only at edges where the same shot shows frames without the face: at a cut and at the ends of the clip there is
    nothing to fade into.
    """
    times = tracking.times[track.frames]
    fade = np.ones(len(times), np.float32)
    starts = np.flatnonzero(np.diff(track.segments, prepend=track.segments[0] - 1))
    stops = np.append(starts[1:], len(times))
    for start, stop in zip(starts, stops, strict=True):
        first, last = int(track.frames[start]), int(track.frames[stop - 1])
        if first > 0 and not tracking.cuts[first]:
            before = float(tracking.times[first - 1])
            fade[start:stop] = np.minimum(fade[start:stop], _eased((times[start:stop] - before) / FADE_SECONDS))
        if last + 1 < len(tracking.times) and not tracking.cuts[last + 1]:
            after = float(tracking.times[last + 1])
            fade[start:stop] = np.minimum(fade[start:stop], _eased((after - times[start:stop]) / FADE_SECONDS))
    return fade


def _eased(t: NDArray[np.float64]) -> NDArray[np.float32]:
    eased: NDArray[np.float32] = smoothstep(torch.from_numpy(t), 0, 1).numpy().astype(np.float32)
    return eased


def _lowest_nearby(
    values: NDArray[np.float32], times: NDArray[np.float64], segments: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Smooth, and never above the value itself: the edit is gone before the face is."""
    if len(values) < 2:
        return values
    column, seconds, labels = torch.from_numpy(values)[:, None], torch.from_numpy(times), torch.from_numpy(segments)
    mean = gaussian_mean(column, seconds, labels, _SMOOTHING)[:, 0].numpy()
    return np.minimum(mean, values).astype(np.float32)

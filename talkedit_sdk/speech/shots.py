"""The pictures of somebody who speaks, as long as the speech, and what is known of the face in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from talkedit_sdk.clip import Clip
from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.pose import align
from talkedit_sdk.face.store import RowStore
from talkedit_sdk.face.topology import VERTICES
from talkedit_sdk.face.track import Tracking
from talkedit_sdk.speech.head import HeadWarp, sway
from talkedit_sdk.speech.prosody import Prosody
from talkedit_sdk.speech.source import MovingPhoto, Prolonged, back_and_forth
from talkedit_sdk.texture.occlusion import Occlusion


def moving(
    clip: Clip,
    index: int,
    rgb: NDArray[np.uint8],
    path: Path | None,
    fps: Fraction,
    prosody: Prosody,
    duration: float,
    head: float,
    seed: int,
) -> Clip:
    """A photo that speaks for `duration` seconds.

    Args:
        clip: of the one picture `rgb`.
        path: of the photo, if it has one.
        index: face that speaks, whose head moves.
        head: how much.
    """
    times = np.arange(max(1, ceil(duration * float(fps) - 1e-6))) / float(fps)
    motion = sway(prosody, times, head, seed)
    source = clip.tracking.faces[index].landmarks[0]
    warp = HeadWarp(source, clip.tracking.size)
    order = np.zeros(len(times), np.int64)
    tracking, fits, occlusions = _repeated(clip, order, times)
    if motion.any():
        faces = list(tracking.faces)
        moved = _stored(source[None], (warp.move(source, row) for row in motion))
        faces[index] = replace(faces[index], landmarks=moved)
        tracking = replace(tracking, faces=tuple(faces))
        fits[index] = _reposed(fits[index], source, moved)
    pictures = MovingPhoto(rgb, path, fps, warp, motion)
    return Clip(pictures, tracking, tuple(fits), tuple(occlusions))


def prolonged(clip: Clip, duration: float) -> Clip:
    """A video that lasts as long as the speech, see `back_and_forth`."""
    tracking = clip.tracking
    order, times = back_and_forth(tracking.times, tracking.cuts, duration, tracking.size)
    tracking, fits, occlusions = _repeated(clip, order, times)
    return Clip(Prolonged(clip.source, order, times), tracking, tuple(fits), tuple(occlusions))


def _repeated(
    clip: Clip, order: NDArray[np.int64], times: NDArray[np.float64]
) -> tuple[Tracking, list[FaceFit], list[Occlusion]]:
    """What is known of a clip whose frames are shown in another order (T,) at other times."""
    step = np.abs(np.diff(order, prepend=order[0]))
    later = np.maximum(order, np.roll(order, 1))
    tracking = Tracking(clip.tracking.size, times, clip.tracking.cuts[later] & (step > 0), ())
    faces, fits, occlusions = [], [], []
    for track, fit, occlusion in zip(clip.tracking.faces, clip.fits, clip.occlusions, strict=True):
        place = np.full(len(clip.tracking.times), -1)
        place[track.frames] = np.arange(len(track.frames))
        rows = place[order]
        frames = np.flatnonzero(rows >= 0)
        rows = rows[frames]
        labels, textures = track.segments[rows], track.textures
        changes = (np.diff(labels, prepend=labels[:1]) != 0) | (np.diff(frames, prepend=frames[:1]) > 1)
        faces.append(
            replace(
                track,
                frames=frames,
                landmarks=_stored(track.landmarks, (track.landmarks[row] for row in rows)),
                confidence=track.confidence[rows],
                segments=np.cumsum(changes),
                textures=None if textures is None else _stored(textures, (textures[row] for row in rows)),
                hands=None,
                partings=None if track.partings is None else track.partings[rows],
                views=tuple(replace(v, row=int(np.argmax(rows == v.row))) for v in track.views if v.row in rows),
            )
        )
        index = torch.from_numpy(rows).to(fit.coefficients.device)
        fits.append(FaceFit(fit.neutral, fit.pose[index], fit.coefficients[index], fit.error[index]))
        occlusions.append(Occlusion(occlusion.keep[index], occlusion.covered[rows]))
    return replace(tracking, faces=tuple(faces)), fits, occlusions


def _stored(like: NDArray[Any], rows: Iterator[NDArray[Any]]) -> NDArray[Any]:
    """Rows, maybe none, of the kind of those of an array (N, ...), in a temporary file if there are many."""
    with RowStore(like.shape[1:], like.dtype) as store:
        for row in rows:
            store.append(row)
        return store.rows(np.arange(len(store)))


def _reposed(fit: FaceFit, source: NDArray[np.float32], landmarks: NDArray[np.float32]) -> FaceFit:
    """The fit of a face that is moved as a whole from landmarks (478, 3), as in all its rows, to (T, 478, 3)."""
    device = fit.neutral.device
    before, after = (torch.from_numpy(np.array(points[..., :VERTICES, :])).to(device) for points in (source, landmarks))
    face = fit.pose[:1].to_model(before[None])[0]
    return replace(fit, pose=align(after, face, torch.ones(VERTICES, device=device)))

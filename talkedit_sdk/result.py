"""The outcome of an edit: planned, reported, and rendered when it is saved or iterated."""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Generator, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from talkedit_sdk.badge import Badge
from talkedit_sdk.clip import Clip, Curves
from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import BLENDSHAPES, CHIN, VERTICES
from talkedit_sdk.face.track import FaceTrack
from talkedit_sdk.motion.facing import facing
from talkedit_sdk.motion.lids import LidGuard, usual_opening
from talkedit_sdk.motion.mouth import LipGuard, lip_gaps
from talkedit_sdk.motion.speaking import Speaking, SpeechGuard, explained
from talkedit_sdk.motion.types import MotionEdit
from talkedit_sdk.progress import ProgressLike, reporting
from talkedit_sdk.render.gallery import TrackMouth
from talkedit_sdk.render.renderer import Renderer
from talkedit_sdk.render.sheet import Placement
from talkedit_sdk.report import EditReport
from talkedit_sdk.signing import Signer
from talkedit_sdk.texture.keyframes import KeyedGain
from talkedit_sdk.threads import single_threaded, single_threaded_pool
from talkedit_sdk.video.output import check_output
from talkedit_sdk.video.photo import write_photo
from talkedit_sdk.video.pipeline import Background, prefetch
from talkedit_sdk.video.types import Frame
from talkedit_sdk.video.writer import VideoWriter

BLOCK: Final = 64
"""Frames whose geometry is worked out together."""

BATCH: Final = 16
"""Frames drawn together on a GPU."""

WORKERS: Final = 2
"""Frames drawn side by side on a CPU; more would wait for each other and for the encoder."""


@dataclass(frozen=True)
class FaceEdit:
    """One face of a clip and what it should do instead; rows are those of the track. `keep` is (T, 468), the share of
    the motion that remains where something is in front of the face. `skin` is how its skin changes, None where it does
    not. `speaking` is what its mouth and lids have to come to if it says something else.
    """

    track: FaceTrack
    fit: FaceFit
    motion: MotionEdit
    strength: Tensor
    keep: Tensor
    skin: KeyedGain | None = None
    speaking: Speaking | None = None


class EditResult:
    """An edit of a clip, from `Editor.edit` or `Editor.speak`.

    Rendering happens in `save` and `frames`, one frame in memory at a time, as often as wanted.
    """

    def __init__(
        self,
        clip: Clip,
        edits: tuple[FaceEdit, ...],
        report: EditReport,
        model: FaceModel,
        renderer: Renderer,
        metadata: dict[str, str],
        progress: ProgressLike,
        sound: Path | None = None,
    ) -> None:
        self._clip, self._edits, self._report = clip, edits, report
        self._model, self._renderer = model, renderer
        self._metadata, self._progress, self._sound = metadata, progress, sound

    @property
    def report(self) -> EditReport:
        """What was edited frame by frame, what was skipped and why; after `save` also what the file could not keep."""
        return self._report

    @property
    def curves(self) -> tuple[Curves, ...]:
        """Coefficients before and after, one for each edited face."""
        return tuple(
            Curves(
                times=self._clip.tracking.times[edit.track.frames],
                frames=edit.track.frames,
                before=edit.fit.coefficients.cpu().numpy(),
                after=edit.motion.coefficients.cpu().numpy(),
            )
            for edit in self._edits
        )

    def openings(self) -> tuple[NDArray[np.float32], ...]:
        """How far the mouth is open: (N, 2) before and after for each edited face, rows as in `curves`, the distance of
        the inner lips at the middle of the mouth as a share of the face's width."""
        return tuple(drawer.openings() for drawer in self._drawers)

    @property
    def metadata(self) -> Mapping[str, str]:
        """Tags that say what was edited; `save` writes them. Who writes `frames` to a file owes them to it too."""
        return self._metadata

    @property
    def badge(self) -> Badge:
        """The visible mark of this clip."""
        return Badge(self._clip.source.info, self._clip.tracking)

    def frames(self, badge: bool = False) -> Generator[Frame, None, None]:
        """All frames of the clip in order, edited where the report says so, the source's own elsewhere; with the
        visible mark "AI-edited" in a corner of each if wanted."""
        mark = self.badge if badge else None
        drawers = self._drawers
        size, workers = (1, WORKERS) if self._model.device.type == "cpu" else (BATCH, 1)
        pool = single_threaded_pool(workers)
        waiting: deque[Future[list[Frame]]] = deque()
        try:
            with closing(prefetch(self._clip.source.frames(), depth=max(size, 4))) as source:
                while batch := list(itertools.islice(source, size)):
                    waiting.append(pool.submit(self._marked, batch, drawers, mark))
                    if len(waiting) > workers:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    @cached_property
    def _drawers(self) -> list[_Drawer]:
        return [_Drawer(edit, self._model, self._renderer) for edit in self._edits]

    def frame(self, index: int) -> Frame:
        """One edited frame, for a preview.

        Raises:
            IndexError: the clip has no such frame.
        """
        for frame in self._clip.source.frames():
            if frame.index == index:
                return self.render(frame)
        raise IndexError(f"the clip has no frame {index}")

    def render(self, frame: Frame) -> Frame:
        """`frame` of the clip, kept from an earlier reading, with the edit: a preview that decodes nothing."""
        with single_threaded():
            return self._drawn([frame], self._drawers)[0]

    def _marked(self, batch: list[Frame], drawers: list[_Drawer], badge: Badge | None) -> list[Frame]:
        drawn = self._drawn(batch, drawers)
        return drawn if badge is None else [replace(frame, rgb=badge.draw(frame.rgb)) for frame in drawn]

    def _drawn(self, batch: list[Frame], drawers: list[_Drawer]) -> list[Frame]:
        indices = [frame.index for frame in batch]
        if not any(drawer.touches(index) for drawer in drawers for index in indices):
            return batch
        source = torch.from_numpy(np.stack([frame.rgb for frame in batch])).to(self._model.device)
        edited = source
        for drawer in drawers:
            edited = drawer.draw(indices, edited)
        return [replace(frame, rgb=rgb) for frame, rgb in zip(batch, edited.cpu().numpy(), strict=True)]

    def save(
        self,
        path: str | os.PathLike[str],
        progress: ProgressLike = None,
        badge: bool = False,
        signer: Signer | None = None,
    ) -> Path:
        """Renders the edit into a file: a video with the source's timing and sound (of a face that speaks, that of the
        speech), or a photo.

        Args:
            path: .mp4, .mov or .mkv; .jpg, .png, .webp or .tif for a photo. Replaced only when all is done.
            progress: as in `Editor.edit`, which gives the default.
            badge: draws "AI-edited" into the corner of the picture that is farthest from the faces.
            signer: adds Content Credentials (C2PA) signed with your certificate; not for .mkv.

        Raises:
            OutputError: it cannot be written or signed there. Nothing is left behind.
            InputError: source or sound have vanished or changed. Nothing is left behind.
            Cancelled: the callback returned False. Nothing is left behind.
        """
        info = self._clip.source.info
        target = check_output(path, info)
        if signer is not None:
            signer.check(target)
        if info.kind == "photo":
            (frame,) = self.frames(badge)
            write_photo(target, frame.rgb, info, self._metadata, signer)
            return target
        chosen = self._progress if progress is None else progress
        with (
            reporting(chosen, "render", self._report.frames) as advance,
            VideoWriter(target, self._clip.source, self._metadata, signer, self._sound) as writer,
            Background(writer.write) as encoder,
            closing(self.frames(badge)) as frames,
        ):
            for frame in frames:
                encoder.put(frame)
                advance(frame.index + 1)
        self._report = replace(self._report, notes=tuple(dict.fromkeys((*self._report.notes, *writer.notes))))
        return target


class _Drawer:
    """Draws one face into frames that come in order, working out the geometry a block at a time."""

    def __init__(self, edit: FaceEdit, model: FaceModel, renderer: Renderer) -> None:
        self._edit, self._model, self._renderer = edit, model, renderer
        self._guard = LipGuard(model.mean)
        self._lids = LidGuard(model.mean, usual_opening(edit.track, edit.fit))
        self._spoken = SpeechGuard(model, self._lids)
        self._of_jaw = torch.tensor([name.startswith("jaw") for name in BLENDSHAPES], device=model.device)
        self._mouth = TrackMouth(
            edit.track, edit.fit, renderer.nobody, edit.speaking is not None and edit.speaking.filmed
        )
        strength = edit.strength.cpu().numpy()
        self._rows = {int(edit.track.frames[row]): int(row) for row in np.flatnonzero(strength)}
        self._blocks: dict[int, Placement] = {}
        self._lock = threading.Lock()
        if self._rows:
            rows = slice(None, None, max(len(strength) // BLOCK, 1))
            landmarks, offsets, _, _ = self._geometry(rows)
            self._mouth.choose(rows, landmarks, offsets)

    def touches(self, index: int) -> bool:
        """Whether a frame is to be changed at all."""
        return index in self._rows

    def draw(self, indices: list[int], pictures: Tensor) -> Tensor:
        """pictures: (B, H, W, 3) uint8, frames of those indices -> the same with the face drawn anew."""
        wanted = [(place, self._rows[index]) for place, index in enumerate(indices) if index in self._rows]
        for block, group in itertools.groupby(wanted, lambda pair: pair[1] // BLOCK):
            places, rows = zip(*group, strict=True)
            placement = self._placement(block)[torch.tensor(rows) % BLOCK]
            gain = None if self._edit.skin is None else self._edit.skin.at(rows)
            if len(places) == len(indices):
                pictures = self._renderer.draw(pictures, placement, gain)
            else:
                pictures = pictures.clone()
                pictures[list(places)] = self._renderer.draw(pictures[list(places)], placement, gain)
        return pictures

    def _placement(self, block: int) -> Placement:
        with self._lock:
            if block not in self._blocks:
                self._blocks = {at: kept for at, kept in self._blocks.items() if abs(at - block) <= 1}
                self._blocks[block] = self._place(slice(block * BLOCK, (block + 1) * BLOCK))
            return self._blocks[block]

    @single_threaded()
    def openings(self) -> NDArray[np.float32]:
        """(N, 2), see `EditResult.openings`."""
        width = float(self._model.mean[:, 0].max() - self._model.mean[:, 0].min())
        blocks = []
        for start in range(0, len(self._edit.strength), BLOCK):
            rows = slice(start, start + BLOCK)
            landmarks, offsets, _, _ = self._geometry(rows)
            pose, vertices = self._edit.fit.pose[rows], landmarks[:, :VERTICES]
            gaps = [lip_gaps(pose.to_model(points))[:, 1:4].mean(1) for points in (vertices, vertices + offsets)]
            blocks.append(torch.stack(gaps, 1) / width)
        return torch.cat(blocks).clamp_min(0).cpu().numpy()

    def _place(self, rows: slice) -> Placement:
        landmarks, offsets, jaw, kept = self._geometry(rows)
        tinted = None if self._edit.skin is None else kept
        gaze = None if self._edit.speaking is None else self._edit.speaking.gaze[rows]
        return self._renderer.place(landmarks, offsets, jaw, self._mouth.behind(rows, landmarks), tinted, gaze)

    def _geometry(self, rows: slice) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of frames: landmarks (T, 478, 3), their offsets (T, 468, 3) and the motion of the jaw (T, 3), pixels, and
        what is kept of the edit where a face is turned away or covered (T, 468)."""
        edit, device = self._edit, self._model.device
        landmarks = torch.from_numpy(np.array(edit.track.landmarks[rows], np.float32)).to(device)
        pose = edit.fit.pose[rows]
        if edit.speaking is not None:
            landmarks = self._spoken.without_teeth(landmarks, pose)
        change = edit.motion.coefficients[rows] - edit.fit.coefficients[rows]
        vertices = pose.to_model(landmarks[:, :VERTICES])
        offsets = self._model.motion(change)
        if edit.speaking is None:
            offsets = self._lids(self._guard(offsets, vertices, edit.motion.lip_hold[rows]), vertices)
        else:
            fitted = explained(self._model, edit.fit, rows)
            offsets = self._spoken(offsets, vertices, fitted, edit.speaking[rows])
        keep = edit.keep[rows]
        kept = keep * facing(pose.rotation, self._model.mean)
        offsets = offsets * kept[..., None]
        jaw = self._model.displacement(change * self._of_jaw)[:, [CHIN]] * keep[:, CHIN, None, None]
        return landmarks, pose.rotate(offsets), pose.rotate(jaw)[:, 0], kept

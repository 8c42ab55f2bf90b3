"""What the app does with a clip: watch it once, preview a frame in an instant, render it whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from talkedit_sdk.app import keyframes, texts
from talkedit_sdk.app.keyframes import KeyFrame, Window
from talkedit_sdk.app.limits import Limits
from talkedit_sdk.app.wish import Wish
from talkedit_sdk.clip import Clip, Curves
from talkedit_sdk.editor import Editor
from talkedit_sdk.errors import Cancelled, UnreadableInputError
from talkedit_sdk.progress import Progress
from talkedit_sdk.report import EditReport
from talkedit_sdk.result import EditResult
from talkedit_sdk.video.probe import probe

EVERY: Final = 0.25
"""Seconds between two reports of progress."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Step:
    """How far work is: `share` in [0, 1], None where nobody knows; `left` in seconds, None at the beginning."""

    share: float | None
    done: int
    left: float | None


@dataclass(frozen=True)
class Outcome:
    """A rendered edit; `metadata`, `curves` and `openings` as of `EditResult`. `badge_on_top` tells where its visible
    mark is, or would be."""

    path: Path
    metadata: Mapping[str, str]
    badge_on_top: bool
    report: EditReport
    curves: tuple[Curves, ...]
    openings: tuple[NDArray[np.float32], ...]


class Studio:
    """An editor shared by all visitors. Watching is one at a time; previews may be drawn meanwhile."""

    def __init__(self, editor: Editor, limits: Limits) -> None:
        self.editor, self.limits = editor, limits
        self.alone = threading.Lock()
        """Held while faces are followed."""
        # What sets the number of threads for a while and puts it back would trip over another thread doing the same.
        torch.set_num_threads(1)

    def watch(self, path: Path, stop_file: Path | None = None) -> Iterator[Step | Clip]:
        """Steps, then the clip.

        Raises:
            UnreadableInputError: it is no video or photo, or lies beyond the limits.
            Cancelled: the file `stop_file` has appeared, or its folder is gone.
        """
        self.limits.check_size(path)
        info = probe(path)
        self.limits.check(info)

        def work(watcher: Watcher) -> Clip:
            def advance(progress: Progress) -> bool:
                self.limits.check_frames(info, progress.done)
                return watcher(progress)

            with self.alone:
                clip = self.editor.watch(path, progress=advance)
            if not len(clip.tracking.times):
                raise UnreadableInputError(texts.NO_FRAMES)
            return clip

        return in_steps(work, stop_file)

    def preview(self, clip: Clip, wish: Wish, key: KeyFrame, window: Window | None = None) -> bytes:
        """The key frame, or a window of it, with the edit, as JPEG at most 1280 pixels wide and high. Errors as
        `Editor.edit`."""
        result = self.plan(clip, wish)
        return keyframes.shown(result.render(key.frame()).rgb, window, result.metadata)

    def plan(self, clip: Clip, wish: Wish) -> EditResult:
        """The edit of the whole clip, not yet drawn. Errors as `Editor.edit`."""
        return plan(self.editor, clip, wish)

    def render(self, clip: Clip, wish: Wish, target: Path, stop_file: Path | None = None) -> Iterator[Step | Outcome]:
        """See `render`."""
        return render(self.editor, clip, wish, target, stop_file)


def plan(editor: Editor, clip: Clip, wish: Wish) -> EditResult:
    """The edit that a visitor wishes for. Errors as `Editor.edit`."""
    strength = wish.strength(float(clip.tracking.times[-1]))
    return editor.edit(clip, wish.emotion, strength, wish.mouth_weight, wish.face, progress=False, detail=wish.detail)


def render(
    editor: Editor, clip: Clip, wish: Wish, target: Path, stop_file: Path | None = None
) -> Iterator[Step | Outcome]:
    """Steps, then what became of the clip, saved as `target`.

    Raises:
        Cancelled: the file `stop_file` has appeared; nothing was written.
        TalkEditError: see `Editor.edit` and `EditResult.save`.
    """
    return saved(plan(editor, clip, wish), target, wish.badge, stop_file)


def saved(result: EditResult, target: Path, badge: bool, stop_file: Path | None) -> Iterator[Step | Outcome]:
    """Steps, then what became of a planned edit. Errors as `render`."""

    def work(watcher: Watcher) -> Outcome:
        path = result.save(target, watcher, badge)
        return Outcome(path, result.metadata, result.badge.top, result.report, result.curves, result.openings())

    return in_steps(work, stop_file)


class Watcher:
    """Listens to work in another thread."""

    def __init__(self, stop_file: Path | None) -> None:
        self._stop_file = stop_file
        self._began = time.monotonic()
        self.stopped = False
        self.step = Step(None, 0, None)

    def __call__(self, progress: Progress) -> bool:
        spent = time.monotonic() - self._began
        share = min(1.0, progress.done / progress.total) if progress.total else None
        left = spent * (1 - share) / share if share and spent > 1 else None
        self.step = Step(share, progress.done, left)
        return not (self.stopped or (self._stop_file is not None and _called_off(self._stop_file)))


def _called_off(stop_file: Path) -> bool:
    """Whether the file was made, or its folder is gone together with all that the work is for."""
    return stop_file.exists() or not stop_file.parent.exists()


def in_steps(work: Callable[[Watcher], Result], stop_file: Path | None) -> Iterator[Step | Result]:
    """Runs `work` in a thread, telling how far it is. The work ends when nobody listens any more."""
    watcher = Watcher(stop_file)
    with ThreadPoolExecutor(1, "talkedit-app") as pool:
        future = pool.submit(work, watcher)
        try:
            while not future.done():
                yield watcher.step
                wait((future,), EVERY)
            yield future.result()
        finally:
            watcher.stopped = True


def last(steps: Iterator[Step | Result]) -> Result:
    """Lets the work run to its end without telling anybody.

    Raises:
        Cancelled: it ended without a result.
    """
    for step in steps:
        if not isinstance(step, Step):
            return step
    raise Cancelled(texts.CANCELLED)

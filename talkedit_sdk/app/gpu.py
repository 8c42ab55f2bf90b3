"""ZeroGPU, the shared GPUs of Hugging Face Spaces: a function asks for one for as long as it says it needs.

The package `spaces` is looked at for its attribute `GPU`: this repository has a folder of that name, which Python would
import just as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch

from talkedit_sdk.app.line import Line, perform
from talkedit_sdk.app.studio import Outcome, Step, Studio, render
from talkedit_sdk.app.wish import Wish
from talkedit_sdk.clip import Clip
from talkedit_sdk.editor import Editor
from talkedit_sdk.speech.audio import read_voice
from talkedit_sdk.video.probe import probe

Renderer: TypeAlias = Callable[[Clip, Wish, Path, Path | None], Iterator[Step | Outcome]]
Speaker: TypeAlias = Callable[[Line, Path, Path | None], Iterator[Step | Outcome]]

_AS_THEY_ARE: Final = ("source", "tracking")
DEVICE: Final = torch.device("cuda")

_START: Final = 15.0
"""Seconds for a fresh process to load the weights and compile."""

_USUAL_FPS: Final = 25
_FRAMES_A_SECOND: Final = 12.0
"""At 1920x1080, decoded and encoded beside the GPU; an estimate that errs on the slow side."""


def zero_gpu() -> Callable[..., Any] | None:
    """The decorator `spaces.GPU` on a Space, else None."""
    with contextlib.suppress(ImportError):
        return getattr(import_module("spaces"), "GPU", None)
    return None


def renderer(studio: Studio) -> Renderer:
    """What renders whole clips here: a borrowed GPU where there are some, else the studio itself."""
    borrow = zero_gpu()
    return studio.render if borrow is None else borrow(duration=seconds_needed)(render_on_gpu)


def seconds_needed(clip: Clip, wish: Wish, target: Path, stop_file: Path | None = None) -> int:
    """How long `render_on_gpu` will hold the GPU, for the queue of the Space."""
    height, width = clip.tracking.size
    return _seconds(len(clip.tracking.times), width, height)


def speaker(studio: Studio) -> Speaker:
    """As `renderer`, for faces that talk."""
    borrow = zero_gpu()
    if borrow is not None:
        on_gpu: Speaker = borrow(duration=seconds_to_speak)(speak_on_gpu)
        return on_gpu
    return lambda line, target, stop_file: perform(studio.editor, line, target, stop_file, studio.alone)


def seconds_to_speak(line: Line, target: Path, stop_file: Path | None = None) -> int:
    """How long `speak_on_gpu` will hold the GPU."""
    info = probe(line.face)
    frames = round(_USUAL_FPS * read_voice(line.voice).duration)
    return _seconds(frames * (1 if info.kind == "photo" else 2), info.width, info.height)


def speak_on_gpu(line: Line, target: Path, stop_file: Path | None = None) -> Iterator[Step | Outcome]:
    """As `perform`, in a process of its own that has a GPU."""
    yield from perform(Editor.load(device=DEVICE), line, target, stop_file)


def _seconds(frames: int, width: int, height: int) -> int:
    return int(_START + frames * max(0.25, width * height / (1920 * 1080)) / _FRAMES_A_SECOND)


def render_on_gpu(clip: Clip, wish: Wish, target: Path, stop_file: Path | None = None) -> Iterator[Step | Outcome]:
    """As `Studio.render`, in a process of its own that has a GPU: the clip comes from one that has none."""
    yield from render(Editor.load(device=DEVICE), moved(clip, DEVICE), wish, target, stop_file)


def moved(clip: Clip, device: torch.device) -> Clip:
    """The clip with all that was fitted to it on another device."""
    fitted = {field.name: getattr(clip, field.name) for field in fields(clip) if field.name not in _AS_THEY_ARE}
    return replace(clip, **{name: _moved(part, device) for name, part in fitted.items()})


def _moved(thing: Any, device: torch.device) -> Any:
    if isinstance(thing, torch.Tensor):
        return thing.to(device)
    if isinstance(thing, tuple):
        return tuple(_moved(part, device) for part in thing)
    if is_dataclass(thing) and not isinstance(thing, type):
        return replace(thing, **{field.name: _moved(getattr(thing, field.name), device) for field in fields(thing)})
    return thing

"""Parts of the page that Gradio does not bring: pickers, a curve editor, before and after, a player for two, a bar."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr

from talkedit_sdk.app import texts
from talkedit_sdk.app.glyphs import everybody, glyph, voice
from talkedit_sdk.app.keyframes import KeyFrame, jpeg
from talkedit_sdk.app.studio import Step
from talkedit_sdk.clip import Face
from talkedit_sdk.emotion import EMOTIONS

STATIC: Final = Path(__file__).with_name("static")

STEADY: Final = [[0.0, 1.0], [0.25, 1.0], [0.5, 1.0], [0.75, 1.0], [1.0, 1.0]]


def picker(
    name: str, label: str, items: Sequence[dict[str, str]] = (), value: str = "", look: str | None = None
) -> gr.HTML:
    """Pictures to choose from like radio buttons; `value` is that of the chosen item, `input` tells of a choice;
    `look` is a class of the style sheet."""
    return gr.HTML(
        value=value,
        label=label,
        items=list(items),
        html_template=_filled(_read("picker.html"), name=name, label=label),
        js_on_load=_script("picker"),
        apply_default_css=False,
        elem_id=name,
        elem_classes=look,
        visible=bool(items),
    )


def emotions() -> gr.HTML:
    """One emotion to choose."""
    return picker("emotion", texts.EMOTION, _emotion_items(), "happy", "te-emotion")


def feelings(auto: str) -> gr.HTML:
    """As `emotions`, or `auto` for that of a voice."""
    items = [{"value": auto, "icon": voice(), "label": texts.FROM_VOICE}, *_emotion_items()]
    return picker("talk-emotion", texts.EMOTION, items, auto, "te-emotion")


def _emotion_items() -> list[dict[str, str]]:
    return [{"value": name, "icon": glyph(name), "label": texts.EMOTIONS[name]} for name in EMOTIONS]


def face_items(faces: Sequence[Face]) -> list[dict[str, str]]:
    """Everybody, then each face."""
    everyone = {"value": "all", "icon": everybody(), "label": texts.EVERYBODY}
    return [everyone] + [
        {
            "value": str(face.index),
            "image": uri(jpeg(face.thumbnail, 85)),
            "label": texts.FACE.format(number=face.index + 1),
            "detail": texts.FACE_SEEN.format(share=face.share) if face.share < 1 else "",
        }
        for face in faces
    ]


def moment_items(frames: Sequence[KeyFrame]) -> list[dict[str, str]]:
    """The key frames, by position."""
    return [
        {"value": str(at), "image": uri(frame.thumbnail), "label": f"{frame.time:.1f} s"}
        for at, frame in enumerate(frames)
    ]


def curve_editor() -> gr.HTML:
    """Points to drag; `value` is a list of [place, share], `input` tells that one was let go."""
    return gr.HTML(
        value=STEADY,
        label=texts.CURVE,
        shapes=_shapes(),
        html_template=_filled(_read("curve.html"), label=texts.CURVE, handle=texts.CURVE_HANDLE, info=texts.CURVE_INFO),
        js_on_load=_script("curve"),
        apply_default_css=False,
        elem_id="curve",
    )


def player() -> gr.HTML:
    """Two videos that play as one; `value` is {"before": file, "after": file}."""
    return gr.HTML(
        value=None,
        html_template=_filled(
            _read("player.html"),
            before=texts.BEFORE,
            after=texts.AFTER,
            side=texts.SIDE_BY_SIDE,
            wipe=texts.WIPE,
            play=texts.PLAY,
            pause=texts.PAUSE,
            seek=texts.SEEK,
            handle=texts.WIPE_HANDLE,
        ),
        js_on_load=_script("player"),
        apply_default_css=False,
        elem_id="player",
    )


def compare() -> gr.HTML:
    """Before and after with a line between them; `value` is {"before": address, "after": address} or None."""
    return gr.HTML(
        value=None,
        html_template=_filled(_read("compare.html"), before=texts.BEFORE, after=texts.AFTER, handle=texts.WIPE_HANDLE),
        js_on_load=_script("compare"),
        apply_default_css=False,
        elem_id="compare",
    )


def film() -> gr.HTML:
    """A video with the browser's own controls; `value` is a file."""
    template = _filled(_read("film.html"), film=texts.RESULT)
    return gr.HTML(value=None, html_template=template, apply_default_css=False, elem_id="film")


def bar(elem_id: str) -> gr.HTML:
    """How far work is; empty while there is none."""
    return gr.HTML(
        value=None, html_template=_read("bar.html"), js_on_load=None, apply_default_css=False, elem_id=elem_id
    )


def bar_value(step: Step, label: str) -> dict[str, Any]:
    """What `bar` shows of a step."""
    if step.share is None:
        text = texts.FRAMES_DONE.format(label=label, done=step.done) if step.done else f"{label} …"
    else:
        text = texts.SHARE_DONE.format(label=label, share=step.share)
    if step.left is not None:
        text = texts.TIME_LEFT.format(text=text, left=_duration(step.left))
    return {"share": step.share, "text": text}


def _duration(seconds: float) -> str:
    seconds = max(1, math.ceil(seconds))
    if seconds < 90:
        return texts.SECONDS.format(seconds=seconds)
    return texts.MINUTES.format(minutes=seconds // 60, seconds=seconds % 60)


def _shapes() -> list[dict[str, Any]]:
    shares = {
        1: (1, 1, 1, 1, 1),
        2: (0, 0.25, 0.5, 0.75, 1),
        3: (1, 0.75, 0.5, 0.25, 0),
        4: (0, 0.8, 1, 0.8, 0),
        5: (1, 0.1, 1, 0.1, 1),
    }
    places = [place for place, _ in STEADY]
    return [
        {"label": label, "points": [list(point) for point in zip(places, shares[key], strict=True)]}
        for label, key in texts.CURVE_SHAPES.items()
    ]


def _filled(template: str, **words: str) -> str:
    """The template with its `@name` replaced. What is passed to `gr.HTML` instead is lost with its first update."""
    return re.sub("@([a-z]+)", lambda match: html.escape(words[match[1]]), template)


def uri(picture: bytes) -> str:
    """A JPEG as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _script(name: str) -> str:
    return _read(f"{name}.js")

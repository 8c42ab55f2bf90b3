"""The tab that makes faces talk: what stands where. What happens is in `talk`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from talkedit_sdk.app import texts, widgets
from talkedit_sdk.app.limits import Limits
from talkedit_sdk.app.line import MAX_TEXT
from talkedit_sdk.app.session import Session
from talkedit_sdk.emotion import MAX_INTENSITY
from talkedit_sdk.speech.head import MAX_HEAD
from talkedit_sdk.speech.plan import AUTO
from talkedit_sdk.speech.text import available, voices


@dataclass(frozen=True)
class Script:
    """What a visitor brings and sets; `values` is the order in which handlers receive them. `by_photo` and `by_text`
    tell which of two tabs is in front: what is seen is what counts."""

    by_photo: gr.State
    photo: gr.Image
    video: gr.Video
    by_text: gr.State
    audio: gr.Audio
    text: gr.Textbox
    language: gr.Dropdown
    timbre: gr.Radio
    emotion: gr.HTML
    intensity: gr.Slider
    head: gr.Slider
    blinks: gr.Slider
    badge: gr.Checkbox

    @property
    def values(self) -> list[gr.components.Component]:
        return list(vars(self).values())


@dataclass(frozen=True)
class TalkPage:
    session: gr.State
    script: Script
    notice: gr.HTML
    talk: gr.Button
    cancel: gr.Button
    bar: gr.HTML
    results: gr.Column
    film: gr.HTML
    download: gr.DownloadButton
    report: gr.HTML


def draw_talk(limits: Limits) -> TalkPage:
    """Lays the tab out in the surrounding `Blocks`."""
    session = gr.State(None, time_to_live=60 * limits.minutes, delete_callback=_close)
    with gr.Row(elem_classes="te-desk"):
        with gr.Column(min_width=260, scale=4, elem_classes="te-stack"):
            face = _face(limits)
            said = _said(limits)
        with gr.Column(min_width=260, scale=7, elem_classes="te-stack"):
            settings = _settings()
            notice = gr.HTML(visible=False, elem_classes="te-notice", elem_id="talk-notice", apply_default_css=False)
            bar = widgets.bar("talk-bar")
            with gr.Row():
                talk = gr.Button(texts.TALK, variant="primary", size="lg", elem_id="talk")
                cancel = gr.Button(texts.CANCEL, size="lg", visible=False, elem_id="talk-cancel")
            with gr.Column(visible=False, elem_id="talk-results", elem_classes="te-card") as results:
                film = widgets.film()
                download = gr.DownloadButton(texts.DOWNLOAD_TALK, variant="primary", elem_id="download-talk")
                report = gr.HTML(elem_id="talk-report", apply_default_css=False)
    script = Script(**face, **said, **settings)
    return TalkPage(session, script, notice, talk, cancel, bar, results, film, download, report)


def _face(limits: Limits) -> dict[str, Any]:
    by_photo = gr.State(True)
    with gr.Column(elem_classes="te-card te-source"):
        gr.HTML(f"<h3>{texts.TALK_FACE}</h3>", apply_default_css=False)
        with gr.Tabs():
            with gr.Tab(texts.TAB_PHOTO) as first:
                photo = gr.Image(
                    label=texts.PHOTO,
                    show_label=False,
                    sources=["upload", "webcam", "clipboard"],
                    type="filepath",
                    elem_id="talk-photo",
                    elem_classes="te-photo",
                )
            with gr.Tab(texts.TAB_VIDEO) as second:
                video = gr.Video(
                    label=texts.VIDEO,
                    show_label=False,
                    sources=["upload", "webcam"],
                    elem_id="talk-video",
                    elem_classes="te-video",
                )
        text = texts.TALK_LIMITS.format(megabytes=limits.megabytes)
        gr.HTML(f"<small>{text}</small>", apply_default_css=False)
    _in_front(by_photo, first, second)
    return {"by_photo": by_photo, "photo": photo, "video": video}


def _said(limits: Limits) -> dict[str, Any]:
    """Without espeak-ng there is no tab for text."""
    by_text = gr.State(False)
    known = voices() if available() else ()
    languages = [(label, name) for name, label in texts.VOICES.items() if name in known]
    with gr.Column(elem_classes="te-card te-source"):
        gr.HTML(f"<h3>{texts.TALK_VOICE}</h3>", apply_default_css=False)
        with gr.Tabs():
            with gr.Tab(texts.TAB_AUDIO) as second:
                audio = gr.Audio(
                    label=texts.AUDIO,
                    show_label=False,
                    sources=["upload", "microphone"],
                    type="filepath",
                    buttons=[],
                    editable=False,
                    elem_id="talk-audio",
                )
                gr.HTML(f"<small>{texts.VOICE_LIMITS.format(seconds=limits.seconds)}</small>", apply_default_css=False)
            with gr.Tab(texts.TAB_TEXT, visible=bool(languages)) as first:
                text = gr.Textbox(
                    label=texts.TEXT,
                    placeholder=texts.TEXT_EXAMPLE,
                    lines=4,
                    max_lines=8,
                    max_length=MAX_TEXT,
                    elem_id="talk-text",
                )
                language = gr.Dropdown(
                    languages,
                    value=languages[0][1] if languages else None,
                    label=texts.TEXT_VOICE,
                    elem_id="talk-voice",
                )
                timbre = gr.Radio(
                    list(texts.TIMBRES.items()),
                    value=next(iter(texts.TIMBRES.values())),
                    label=texts.TIMBRE,
                    elem_id="talk-timbre",
                )
    _in_front(by_text, first, second)
    return {"by_text": by_text, "audio": audio, "text": text, "language": language, "timbre": timbre}


def _settings() -> dict[str, Any]:
    with gr.Column(elem_classes="te-card"):
        emotion = widgets.feelings(AUTO)
        with gr.Row(elem_id="talk-sliders"):
            intensity = gr.Slider(
                0, MAX_INTENSITY, value=1, step=0.01, label=texts.INTENSITY, info=texts.TALK_INTENSITY_INFO,
                min_width=180, elem_id="talk-intensity",
            )  # fmt: skip
            head = gr.Slider(
                0, MAX_HEAD, value=1, step=0.05, label=texts.HEAD, info=texts.HEAD_INFO, min_width=180,
                elem_id="talk-head",
            )  # fmt: skip
            blinks = gr.Slider(
                0, 40, value=15, step=1, label=texts.BLINKS, info=texts.BLINKS_INFO, min_width=180,
                elem_id="talk-blinks",
            )  # fmt: skip
        badge = gr.Checkbox(True, label=texts.BADGE, info=texts.BADGE_INFO, elem_id="talk-badge", container=False)
    return {"emotion": emotion, "intensity": intensity, "head": head, "blinks": blinks, "badge": badge}


def _in_front(state: gr.State, first: gr.Tab, second: gr.Tab) -> None:
    """Keeps whether `first` is the tab in front."""
    for tab, value in ((first, True), (second, False)):
        tab.select(lambda value=value: value, None, state, queue=False, api_visibility="private")


def _close(session: Session | None) -> None:
    if session is not None:
        session.close()

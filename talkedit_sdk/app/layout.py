"""The page: what stands where. What happens is in `handlers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from talkedit_sdk.app import texts, widgets
from talkedit_sdk.app.limits import Limits
from talkedit_sdk.app.montage import Kind
from talkedit_sdk.app.session import Session
from talkedit_sdk.emotion import DETAIL, EMOTIONS, MAX_INTENSITY


@dataclass(frozen=True)
class Controls:
    """What a visitor sets; `values` is the order in which handlers receive them."""

    emotion: gr.HTML
    mixing: gr.Checkbox
    intensity: gr.Slider
    mouth: gr.Slider
    detail: gr.Slider
    face: gr.HTML
    begin: gr.Slider
    end: gr.Slider
    curve: gr.HTML
    moment: gr.HTML
    close: gr.Checkbox
    badge: gr.Checkbox
    shares: tuple[gr.Slider, ...]

    @property
    def values(self) -> list[gr.components.Component]:
        return [
            self.emotion, self.mixing, self.intensity, self.mouth, self.detail, self.face, self.begin, self.end,
            self.curve, self.moment, self.close, self.badge, *self.shares,
        ]  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """What a visitor sees of the clip before it is rendered."""

    empty: gr.Column
    example: gr.Button
    work: gr.Column
    compare: gr.HTML
    caption: gr.HTML


@dataclass(frozen=True)
class Results:
    """What a visitor takes home."""

    area: gr.Column
    player: gr.HTML
    edited: gr.DownloadButton
    curves: gr.DownloadButton
    make: dict[Kind, gr.Button]
    made: dict[Kind, gr.DownloadButton]
    report: gr.HTML
    changes: gr.HTML


@dataclass(frozen=True)
class Page:
    session: gr.State
    video: gr.Video
    photo: gr.Image
    notice: gr.HTML
    controls: Controls
    single: gr.Column
    mixture: gr.Column
    when: gr.Accordion
    settings: gr.Column
    stage: Stage
    render: gr.Button
    cancel: gr.Button
    bar: gr.HTML
    results: Results


def draw_head() -> None:
    """What stands above everything."""
    gr.HTML(f"<h1>{texts.TITLE}</h1><p>{texts.TAGLINE}</p>", elem_id="head", apply_default_css=False)


def draw_foot(limits: Limits) -> None:
    """What stands below."""
    gr.HTML(f"<p>{texts.PRIVACY.format(minutes=limits.minutes)}</p>", elem_id="foot", apply_default_css=False)


def draw(limits: Limits, example: bool) -> Page:
    """Lays the tab that edits clips out in the surrounding `Blocks`; `example` tells whether there is a clip to try."""
    session = gr.State(None, time_to_live=60 * limits.minutes, delete_callback=_close)
    with gr.Row(elem_id="desk"):
        with gr.Column(elem_id="source-column", min_width=260, scale=4):
            video, photo = _source(limits)
            with gr.Column(visible=False, elem_id="settings") as settings:
                controls, single, mixture, when = _controls()
        with gr.Column(elem_id="stage-column", min_width=260, scale=7):
            notice = gr.HTML(visible=False, elem_id="notice", elem_classes="te-notice", apply_default_css=False)
            stage, moment, close, face = _stage(example)
            bar = widgets.bar("bar")
            with gr.Row(visible=True, elem_id="actions"):
                render = gr.Button(texts.RENDER, variant="primary", size="lg", visible=False, elem_id="render")
                cancel = gr.Button(texts.CANCEL, size="lg", visible=False, elem_id="cancel")
            results = _results()
    complete = Controls(**controls, face=face, moment=moment, close=close)
    return Page(
        session, video, photo, notice, complete, single, mixture, when, settings, stage, render, cancel, bar, results
    )


def _source(limits: Limits) -> tuple[gr.Video, gr.Image]:
    with gr.Column(elem_id="source"):
        with gr.Tabs():
            with gr.Tab(texts.TAB_VIDEO):
                video = gr.Video(
                    label=texts.VIDEO,
                    show_label=False,
                    sources=["upload", "webcam"],
                    elem_id="video",
                    elem_classes="te-video",
                    webcam_options=gr.WebcamOptions(constraints={"video": {"width": 1280, "height": 720}}),
                )
            with gr.Tab(texts.TAB_PHOTO):
                photo = gr.Image(
                    label=texts.PHOTO,
                    show_label=False,
                    sources=["upload", "webcam", "clipboard"],
                    type="filepath",
                    elem_id="photo",
                    elem_classes="te-photo",
                )
        text = texts.LIMITS.format(seconds=limits.seconds, megabytes=limits.megabytes)
        gr.HTML(f"<small>{text}</small>", elem_id="limits", apply_default_css=False)
    return video, photo


def _controls() -> tuple[dict[str, Any], gr.Column, gr.Column, gr.Accordion]:
    with gr.Column() as single:
        emotion = widgets.emotions()
    mixing = gr.Checkbox(False, label=texts.MIX, elem_id="mixing", container=False)
    with gr.Column(visible=False, elem_id="mixture") as mixture:
        gr.HTML(f"<small>{texts.MIX_INFO}</small>", apply_default_css=False)
        shares = tuple(
            gr.Slider(0, 1, value=0, step=0.05, label=texts.EMOTIONS[name], elem_id=f"share-{name}", buttons=[])
            for name in EMOTIONS
        )
    intensity = gr.Slider(
        0, MAX_INTENSITY, value=0.9, step=0.01, label=texts.INTENSITY, info=texts.INTENSITY_INFO, elem_id="intensity"
    )
    mouth = gr.Slider(0, 1, value=0.5, step=0.01, label=texts.MOUTH, info=texts.MOUTH_INFO, elem_id="mouth")
    detail = gr.Slider(0, 1, value=DETAIL, step=0.01, label=texts.DETAIL, info=texts.DETAIL_INFO, elem_id="detail")
    with gr.Accordion(texts.WHEN, open=False, elem_id="when") as when:
        curve = widgets.curve_editor()
        with gr.Row(elem_id="range"):
            begin = gr.Slider(0, 1, value=0, step=0.05, label=texts.BEGIN, min_width=120, elem_id="begin")
            end = gr.Slider(0, 1, value=1, step=0.05, label=texts.END, min_width=120, elem_id="end")
        gr.HTML(f"<small>{texts.RANGE_INFO}</small>", apply_default_css=False)
    badge = gr.Checkbox(True, label=texts.BADGE, info=texts.BADGE_INFO, elem_id="badge", container=False)
    controls: dict[str, Any] = {
        "emotion": emotion, "mixing": mixing, "shares": shares, "intensity": intensity, "mouth": mouth,
        "detail": detail, "curve": curve, "begin": begin, "end": end, "badge": badge,
    }  # fmt: skip
    return controls, single, mixture, when


def _stage(example: bool) -> tuple[Stage, gr.HTML, gr.Checkbox, gr.HTML]:
    with gr.Column(elem_id="empty") as empty:
        gr.HTML(f"<h2>{texts.EMPTY_TITLE}</h2><p>{texts.EMPTY}</p>", apply_default_css=False)
        button = gr.Button(texts.EXAMPLE, variant="primary", visible=example, elem_id="example")
    with gr.Column(visible=False, elem_id="work") as work:
        compare = widgets.compare()
        with gr.Row(elem_id="below"):
            caption = gr.HTML(elem_id="caption", apply_default_css=False)
            close = gr.Checkbox(True, label=texts.CLOSE_UP, container=False, elem_id="close", min_width=0, scale=0)
        moment = widgets.picker("moments", texts.MOMENTS)
        face = widgets.picker("faces", texts.WHO)
    return Stage(empty, button, work, compare, caption), moment, close, face


def _results() -> Results:
    with gr.Column(visible=False, elem_id="results") as area:
        player = widgets.player()
        gr.HTML(f"<h3>{texts.DOWNLOADS}</h3>", elem_id="downloads-head", apply_default_css=False)
        with gr.Row(elem_id="downloads"):
            edited = gr.DownloadButton(texts.DOWNLOAD, variant="primary", elem_id="download-edited")
            make: dict[Kind, gr.Button] = {}
            made: dict[Kind, gr.DownloadButton] = {}
            labels: dict[Kind, str] = {"side": texts.DOWNLOAD_SIDE, "wipe": texts.DOWNLOAD_WIPE}
            for kind, text in labels.items():
                make[kind] = gr.Button(text, elem_id=f"make-{kind}")
                made[kind] = gr.DownloadButton(text, visible=False, elem_id=f"download-{kind}")
            curves = gr.DownloadButton(texts.DOWNLOAD_CURVES, elem_id="download-curves")
        report = gr.HTML(elem_id="report", apply_default_css=False)
        changes = gr.HTML(elem_id="changes", apply_default_css=False)
    return Results(area, player, edited, curves, make, made, report, changes)


def _close(session: Session | None) -> None:
    if session is not None:
        session.close()

"""What happens when a clip is rendered: the result, and what is made of it on request."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from talkedit_sdk.app import montage, plots, texts, widgets, words
from talkedit_sdk.app.gpu import Renderer
from talkedit_sdk.app.layout import Page
from talkedit_sdk.app.montage import Kind
from talkedit_sdk.app.outcome import playable, write_table
from talkedit_sdk.app.replies import Updates, quiet, read_wish, served, sorry
from talkedit_sdk.app.session import Session
from talkedit_sdk.app.studio import Outcome, Step
from talkedit_sdk.emotion import EMOTIONS, Emotion
from talkedit_sdk.errors import OptionError


class Rendering:
    """The events of rendering on one page: one clip at a time, whoever asks."""

    def __init__(self, page: Page, renderer: Renderer) -> None:
        self.page, self._render = page, renderer

    def connect(self) -> None:
        """Ties the events to what they do."""
        page, results = self.page, self.page.results
        rendered = [
            page.notice, page.bar, page.render, page.cancel, results.area, results.player, results.edited,
            results.curves, results.report, results.changes, *results.make.values(), *results.made.values(),
        ]  # fmt: skip
        started = [page.notice, page.bar, page.render, page.cancel]
        page.render.click(self.start, page.session, started, queue=False, **quiet()).success(
            self.render, [page.session, *page.controls.values], rendered, concurrency_limit=1, concurrency_id="render",
            **quiet(),
        )  # fmt: skip
        page.cancel.click(self.cancel, page.session, None, queue=False, **quiet())
        for kind, button in results.make.items():
            made = results.made[kind]
            button.click(self.start, page.session, started, queue=False, **quiet()).success(
                partial(self.join, kind), page.session, [*started, button, made],
                concurrency_limit=1, concurrency_id="render", **quiet(),
            ).success(None, js=f"() => document.querySelector('#download-{kind}')?.click()")  # fmt: skip

    def start(self, session: Session | None) -> Updates:
        """Somebody asks for a clip, and may have to wait for others to be served."""
        page = self.page
        if session is not None and session.open:
            session.stop_file.unlink(missing_ok=True)
        return {
            page.notice: gr.HTML(visible=False),
            page.render: gr.Button(visible=False),
            page.cancel: gr.Button(visible=True),
            page.bar: widgets.bar_value(Step(None, 0, None), texts.WAITING),
        }

    def _end(self) -> Updates:
        page = self.page
        return {page.bar: None, page.render: gr.Button(visible=True), page.cancel: gr.Button(visible=False)}

    def render(self, session: Session | None, *values: Any) -> Iterator[Updates]:
        """The whole clip, with everything to take home."""
        page = self.page
        if session is None or session.clip is None or not session.open:
            yield self._end() | sorry(page, OptionError(texts.SESSION_OVER))
            return
        try:
            wish, *_ = read_wish(values)
            photo = session.clip.source.info.kind == "photo"
            target = session.folder / f"{session.stem}.{_named(wish.emotion)}{'.png' if photo else '.mp4'}"
            for step in self._render(session.clip, wish, target, session.stop_file):
                if isinstance(step, Step):
                    yield {page.bar: widgets.bar_value(step, texts.RENDERING)}
                else:
                    session.outcome = step
                    yield self._end() | self._rendered(session, step, photo)
        except Exception as error:
            yield self._end() | sorry(page, error, session)

    def _rendered(self, session: Session, outcome: Outcome, photo: bool) -> Updates:
        results = self.page.results
        table = write_table(outcome)
        changes = plots.what_changed(outcome.curves, outcome.openings)
        films = None
        if session.clip is not None and not photo:
            before = playable(session.clip.source.info, session.folder)
            films = {"before": served(before), "after": served(outcome.path)}
        return {
            results.area: gr.Column(visible=True),
            results.player: gr.HTML(value=films, visible=not photo),
            results.edited: gr.DownloadButton(
                texts.DOWNLOAD_PHOTO if photo else texts.DOWNLOAD, value=str(outcome.path)
            ),
            results.curves: gr.DownloadButton(value=str(table)),
            results.report: words.report(outcome.report),
            results.changes: f"<h3>{texts.CHANGES}</h3><p>{texts.CHANGES_INFO}</p>{changes}",
            **{button: gr.Button(visible=not photo) for button in results.make.values()},
            **{button: gr.DownloadButton(visible=False) for button in results.made.values()},
        }

    def join(self, kind: Kind, session: Session | None) -> Iterator[Updates]:
        """Source and edit in one video, made when somebody asks for it."""
        page, results = self.page, self.page.results
        if session is None or session.outcome is None or not session.open:
            yield self._end() | sorry(page, OptionError(texts.SESSION_OVER))
            return
        rendered = session.outcome
        target = rendered.path.with_name(f"{rendered.path.stem}.{kind}.mp4")
        try:
            for step in montage.steps(session.video, rendered, target, kind, session.stop_file):
                if isinstance(step, Step):
                    yield {page.bar: widgets.bar_value(step, texts.JOINING)}
            yield self._end() | {
                results.make[kind]: gr.Button(visible=False),
                results.made[kind]: gr.DownloadButton(value=str(target), visible=True),
            }
        except Exception as error:
            yield self._end() | sorry(page, error, session)

    def cancel(self, session: Session | None) -> None:
        """The work of this visitor ends."""
        if session is not None and session.open:
            session.stop()


def _named(emotion: Emotion) -> str:
    return "-".join(name for name, share in zip(EMOTIONS, emotion.shares, strict=True) if share)

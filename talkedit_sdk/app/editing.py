"""What happens until a clip is rendered: it comes in, is watched, and every slider that moves shows a preview."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from talkedit_sdk.app import keyframes, texts, widgets
from talkedit_sdk.app.layout import Page
from talkedit_sdk.app.replies import Updates, quiet, read_wish, served, sorry, spoken
from talkedit_sdk.app.session import Session
from talkedit_sdk.app.studio import Step, Studio
from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.errors import InputNotFoundError


class Editing:
    """The events of the page before rendering."""

    def __init__(self, page: Page, studio: Studio, example: Path | None) -> None:
        self.page, self.studio, self._example = page, studio, example

    def connect(self) -> None:
        """Ties the events to what they do. One clip is watched at a time, and two previews are drawn."""
        page, controls, stage, results = self.page, self.page.controls, self.page.stage, self.page.results
        private = quiet()
        everything = [
            page.session, page.notice, page.bar, page.settings, page.render, page.cancel, stage.empty, stage.work,
            stage.compare, stage.caption, controls.face, controls.moment, controls.begin, controls.end, results.area,
            results.player, page.when,
        ]  # fmt: skip
        preview: dict[str, Any] = {
            "fn": self.preview,
            "inputs": [page.session, *controls.values],
            "outputs": [page.session, stage.compare, stage.caption, page.notice],
            "concurrency_limit": 2,
            "concurrency_id": "preview",
            **private,
        }
        for source in (page.video, page.photo):
            # The file itself is wanted, not what Gradio makes of it: no conversion, no decoding outside of the SDK.
            source.change(
                self.arrive, [page.session, source], everything, preprocess=False, queue=False, **private
            ).success(
                self.watch, page.session, everything, concurrency_limit=1, concurrency_id="watch", **private
            ).success(**preview | {"fn": self.first_preview})  # fmt: skip
        stage.example.click(lambda: str(self._example), None, page.video, **private)
        controls.mixing.input(
            self.mix, [controls.mixing, controls.emotion, *controls.shares],
            [page.single, page.mixture, *controls.shares], queue=False, **private,
        )  # fmt: skip
        sliders = (
            controls.intensity, controls.mouth, controls.detail, controls.begin, controls.end, *controls.shares,
        )  # fmt: skip
        choices: tuple[Any, ...] = (
            controls.emotion, controls.mixing, controls.face, controls.moment, controls.curve, controls.close,
        )  # fmt: skip
        gr.on([*(part.input for part in (*choices, *sliders)), *(slider.release for slider in sliders)],
              trigger_mode="always_last", **preview)  # fmt: skip

    def arrive(self, session: Session | None, file: dict[str, Any] | None) -> Updates:
        """A clip was chosen, or taken away."""
        page = self.page
        if session is not None:
            session.close()
        if file is None:
            return self._empty()
        upload = Path(file["path"])
        try:
            session = Session(upload, Path(get_upload_folder()))
        except Exception as error:
            return self._empty() | sorry(page, error, None, upload)
        return self._empty() | {
            page.session: session,
            page.stage.empty: gr.Column(visible=False),
            page.cancel: gr.Button(visible=True),
            page.bar: widgets.bar_value(Step(None, 0, None), texts.WAITING),
        }

    def watch(self, session: Session | None) -> Iterator[Any]:
        """The clip's turn has come: its faces are found, and a few frames of it kept."""
        page = self.page
        if session is None:
            yield gr.skip()
            return
        try:
            for step in self.studio.watch(session.video, session.stop_file):
                if isinstance(step, Step):
                    yield {page.bar: widgets.bar_value(step, texts.WATCHING)}
                else:
                    step.choose("all")
                    session.clip = step
            yield self._ready(session)
        except Exception as error:
            session.close()
            yield self._empty() | sorry(page, error, session)

    def _ready(self, session: Session) -> Updates:
        page, clip = self.page, session.clip
        assert clip is not None
        indices = keyframes.choose(clip)
        session.key_frames = keyframes.read(clip, indices)
        session.faces = clip.list_faces() if len(clip.tracking.faces) > 1 else ()
        moment, photo = keyframes.best(clip, indices), clip.source.info.kind == "photo"
        length = max(0.1, round(float(clip.tracking.times[-1]), 2))
        several = len(session.key_frames) > 1
        return {
            page.session: session,
            page.bar: None,
            page.settings: gr.Column(visible=True),
            page.when: gr.Accordion(visible=not photo),
            page.render: gr.Button(texts.RENDER_PHOTO if photo else texts.RENDER, visible=True),
            page.cancel: gr.Button(visible=False),
            page.stage.work: gr.Column(visible=True),
            page.controls.moment: gr.HTML(
                value=str(moment), items=widgets.moment_items(session.key_frames), visible=several
            ),
            page.controls.face: gr.HTML(
                value="0", items=widgets.face_items(session.faces), visible=len(session.faces) > 1
            ),
            page.controls.begin: gr.Slider(maximum=length, value=0),
            page.controls.end: gr.Slider(maximum=length, value=length),
        }

    def first_preview(self, session: Session | None, *values: Any) -> Any:
        """As `preview`, if there is a clip at all."""
        return gr.skip() if session is None else self.preview(session, *values)

    def preview(self, session: Session | None, *values: Any) -> Updates:
        """A control was moved: draws the key frame anew."""
        page = self.page
        if session is None or session.clip is None or not session.open:
            return sorry(page, InputNotFoundError(texts.SESSION_OVER))
        try:
            wish, moment, close = read_wish(values)
            key = session.key_frames[min(moment, len(session.key_frames) - 1)]
            window = keyframes.close_up(session.clip, wish.face, key.index) if close else None
            before = session.folder / f"key-{key.index}-{wish.face}-{close:d}.jpg"
            if not before.exists():
                before.write_bytes(keyframes.shown(key.frame().rgb, window))
            after = self.studio.preview(session.clip, wish, key, window)
        except Exception as error:
            return sorry(page, error, session)
        photo = session.clip.source.info.kind == "photo"
        caption = (texts.CAPTION_PHOTO if photo else texts.CAPTION).format(
            emotion=spoken(wish.emotion), intensity=wish.intensity, time=key.time
        )
        return {
            page.stage.compare: {"before": served(before), "after": widgets.uri(after)},
            page.stage.caption: html.escape(caption),
            page.notice: gr.HTML(visible=False),
            page.session: session,  # counts as a use: the files stay for another while
        }

    def mix(self, mixing: bool, emotion: str, *shares: float) -> Updates:
        """Changes between one emotion and a mixture, which begins with that emotion."""
        controls = self.page.controls
        begin = [1.0 if name == emotion else 0.0 for name in EMOTIONS]
        updates: Updates = {
            self.page.single: gr.Column(visible=not mixing),
            self.page.mixture: gr.Column(visible=mixing),
        }
        if mixing and not any(shares):
            updates |= dict(zip(controls.shares, begin, strict=True))
        return updates

    def _empty(self) -> Updates:
        """The page as it is without a clip."""
        page = self.page
        return {
            page.session: None,
            page.notice: gr.HTML(visible=False),
            page.bar: None,
            page.settings: gr.Column(visible=False),
            page.render: gr.Button(visible=False),
            page.cancel: gr.Button(visible=False),
            page.stage.empty: gr.Column(visible=True),
            page.stage.work: gr.Column(visible=False),
            page.stage.compare: None,
            page.stage.caption: "",
            page.results.area: gr.Column(visible=False),
            page.results.player: None,
        }
